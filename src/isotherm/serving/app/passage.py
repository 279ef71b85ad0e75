"""What every request passes: the limit of its body, the headers of its answer, measurement."""

import time

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from isotherm.serving.app.errors import refusal
from isotherm.serving.app.metrics import Metrics

#: of each answer that does not say otherwise
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Passage:
    """Pure ASGI: nothing is buffered.  most_bytes: of a body."""

    def __init__(self, app: ASGIApp, most_bytes: int, metrics: Metrics) -> None:
        self.app, self.most_bytes, self.metrics = app, most_bytes, metrics

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
            if read > self.most_bytes:
                raise HTTPException(413, f"the body is larger than {self.most_bytes:,} bytes")
            return message

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            if self._announced(scope) > self.most_bytes:
                words = f"the body is larger than {self.most_bytes:,} bytes"
                await refusal(413, words, scope["path"], "send less in one request")(scope, receive, headed)
            else:
                await self.app(scope, counted, headed)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(route, _method(scope), str(status)).inc()
            self.metrics.seconds.labels(route).observe(time.perf_counter() - begun)

    @staticmethod
    def _announced(scope: Scope) -> int:
        """Bytes of the body as its header says; 0 where it does not."""
        sizes = [value for name, value in scope["headers"] if name == b"content-length"]
        return int(sizes[0]) if sizes and sizes[0].isdigit() and len(sizes[0]) < 20 else 0


def _method(scope: Scope) -> str:
    """One of the few that there are: others would be a label each."""
    method = str(scope["method"])
    return method if method in {"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"} else "other"
