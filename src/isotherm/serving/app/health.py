"""Whether the process lives, and whether it can answer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from isotherm.errors import IsothermError
from isotherm.serving.app import answers
from isotherm.serving.app.errors import refusal

_DATABASE_SECONDS = 2.0


class Readiness:
    """Whether requests may be sent here.

    draining: set once the server begins to end.
    read_database: a short read that fails where the database does not answer; it runs in a thread of its own.
    """

    def __init__(self, read_database: Callable[[], object]) -> None:
        self.draining = False
        self._read = read_database
        self._thread = ThreadPoolExecutor(1, "readiness")
        self._asked: Future[object] | None = None

    async def refusal(self) -> JSONResponse | None:
        """Why not, as an answer; None where they may."""
        if self.draining:
            return refusal(503, "draining: this server ends", "server", "send requests to another")
        if self._asked is None or self._asked.done():
            self._asked = self._thread.submit(self._read)
        try:
            read = asyncio.wrap_future(self._asked)
            read.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # however late
            await asyncio.wait_for(asyncio.shield(read), _DATABASE_SECONDS)
        except (TimeoutError, IsothermError):
            words = "the database does not answer"
            return refusal(503, words, "database", "see whether it runs; the server's log tells more")
        return None

    def close(self) -> None:
        """Give back the thread, without waiting for a read that hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def health_routes(readiness: Readiness) -> APIRouter:
    """/livez and /readyz."""
    routes = APIRouter()

    @routes.get("/livez", summary="Whether the process answers")
    async def livez() -> answers.Health:
        return answers.Health()

    @routes.get(
        "/readyz",
        summary="Whether requests may be sent here",
        response_model=answers.Health,
        responses={503: {"model": answers.Refused, "description": "The server ends, or has no database."}},
    )
    async def readyz() -> Response | answers.Health:
        return await readiness.refusal() or answers.Health()

    return routes
