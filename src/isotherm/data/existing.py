"""Which items were there by the end of a test period: those that somebody had clicked, and those on offer."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.data.items import Items
from isotherm.data.moments import Period
from isotherm.data.reading.times import iso_times
from isotherm.errors import ItemsError, brief
from isotherm.types import Bools

AVAILABLE_COLUMN = "available_from"  #: of the item table, where it has one


@dataclass(frozen=True, eq=False)
class Existing:
    """What a log says of the items that were there.

    clicked: (n_items,) whether somebody had clicked an item by the end of the period.
    """

    clicked: Bools
    period: Period

    def over(self, n_items: int) -> "Existing":
        """The same over more items, which nobody had clicked."""
        return Existing(
            np.append(self.clicked, np.zeros(n_items - len(self.clicked), dtype=bool)), self.period
        )

    def on_offer(self, items: Items, column: str | None) -> Bools:
        """(n_items,) the items of the table that were there: available before the end, or clicked by then.

        items: those of the log first, in its order.  column: field of the dates from which items are
        available, None for all items always; so is an item without a date.
        Raises ItemsError where it is no field of dates or numbers.
        """
        if column is None:
            return np.ones(len(items), dtype=bool)
        moments = self.period.clock.on_axis_of(_numbers(items, column))
        available = np.isnan(moments) | self.period.is_over_after(moments)
        available[: len(self.clicked)] |= self.clicked
        return np.asarray(available)


def _numbers(items: Items, column: str) -> np.ndarray:
    """The dates of a field as numbers, NaN where there is none."""
    values = items.column(column)
    if items.kinds[column] == "number":
        return values.to_numpy()
    text = values.list.first() if values.dtype == pl.List(pl.String) else values
    bad = 0
    if text.dtype == pl.String:
        if text.null_count() == len(text):
            return np.full(len(items), np.nan)
        bad = int((text.is_not_null() & iso_times(text).is_null()).arg_max() or 0)
    raise ItemsError(
        f"column {brief(column)}, item {brief(items.ids.values[bad])}: {brief(text[bad])} is no date "
        "from which an item is available; write dates as 2018-03-01, or leave them empty"
    )
