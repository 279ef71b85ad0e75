"""Parts of a page that are read: a figure or a table, what it says, and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """names: of the columns.  rows: text.  words: leading columns that are words, not numbers."""

    names: list[str]
    rows: list[list[str]]
    words: int = 1


@dataclass(frozen=True)
class Reading:
    """A figure, or several, with a sentence of what it shows, what it says here, and what to do about it."""

    title: str
    shows: str
    says: str
    do: str
    figures: tuple[str, ...]
    table: Table | None = None
