"""The token, and the URL of a database, from files that nobody else can read."""

import stat
from pathlib import Path

from isotherm.errors import ParameterError, shown_path
from isotherm.progress import note

_MOST_BYTES = 4096


def read_token(file: Path) -> str:
    """The token in a file: its only line that is not empty, without the spaces around it.

    A note tells where others than its owner can read the file. Raises ParameterError where it cannot be read,
    or does not hold one token of letters that a header can carry.
    """
    token = _secret("--token-file", file, "the token")
    if not token.isascii() or " " in token:
        raise ParameterError(
            f"--token-file {shown_path(file)}: holds no token: one line of at most {_MOST_BYTES:,} ASCII "
            "characters without spaces"
        )
    return token


def read_url(file: Path) -> str:
    """The URL of a database in a file, in the same way. Raises ParameterError where there is no one line."""
    return _secret("--db-file", file, "the URL of the database")


def _secret(option: str, file: Path, what: str) -> str:
    """The only line of a file. What it holds is in no message."""
    place = f"{option} {shown_path(file)}"
    try:
        with open(file, "rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        others = stat.S_IMODE(file.stat().st_mode) & 0o077
    except (OSError, ValueError) as cause:
        words = getattr(cause, "strerror", None) or str(cause)
        raise ParameterError(f"{place}: cannot be read ({words}); write {what} there") from cause
    secret = content.decode("utf-8", errors="replace").strip()
    if not secret:
        raise ParameterError(f"{place}: is empty; write {what} there")
    if len(content) > _MOST_BYTES or not secret.isprintable():
        raise ParameterError(
            f"{place}: holds no {what.removeprefix('the ')}: one line of at most {_MOST_BYTES:,} characters"
        )
    if others:
        note(f"warning: {place}: others can read it; chmod 600 it")
    return secret
