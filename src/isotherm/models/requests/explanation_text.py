"""An explanation as sentences for people."""

from collections.abc import Iterator
from typing import Any, Protocol

import polars as pl

from isotherm.data.wording import counted, one_line
from isotherm.features.metadata_terms import BASE_LEVEL

_CLICKS, _FIELDS = 3, 3  # reasons named
_LEAST_PERCENT = 5  # of a field that is named
_MUCH = 20  # percent of the base level, from which it is told


class Explained(Protocol):
    """What is said of a score; see ``Explanation``."""

    @property
    def item(self) -> Any: ...
    @property
    def title(self) -> str | None: ...
    @property
    def item_clicks(self) -> int: ...
    @property
    def by_item(self) -> pl.DataFrame: ...
    @property
    def by_field(self) -> pl.DataFrame | None: ...
    @property
    def certainty(self) -> float | None: ...
    @property
    def answered_by(self) -> str: ...


def sentences(why: Explained, verb: str) -> Iterator[str]:
    """What speaks for the item, and how well it is known.  verb: what users do to items: clicked, watched."""
    name = named(why.item, why.title)
    known = f"{name} has {counted(why.item_clicks, 'click')}"
    if why.answered_by == "popularity":
        yield f"You have {verb} nothing yet, so items are ranked by popularity: {known}."
        return
    clicks, fields = _clicked_items(why.by_item, verb), _fields(why.by_field)
    if clicks or fields:
        yield f"Because {clicks}{'; ' if clicks and fields else ''}{fields}."
    else:
        yield f"Nothing that you {verb} speaks for {name}."
    if why.item_clicks:
        yield f"{known[:1].upper()}{known[1:]} of its own."
    elif clicks or fields:
        yield f"Nobody has {verb} {name} yet: this rests on {_what_is_known(why)}."
    else:
        yield f"Nobody has {verb} it yet."


def named(item: Any, title: str | None) -> str:
    """What an item is called in a sentence: its title in quotes, else its id; None: it may not be named."""
    if item is None:
        return "an item that is not on show"
    shown = one_line(title or "")
    return f"“{shown}”" if shown else f"item {one_line(str(item))}"


def percent(value: float) -> str:
    """A percentage for people."""
    return "<1%" if 0 < value < 0.5 else f"{value:.0f}%"


def _clicked_items(by_item: pl.DataFrame, verb: str) -> str:
    """The clicked items that speak most for the item, with their percent of all that does."""
    speaking = by_item.filter(pl.col("share") > 0)
    if speaking.is_empty():
        return ""
    best = speaking.head(_CLICKS).select("item_id", "title", "percent").rows()
    named_ones = [named(item, title) for item, title, _ in best]
    if speaking.height > 1:
        named_ones = [f"{name} ({percent(row[2])})" for name, row in zip(named_ones, best, strict=True)]
    others = speaking.height - len(best)
    more = [counted(others, "other")] if others else []
    return f"you {verb} {_joined(named_ones + more)}"


def _fields(by_field: pl.DataFrame | None) -> str:
    """The fields that speak most for the item, with the values that it shares with the clicked ones."""
    if by_field is None:
        return ""
    speaking = by_field.filter((pl.col("percent") >= _LEAST_PERCENT) & (pl.col("field") != BASE_LEVEL))
    best = speaking.sort("percent", descending=True, maintain_order=True).head(_FIELDS)
    reasons = []
    for field, values in best.select("field", "in_common").rows():
        name = one_line(field.replace("_", " "))
        reasons.append(f"matching {name}" if values is None else f"same {name} ({one_line(values)})")
    return ", ".join(reasons)


def _what_is_known(why: Explained) -> str:
    """Of an item without clicks: metadata, how far that explains it, and the base level if that is much."""
    base = _base_percent(why.by_field)
    certain = "" if why.certainty is None else f" (certainty {percent(100 * why.certainty)})"
    if base < _MUCH:
        return f"its metadata alone{certain}"
    return f"its metadata{certain} and, for {percent(base)}, on the {BASE_LEVEL}"


def _base_percent(by_field: pl.DataFrame | None) -> float:
    """Of the base level, where it speaks for the item."""
    if by_field is None:
        return 0.0
    base = by_field.filter(pl.col("field") == BASE_LEVEL)["percent"].drop_nulls()
    return float(base.sum())


def _joined(words: list[str]) -> str:
    """a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
