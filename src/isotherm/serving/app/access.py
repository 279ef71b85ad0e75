"""Who may do what: a token for writes, or for everything."""

import hmac
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

#: the token as it came, None for none
BEARER = HTTPBearer(auto_error=False, description="The server's token.")


def bearer(token: str | None) -> Callable[..., None]:
    """A dependency that refuses a request without the token, which is compared in constant time; None: none
    is needed."""

    def check(given: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)] = None) -> None:
        if token is None:
            return
        sent = b"" if given is None else given.credentials.encode(errors="surrogateescape")
        if not hmac.compare_digest(sent, token.encode()):
            raise HTTPException(401, headers={"WWW-Authenticate": "Bearer"})

    return check
