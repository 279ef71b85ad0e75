"""The token, from a file that nobody else can read."""

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
    place = f"--token-file {shown_path(file)}"
    try:
        with open(file, "rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
        others = stat.S_IMODE(file.stat().st_mode) & 0o077
    except (OSError, ValueError) as cause:
        words = getattr(cause, "strerror", None) or str(cause)
        raise ParameterError(f"{place}: cannot be read ({words}); write the token there") from cause
    token = content.decode("utf-8", errors="replace").strip()
    if not token:
        raise ParameterError(f"{place}: is empty; write the token there")
    if len(content) > _MOST_BYTES or not token.isascii() or not token.isprintable() or " " in token:
        raise ParameterError(
            f"{place}: holds no token: one line of at most {_MOST_BYTES:,} ASCII characters without spaces"
        )
    if others:
        note(f"warning: {place}: others can read it; chmod 600 it")
    return token
