"""Ids of users, items and events as the tables hold them: one text column that keeps 1 and "1" apart.

An integer is kept as ``n`` and its digits, a text as ``t`` and itself.
"""

from typing import Any

from isotherm.errors import ParameterError, brief

Id = int | str
LONGEST_ID = 1_000  #: bytes of an id in UTF-8; an index of PostgreSQL takes no more than 2,700
_LARGEST = 2**64  # no model's ids are wider


def stored_id(what: str, given: Any) -> str:
    """An id as it is kept.  what: it is of, in messages. Raises ParameterError for what is no id.

    >>> from isotherm.serving.database.stored_ids import stored_id
    >>> stored_id("item", 1), stored_id("item", "1")
    ('n1', 't1')
    """
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ParameterError(f"{what}: an id is an integer or a text, not {brief(given)}")
    if isinstance(given, int):
        if not -_LARGEST < given < _LARGEST:
            raise ParameterError(f"{what}: the id {brief(given)} is beyond 64 bits")
        return f"n{given}"
    check_text(what, given, LONGEST_ID)
    if not given:
        raise ParameterError(f"{what}: an empty text is no id")
    return f"t{given}"


def check_text(what: str, text: str, most_bytes: int) -> None:
    """Raise ParameterError where a text cannot be kept: too long, a NUL character, half a character."""
    if "\0" in text:
        raise ParameterError(f"{what}: {brief(text)} holds a NUL character; leave it out")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError as cause:
        raise ParameterError(f"{what}: {brief(text)} is no valid Unicode; mend its encoding") from cause
    if size > most_bytes:
        raise ParameterError(
            f"{what}: {brief(text)} is {size:,} bytes long; at most {most_bytes:,} can be kept"
        )


def given_id(stored: str) -> Id:
    """The id as it was given.

    >>> from isotherm.serving.database.stored_ids import given_id
    >>> given_id("n1"), given_id("t1")
    (1, '1')
    """
    return int(stored[1:]) if stored[0] == "n" else stored[1:]
