"""Values and names in messages: a few of them, each short, and never a character that cannot be seen."""

import difflib
from collections.abc import Sequence
from typing import Any

from isotherm.errors import brief

_LENGTH, _NAMES = 40, 6


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


def _plain(name: str) -> bool:
    return bool(name) and len(name) <= _LENGTH and name.isprintable() and name == name.strip()
