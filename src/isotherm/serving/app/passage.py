"""What every request passes: the limits of its rate and its body, the headers of its answer, measurement."""

import time

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isotherm.serving.app.errors import because, refusal
from isotherm.serving.app.health import Readiness
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.app.rates import RateLimit
from isotherm.serving.page.routes import ADDRESSES

#: of each answer that does not say otherwise
_HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)
#: who watches the server is not turned away, nor the page: a browser asks for its files all at once
_ALWAYS = {"/livez", "/readyz", "/metrics"} | ADDRESSES


class Passage:
    """Pure ASGI: nothing is buffered."""

    def __init__(
        self, app: ASGIApp, limits: Limits, rate: RateLimit | None, readiness: Readiness, metrics: Metrics
    ) -> None:
        self.app, self.limits, self.rate, self.readiness, self.metrics = app, limits, rate, readiness, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun, status, read = time.perf_counter(), 500, 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limits.body:
                because(scope, "body")
                raise HTTPException(413, self._too_large)
            return message

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                given = {name for name, _ in headers}
                headers += [pair for pair in _HEADERS if pair[0] not in given]
                if self.readiness.draining:
                    headers.append((b"connection", b"close"))
            await send(message)

        self.metrics.begin()
        try:
            refused = self._refusal(scope)
            if refused is not None:
                await refused(scope, receive, headed)
            else:
                await self.app(scope, counted, headed)
        finally:
            self.metrics.end(scope, status, time.perf_counter() - begun)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        """Why it is refused before it is read, as an answer."""
        path = scope["path"]
        if _announced(scope) > self.limits.body:
            because(scope, "body")
            return refusal(413, self._too_large, path, "send less in one request")
        if path in _ALWAYS:
            return None
        if self.metrics.n_begun > self.limits.at_once:
            because(scope, "at_once")
            words = f"the server works on {self.limits.at_once:,} requests"
            return refusal(503, words, "server", "try again in a second", {"Retry-After": "1"})
        wait = self.rate.seconds_to_wait(_client(scope)) if self.rate is not None else 0.0
        if wait:
            because(scope, "rate")
            words = f"more than {self.limits.rate:g} requests per second of one client"
            after = {"Retry-After": str(int(wait) + 1)}
            return refusal(429, words, "client", f"try again in {int(wait) + 1} s", after)
        return None

    @property
    def _too_large(self) -> str:
        return f"the body is larger than {self.limits.body:,} bytes"


def _announced(scope: Scope) -> int:
    """Bytes of the body as its header says; 0 where it does not."""
    sizes = [value for name, value in scope["headers"] if name == b"content-length"]
    return int(sizes[0]) if sizes and sizes[0].isdigit() and len(sizes[0]) < 20 else 0


def _client(scope: Scope) -> str:
    """Its address, as the proxies that are believed tell it."""
    client = scope.get("client")
    return str(client[0]) if client else ""
