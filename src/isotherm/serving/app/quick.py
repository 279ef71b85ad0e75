"""POST /v1/recommend from bytes to bytes, without what FastAPI does for a route.

The route is documented, and refused, by the app behind this: whatever is not answered here at once is handed
on to it, with the same body.
"""

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from pydantic import TypeAdapter
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isotherm.serving.app.answering import Lists
from isotherm.serving.app.schemas import RecommendBody
from isotherm.serving.live.requests import Answer, ExperimentAnswer

PATH = "/v1/recommend"
_QUICK = 2e-3  # seconds
_MOST = 4 * _QUICK  # that one answer counts: on a busy machine any may be interrupted
_SHARE = 1 / 16  # of the latest answer in what is expected of the next
_JSON = b"application/json"
_WRITTEN, _WRITTEN_IN_ARMS = TypeAdapter(Answer), TypeAdapter(ExperimentAnswer)
_Some = TypeVar("_Some")


@dataclass(frozen=True)
class _Route:
    """What metrics ask of the route that answered."""

    path: str


_ROUTE = _Route(PATH)


class QuickLists:
    """Pure ASGI, within what every request passes.

    token: that a request must bring; None for none.
    What takes less than two milliseconds is answered on the event loop, as a thread would cost a good part of
    it; what takes longer, or may, gets a thread, so that others are answered meanwhile.
    """

    def __init__(self, app: ASGIApp, lists: Lists, token: str | None = None) -> None:
        self.app, self._lists, self._pace = app, lists, Pace()
        self._token = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http" or scope["path"] != PATH or not self._is_plain(scope):
            await self.app(scope, receive, send)
            return
        received = _Received(receive)
        try:
            written = await self._written(await received.body())
        except Exception:
            # Refused, by which rule whatever: the app says so in its words, or fails in the same way.
            await self.app(scope, received.again, send)
            return
        scope["route"] = _ROUTE
        headers = [(b"content-type", _JSON), (b"content-length", str(len(written)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": written})

    def _is_plain(self, scope: Scope) -> bool:
        """Whether it posts JSON, and the token where one is needed."""
        headers = dict(scope["headers"])
        if scope["method"] != "POST" or headers.get(b"content-type", b"").lower() != _JSON:
            return False
        return self._token is None or hmac.compare_digest(headers.get(b"authorization", b""), self._token)

    async def _written(self, body: bytes) -> bytes:
        asked = RecommendBody.model_validate_json(body)
        answer = None
        if self._pace.is_quick:
            answer = self._pace.timed(time.perf_counter, self._lists.answer_now, asked)
        if answer is None:
            answer = await run_in_threadpool(self._pace.timed, time.thread_time, self._lists.answer, asked)
        if isinstance(answer, ExperimentAnswer):
            return _WRITTEN_IN_ARMS.dump_json(answer)
        return _WRITTEN.dump_json(answer)


class Pace:
    """How long answers take of late.

    >>> from isotherm.serving.app.quick import Pace
    >>> pace = Pace()
    >>> pace.is_quick
    False
    >>> for _ in range(100):
    ...     pace.add(0.0004)
    >>> pace.is_quick
    True
    >>> for _ in range(5):
    ...     pace.add(0.1)
    >>> pace.is_quick
    False
    """

    def __init__(self) -> None:
        self._seconds = 2 * _QUICK  # nothing is known: the first answers get a thread

    @property
    def is_quick(self) -> bool:
        """Whether the next may be expected to be quick."""
        return self._seconds < _QUICK

    def add(self, seconds: float) -> None:
        """One more answer."""
        self._seconds += _SHARE * (min(seconds, _MOST) - self._seconds)

    def timed(
        self, clock: Callable[[], float], answer: Callable[[RecommendBody], _Some], asked: RecommendBody
    ) -> _Some:
        """An answer, which counts.  clock: in a thread that of its own work, for it waits for others, too."""
        begun = clock()
        answered = answer(asked)
        if answered is not None:
            self.add(clock() - begun)
        return answered


class _Received:
    """The messages of a request, which can be received again."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []
        self._refused: Exception | None = None

    async def body(self) -> bytes:
        """All of it. What ``receive`` raises is raised again for whoever receives again."""
        while True:
            try:
                message = await self._receive()
            except Exception as cause:
                self._refused = cause
                raise
            self._messages.append(message)
            if not message.get("more_body", False):
                return b"".join(each.get("body", b"") for each in self._messages)

    async def again(self) -> Message:
        """The messages from the first on."""
        if self._messages:
            return self._messages.pop(0)
        if self._refused is not None:
            raise self._refused
        return await self._receive()
