"""GET /, GET /experiments and GET /page/FILE: the files of static/, read once, and nothing else."""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from fastapi import APIRouter, Request, Response

_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_PAGES = {"index.html": "/", "experiments.html": "/experiments"}
#: scripts, styles and requests of this server alone; no text becomes a script or markup
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-cache",
}


def _addresses() -> dict[str, Traversable]:
    """Address -> file."""
    there = (files("isotherm.serving.page") / "static").iterdir()
    kept = sorted((file for file in there if _ending(file.name) in _TYPES), key=lambda file: file.name)
    return {_PAGES.get(file.name, f"/page/{file.name}"): file for file in kept}


def _ending(name: str) -> str:
    return name.rpartition(".")[2]


#: where the page and its files are
ADDRESSES = frozenset(_addresses())


def page_routes() -> APIRouter:
    """The page and its files. They hold no data: who may read that, the other routes decide."""
    routes = APIRouter()
    for address, file in _addresses().items():
        _add(routes, address, file.read_bytes(), _TYPES[_ending(file.name)])
    return routes


def _add(routes: APIRouter, address: str, content: bytes, media_type: str) -> None:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "ETag": etag}

    def answer(request: Request) -> Response:
        known = [
            each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")
        ]
        if etag in known or known == ["*"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    told: dict[str, Any] = {"include_in_schema": False}
    routes.add_api_route(address, answer, methods=["GET", "HEAD"], response_model=None, **told)
