"""A client for servers on this machine: as many requests as they bear, or so many a second; their times.

Requests are bytes that are made before; HTTP/1.1 with kept connections. ``wrk`` asks where it is installed,
as it takes less of the cores than a client in Python.
"""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

_WRK = shutil.which("wrk")
_WRK_SCRIPT = """
local bodies, at = {}, 0
local headers = {["Content-Type"] = "application/json", ["Host"] = "localhost"}
for line in io.lines("%s") do bodies[#bodies + 1] = wrk.format("POST", "%s", headers, line) end
request = function() at = at %% #bodies + 1; return bodies[at] end
done = function(summary, latency)
  local e = summary.errors
  local errors = e.status + e.connect + e.read + e.write + e.timeout
  io.write(string.format("FIGURES %%d %%d %%d %%f %%f\\n", summary.requests, summary.duration, errors,
    latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass
class Measured:
    """What a client saw.  errors: answers other than 2xx, and connections that broke."""

    requests: int
    elapsed: float
    errors: int
    median_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.elapsed


def request(method: str, path: str, body: Any = None, token: str | None = None) -> bytes:
    """A request as it is sent.  body: bytes, or what is written as JSON; None for none."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode() + content


class Connection(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self) -> None:
        self._read, self._answer = b"", None
        self._ends: int | None = None
        self.transport: Any = None

    @classmethod
    async def to(cls, port: int) -> "Connection":
        """Of a server on this machine."""
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._read += data
        if self._ends is None:
            head = self._read.find(b"\r\n\r\n")
            if head < 0:
                return
            length = re.search(rb"(?i)\ncontent-length: (\d+)", self._read[:head])
            self._ends = head + 4 + int(length[1]) if length else head + 4
        if len(self._read) >= self._ends and self._answer is not None:
            whole, self._read, self._ends = self._read, b"", None
            self._answer.set_result((int(whole[9:12]), whole[whole.index(b"\r\n\r\n") + 4 :]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"the server closed the connection: {exc}"))

    async def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Send a request; the status and the body of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(sent)
        return await self._answer

    def close(self) -> None:
        self.transport.close()


def saturated(port: int, path: str, bodies: Sequence[bytes], connections: int, seconds: float) -> Measured:
    """As many posts of the bodies as the server bears over so many connections."""
    if _WRK is None or seconds < 1:  # it counts in whole seconds
        sent = [request("POST", path, body) for body in bodies]
        return asyncio.run(_saturated(port, sent, connections, seconds))
    with tempfile.TemporaryDirectory() as folder:
        lines, script = Path(folder) / "bodies", Path(folder) / "ask.lua"
        lines.write_bytes(b"\n".join(bodies) + b"\n")
        script.write_text(_WRK_SCRIPT % (lines, path))
        command = [_WRK, "-t1", f"-c{connections}", f"-d{max(round(seconds), 1)}s", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True
        )
    figures = next(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("FIGURES"))
    n, microseconds, errors, median, p99 = map(float, figures)
    return Measured(int(n), microseconds / 1e6, int(errors), median / 1e3, p99 / 1e3)


async def _saturated(port: int, sent: Sequence[bytes], connections: int, seconds: float) -> Measured:
    until, taken, given = time.perf_counter() + seconds, _Taken(), cycle(sent)

    async def ask() -> None:
        connection = await Connection.to(port)
        while time.perf_counter() < until:
            await taken.ask(connection, next(given), time.perf_counter())
        connection.close()

    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(connections)))
    return taken.measured(time.perf_counter() - started)


def paced(
    port: int, path: str, bodies: Sequence[bytes], connections: int, rate: float, seconds: float
) -> Measured:
    """So many posts a second, at even distances, whether or not those before are answered.

    The time of a request counts from when it was due: also while it waits for one of the connections.
    """
    sent = cycle([request("POST", path, body) for body in bodies])
    return asyncio.run(_paced(port, sent, connections, rate, seconds))


async def _paced(port: int, sent: Iterator[bytes], connections: int, rate: float, seconds: float) -> Measured:
    taken, due = _Taken(), asyncio.Queue[float | None]()

    async def ask(connection: Connection) -> None:
        while (since := await due.get()) is not None:
            await taken.ask(connection, next(sent), since)

    asking = [asyncio.ensure_future(ask(await Connection.to(port))) for _ in range(connections)]
    started = time.perf_counter()
    for n in range(int(rate * seconds)):
        wait = started + n / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        due.put_nowait(time.perf_counter())
    for _ in asking:
        due.put_nowait(None)
    await asyncio.gather(*asking)
    return taken.measured(time.perf_counter() - started)


@dataclass
class _Taken:
    """Seconds that answers took."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0

    async def ask(self, connection: Connection, sent: bytes, since: float) -> None:
        status, _ = await connection.ask(sent)
        self.seconds.append(time.perf_counter() - since)
        self.errors += not 200 <= status < 300

    def measured(self, elapsed: float) -> Measured:
        median, p99 = (1e3 * float(np.quantile(self.seconds, q)) for q in (0.5, 0.99))
        return Measured(len(self.seconds), elapsed, self.errors, median, p99)
