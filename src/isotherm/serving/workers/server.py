"""uvicorn in a worker: it tells when it is ready, and ends without losing a request that has come."""

import asyncio
import signal
import socket
import time
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from isotherm.serving.app.health import Readiness
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.workers.channel import ALIVE, GO, READY
from isotherm.serving.workers.connections import BoundedProtocol, raise_open_files
from isotherm.serving.workers.settings import Ending

_REFRESH_SLOWLY = 10  # seconds
_SETTLE_SECONDS = 0.2  # for the requests of the last connections to arrive
_KEEP_ALIVE_SECONDS = 75  # longer than proxies keep a connection, so that it is they who close it


class WorkerServer(uvicorn.Server):
    """The server of one worker.

    On SIGTERM /readyz says at once that it is ending, and each answer closes its connection. After
    ``drain_seconds`` no connection is taken any more, those that the system has taken already are answered,
    and what has begun ends within ``grace_seconds``.
    """

    def __init__(self, app: FastAPI, ending: Ending, proxies: str, channel: socket.socket) -> None:
        raise_open_files()
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            workers=1,  # whatever WEB_CONCURRENCY says: the parent starts them
            lifespan="on",
            log_config=None,
            access_log=False,
            forwarded_allow_ips=proxies,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(ending.grace_seconds)),
        )
        super().__init__(config)
        self._readiness: Readiness = app.state.readiness
        self._metrics: Metrics = app.state.metrics
        BoundedProtocol.metrics = self._metrics
        self._ending, self._channel = ending, channel
        self._ends: float | None = None
        self._n_seconds = 0
        self.parent_is_gone = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; asked again, it changes nothing."""
        if self._ends is None:
            self._readiness.draining = True
            self._ends = time.monotonic() + self._ending.drain_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, once the parent lets it."""
        loop = asyncio.get_running_loop()
        self._channel.setblocking(False)
        if not await loop.sock_recv(self._channel, len(GO) + 1):
            raise SystemExit(0)  # the parent is gone
        await super().startup(sockets)
        loop.add_reader(self._channel, self._end_with_parent)
        self._channel.send(READY + b"\n")

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end now."""
        if counter % 10 == 0:
            self._each_second()
        if self._ends is not None and time.monotonic() >= self._ends:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End; the connections that the system has taken before are answered, too."""
        listeners = [each.dup() for each in sockets or []]
        for server in self.servers:
            server.close()
        for each in sockets or []:
            each.close()
        await self._take_waiting(listeners)
        await asyncio.sleep(_SETTLE_SECONDS)
        await super().shutdown([])

    async def _take_waiting(self, listeners: list[socket.socket]) -> None:
        """Take the connections that wait. The last of the workers closes the port with its ``listeners``."""
        waiting = []
        for listener in listeners:
            with suppress(OSError):  # none waits any more
                while True:
                    waiting.append(listener.accept()[0])
            listener.close()
        loop = asyncio.get_running_loop()
        for connection in waiting:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._protocol, connection)

    def _end_with_parent(self) -> None:
        """The parent says nothing more: what can be read is its end."""
        asyncio.get_running_loop().remove_reader(self._channel)
        self.parent_is_gone = True
        self.handle_exit(signal.SIGTERM, None)

    def _protocol(self) -> BoundedProtocol:
        return BoundedProtocol(
            self.config, self.server_state, self.lifespan.state, asyncio.get_running_loop()
        )

    def _each_second(self) -> None:
        self._metrics.refresh()
        self._metrics.refresh_threads()
        if self._n_seconds % _REFRESH_SLOWLY == 0:  # in a thread: it takes milliseconds
            asyncio.get_running_loop().run_in_executor(None, self._metrics.refresh_slowly)
        self._n_seconds += 1
        with suppress(OSError):  # the parent is gone, or stopped
            self._channel.send(ALIVE + b"\n")
        now = asyncio.get_running_loop().time()
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedProtocol):
                connection.close_if_slow(now)
