"""Every refusal as {"error", "where", "cure"}, and nothing of the inside of the server in it."""

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from isotherm.errors import (
    DatabaseError,
    IsothermError,
    LimitError,
    SilentDatabaseError,
    UnknownIdError,
    UnsupportedError,
    one_line,
)
from isotherm.serving.app.answers import Refused

_log = logging.getLogger(__name__)
_CURES = {
    401: "send the header Authorization: Bearer TOKEN",
    404: "look the address up in /openapi.json",
    405: "look the address and its methods up in /openapi.json",
    413: "send less in one request",
}
REASON = "isotherm.reason"  #: of a refusal, in the scope of its request
_WHERE = 60  # characters of a place before the colon of a message
_WORDS = {
    401: "a token is needed, and the right one was not sent",
    404: "there is nothing at this address",
    405: "this address does not take this method",
}

_RETRY_AFTER = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}

#: documented for every route
REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Refused, "description": words, "headers": _RETRY_AFTER if code in (429, 503) else {}}
    for code, words in {
        400: "The body is no JSON.",
        401: "The token is missing or wrong.",
        404: "An id or an address is unknown.",
        409: "The model on the air cannot do this.",
        413: "The body is too large.",
        422: "A value is wrong, or more than is allowed.",
        429: "This client has sent too many requests; Retry-After says when to come again.",
        503: "The server ends, has too much to do, or its database does not answer.",
    }.items()
}


def refusal(code: int, error: str, where: str, cure: str, headers: Any = None) -> JSONResponse:
    """The answer."""
    return JSONResponse(
        {"error": one_line(error), "where": one_line(where), "cure": one_line(cure)}, code, headers
    )


def because(scope: MutableMapping[str, Any], reason: str) -> None:
    """Note for the metrics why a request is refused."""
    scope[REASON] = reason


def answer_errors(app: FastAPI) -> None:
    """Make every exception such an answer; of one that nobody foresaw, the log alone tells more."""

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return refusal(400, "the body is no JSON", _place(first, error.body), "send JSON")
        where, message = _deepest(error)
        if where == "body" and "json" not in request.headers.get("content-type", ""):
            words = "the body is not said to be JSON"
            return refusal(422, words, "header Content-Type", "send Content-Type: application/json")
        return refusal(422, message, where, "see the schema of this address in /openapi.json")

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        code = error.status_code
        words, cure = _WORDS.get(code, str(error.detail)), _CURES.get(code, "look into /openapi.json")
        return refusal(code, words, request.url.path, cure, error.headers)

    @app.exception_handler(IsothermError)
    def unusable(request: Request, error: IsothermError) -> JSONResponse:
        code = (
            404 if isinstance(error, UnknownIdError) else 409 if isinstance(error, UnsupportedError) else 422
        )
        if isinstance(error, LimitError):
            because(request.scope, error.limit)
        words, _, cure = str(error).rpartition("; ")
        place, colon, rest = (words or cure).partition(": ")
        if not colon or len(place) > _WHERE:
            place, rest = request.url.path, words or cure
        return refusal(code, rest, place, cure if words else "see /openapi.json for what may be asked")

    _answer_failures(app)


def _deepest(error: RequestValidationError) -> tuple[str, str]:
    """Where the first thing that is wrong is, and what; of a value of several forms, by the likest one."""
    places = [(_place(each, error.body), str(each["msg"])) for each in error.errors()]
    within = [place for place, _ in places if place.startswith(places[0][0])]
    where = max(within, key=lambda place: place.count("."))
    words = [message.removeprefix("Value error, ") for place, message in places if place == where]
    return where, ", or: ".join(dict.fromkeys(words))


def _place(error: Mapping[str, Any], body: Any) -> str:
    """The path to what is wrong in what was sent, without the names of the forms that it may have."""
    kept: list[str] = []
    value: Any = {"body": body}
    for n, part in enumerate(error["loc"]):
        is_last = error["type"] == "missing" and n == len(error["loc"]) - 1
        places = range(len(value)) if isinstance(value, list) else value
        is_there = isinstance(places, range | Mapping) and part in places
        if error["loc"][0] != "body" or is_there or is_last:
            kept.append(str(part))
            value = value[part] if is_there else None
    return ".".join(kept)


def _answer_failures(app: FastAPI) -> None:
    """Those of the server, which the log tells of."""

    @app.exception_handler(DatabaseError)
    def unreachable(request: Request, error: DatabaseError) -> JSONResponse:
        _log.error("%s %s: %s", request.method, request.url.path, error)
        because(request.scope, "database")
        is_silent = isinstance(error, SilentDatabaseError)
        words = "the database does not answer" if is_silent else "the database cannot be used now"
        cure = "try again; the server's log tells more"
        return refusal(503, words, request.url.path, cure, {"Retry-After": "1"})

    @app.exception_handler(Exception)
    def unforeseen(request: Request, error: Exception) -> JSONResponse:
        _log.error("%s %s", request.method, request.url.path, exc_info=error)
        return refusal(500, "the server failed", request.url.path, "try again; the server's log tells more")
