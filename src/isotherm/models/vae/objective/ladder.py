"""The values of a setting that ``auto`` tries."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ladder:
    """values: ascending.  start: the one of them that the others are compared with."""

    values: tuple[float, ...]
    start: float
