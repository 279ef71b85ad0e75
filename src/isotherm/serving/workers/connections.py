"""What one connection may send and how long it may take: uvicorn's HTTP protocol with bounds.

uvicorn itself bounds the time between two requests. Here: the bytes of a request's head, the seconds until
its head and its body are there, and the number of connections. Whoever is slower, or sends more, is closed,
so that many who send a byte now and then keep no place from others.
"""

import json
import resource
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from isotherm.serving.app.metrics import Metrics

MOST_HEAD_BYTES = 32 * 2**10
HEAD_SECONDS = 5.0
BODY_SECONDS = 30.0
_REASONS = {400: "no_http", 408: "slow_head", 431: "long_head"}  # for the metrics
_MOST_FILES = 2**16
_OTHER_FILES = 200  # that a worker may hold open besides connections


def most_connections() -> int:
    """How many this process can hold open, for which it takes as many open files as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return max(wanted - _OTHER_FILES, 100)


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    most_connections: ClassVar[int] = 2**20
    metrics: ClassVar[Metrics | None] = None
    _refusal: tuple[int, str, str] | None = None
    _head_bytes = 0
    _in_head = True
    reading_since: float | None = None  #: loop time since when its head, or its body, is awaited

    def connection_made(self, transport: Any) -> None:
        """Take it, or close it at once where there are too many."""
        super().connection_made(transport)
        self.reading_since = self.loop.time()
        if len(self.connections) > self.most_connections:
            self._count("connections")
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on; a head that grows too long is refused."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
                self._too_long()
                self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self.reading_since = self.loop.time()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > MOST_HEAD_BYTES:
            self._too_long()
            raise ValueError("the head is too long")
        self.reading_since = self.loop.time()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Its body is there."""
        self.reading_since = None
        super().on_message_complete()

    def close_if_slow(self, now: float) -> None:
        """Close it where its head or its body is awaited for too long.  now: of the loop's clock."""
        allowed = HEAD_SECONDS if self._in_head else BODY_SECONDS
        if self.reading_since is None or now - self.reading_since < allowed or self.transport.is_closing():
            return
        if self._in_head and self._head_bytes:
            self._refusal = 408, f"the request's head did not come within {allowed:g} s", "send it at once"
            self.send_400_response("")
        else:
            if not self._in_head:
                self._count("slow_body")
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, in the form of every refusal, and close."""
        code, error, cure = self._refusal or (400, "this is no HTTP/1.1 request", "send one")
        self._count(_REASONS[code])
        body = json.dumps({"error": error, "where": "request", "cure": cure}).encode()
        head = b"content-type: application/json\r\nconnection: close\r\ncontent-length: "
        self.transport.write(b"".join([STATUS_LINE[code], head, str(len(body)).encode(), b"\r\n\r\n", body]))
        self.transport.close()

    def _count(self, reason: str) -> None:
        if self.metrics is not None:
            self.metrics.count_refusal(reason)

    def _too_long(self) -> None:
        words = f"the request's head is longer than {MOST_HEAD_BYTES:,} bytes"
        self._refusal = 431, words, "send shorter headers, and ids in the body"

    def _unsupported_upgrade_warning(self) -> None:
        """Nothing: it is answered as a plain request, and a log of every one would fill up."""


def raise_open_files() -> None:
    """Let this process hold as many connections as the system allows it."""
    BoundedProtocol.most_connections = most_connections()
