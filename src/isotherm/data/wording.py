"""Values and names in messages: a few of them, each short, and never a character that cannot be seen."""

import difflib
import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from isotherm.errors import brief

_LENGTH, _NAMES = 40, 6
_NOUNS = re.compile(r"\b(users|items|clicks|events)\b")
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # bidirectional classes of marks


def counted(n: int, noun: str) -> str:
    """A number and its noun: «1 user», «1,200 users».

    >>> from isotherm.data.wording import counted
    >>> counted(1, "user"), counted(1_200, "click")
    ('1 user', '1,200 clicks')
    """
    return f"{n:,} {noun}" + ("" if n == 1 else "s")


def counted_words(n: int, words: str) -> str:
    """A number and words on many, of which the first noun is put in the singular for one.

    >>> from isotherm.data.wording import counted_words
    >>> counted_words(1, "clicks of new users"), counted_words(2, "clicks of new users")
    ('1 click of new users', '2 clicks of new users')
    """
    one = _NOUNS.sub(lambda noun: noun[0][:-1], words, count=1) if n == 1 else words
    return f"{n:,} {one}"


def listed(values: Sequence[Any], most: int = 5) -> str:
    """A few values for a message: «a, b, c and 7 more»."""
    shown = ", ".join(brief(value) for value in list(values[:most]))
    return shown + (f" and {len(values) - most:,} more" if len(values) > most else "")


def names(columns: Sequence[str], wanted: str = "") -> str:
    """A few column names, those like ``wanted`` first."""
    like = difflib.get_close_matches(wanted.lower(), [name.lower() for name in columns[:1000]], 2, 0.7)
    ordered = sorted(columns, key=lambda name: name.lower() not in like)
    shown = ", ".join(name if _plain(name) else brief(name) for name in ordered[:_NAMES])
    return shown + (f" and {len(columns) - _NAMES:,} more" if len(columns) > _NAMES else "")


def one_line(text: str, most: int = 80) -> str:
    """Text of others, fit for a line of ours: it moves no cursor and turns nothing around it.

    Control characters and runs of white space are one space, marks that turn the direction of text are left
    out, what is longer than ``most`` is shortened, and what runs from right to left is isolated (U+2068 …
    U+2069).

    >>> from isotherm.data.wording import one_line
    >>> one_line("Alien\\x1b[31m\\n(1979)")
    'Alien [31m (1979)'
    """
    straight = (letter for letter in text if unicodedata.bidirectional(letter) not in _TURNS)
    plain = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in straight)
    words = " ".join(plain.split())
    shown = words if len(words) <= most else words[: most - 1].rstrip() + "…"
    from_right = any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for letter in shown)
    return f"\u2068{shown}\u2069" if from_right else shown


def _plain(name: str) -> bool:
    return bool(name) and len(name) <= _LENGTH and name.isprintable() and name == name.strip()
