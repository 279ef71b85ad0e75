"""Ids in addresses: every id, percent-encoded, is one segment, whatever it holds.

A server hands on paths decoded, where `/v1/items/a%2Fsimilar`, the item a/similar, and `/v1/items/a/similar`,
the items similar to a, are one. So here each segment of the path as it was sent is decoded for itself and
encoded again in one form, by which routes are found; what stands for an id is decoded last.
"""

from urllib.parse import quote, unquote

from starlette.convertors import CONVERTOR_TYPES, Convertor, register_url_convertor
from starlette.types import ASGIApp, Receive, Scope, Send

_PLAIN = "!$&'()*+,;=:@"  # of a segment, besides letters, digits and -._~
_ID = "id"


class IdConvertor(Convertor[str]):
    """What stands in an address for an id. Slashes may be sent as they are, but for what is of the route."""

    regex = ".*"

    def convert(self, value: str) -> str:
        """The id."""
        return unquote(value)

    def to_string(self, value: str) -> str:
        """As it stands in an address."""
        return quote(value, safe="")


if _ID not in CONVERTOR_TYPES:
    register_url_convertor(_ID, IdConvertor())


class Addresses:
    """Pure ASGI: the path of a request in the form by which routes are found."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on a request."""
        sent = scope.get("raw_path", b"") if scope["type"] == "http" else b""
        if b"%" in sent or (not sent and "%" in scope.get("path", "")):
            scope["path"] = found_by(sent.decode("latin-1") if sent else quote(scope["path"]))
        await self.app(scope, receive, send)


def found_by(sent: str) -> str:
    """A path as it was sent, in one form.

    >>> from isotherm.serving.app.addresses import found_by
    >>> found_by("/v1/%69tems/a%2fb%20c/similar")
    '/v1/items/a%2Fb%20c/similar'
    """
    return "/".join(quote(unquote(segment), safe=_PLAIN) for segment in sent.split("/"))
