"""Who may do what: a token for writes, or for everything."""

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

#: the token as it came, None for none
BEARER = HTTPBearer(auto_error=False, description="The server's token.")


Token = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]


def bearer(token: str | None) -> Callable[..., None]:
    """A dependency that refuses a request without the token, which is compared in constant time; None: none
    is needed."""

    sees = sight(token)

    def check(given: Token = None) -> None:
        if not sees(given):
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})

    return check


def sight(token: str | None) -> Callable[..., bool]:
    """A dependency that tells whether a request may learn of items that may not be shown now: those with the
    token may; None: everybody may, as everybody may change them. A wrong token is none."""

    def sees(given: Token = None) -> bool:
        if token is None:
            return True
        sent = b"" if given is None else given.credentials.encode(errors="surrogateescape")
        return hmac.compare_digest(sent, token.encode())

    return sees
