"""Fields that items were put with and the model does not read: they filter items, and change no score."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import polars as pl

from isotherm.serving.catalogue.filter_fields import FilterField, NumberField, ValuesField, as_text
from isotherm.serving.catalogue.items import LiveItem

_LONGEST = 200  # letters of a value; a plot is none


def told_fields(
    changes: Mapping[str, LiveItem], columns: Mapping[str, int], n_items: int
) -> dict[str, FilterField]:
    """Those of all items that were put, by name.

    What was put is taken as it came: lists of text and texts that are short are values, numbers are numbers;
    where both came, all are values.  columns: of each item, by its id as text.
    """
    told: dict[str, dict[int, list[Any]]] = defaultdict(dict)
    for key, item in changes.items():
        column = columns.get(key, -1)
        for name, given in (item.metadata or {}).items() if column >= 0 else ():
            values = given if isinstance(given, list) else [given]
            if values and all(_is_value(value) for value in values):
                told[name][column] = values
    return {name: _field(of_items, n_items) for name, of_items in told.items()}


def _is_value(value: Any) -> bool:
    return isinstance(value, bool | int | float) or (isinstance(value, str) and 0 < len(value) <= _LONGEST)


def _field(of_items: Mapping[int, list[Any]], n_items: int) -> FilterField:
    """Of the values of some items, by their columns."""
    if all(len(values) == 1 and _is_number(values[0]) for values in of_items.values()):
        numbers: list[float | None] = [None] * n_items
        for column, values in of_items.items():
            numbers[column] = float(values[0])
        return NumberField(pl.Series(numbers, dtype=pl.Float64))
    lists: list[list[str]] = [[]] * n_items
    for column, values in of_items.items():
        lists[column] = [as_text(value) for value in values]
    return ValuesField(pl.Series(lists, dtype=pl.List(pl.String)))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
