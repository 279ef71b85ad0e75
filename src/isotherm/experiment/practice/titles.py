"""The titles of the practice platform: most are there from the start, the others come day by day."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.data import Interactions, Items
from isotherm.streams import stream
from isotherm.types import Array, Bools, Int32

_SEED = 0  # of which titles are new: one choice for all runs, so that models are fitted once
_LEAST_CLICKS = 20  # real ones, of a well-known title


@dataclass(frozen=True, eq=False)
class Titles:
    """Titles and clicks.

    items: all titles, n_items of them.  past: clicks on those that are there from the start; all titles are
    its columns.  clicks: all real clicks, which taste is fitted on.
    comes: (n_items,) the day on which a title comes, counted from 0; -1 for those from the start.
    """

    items: Items
    past: Interactions
    clicks: Interactions
    comes: Int32

    @classmethod
    def of(cls, clicks: Interactions, items: Items, days: int, share: float = 0.25) -> "Titles":
        """A share of the well-known titles is new, drawn at random, as many of them each day as on another.

        Nobody has clicked a new title before the models are fitted, and the log that they are fitted on has
        no times: which titles are late in it says nothing of these.
        """
        log = clicks.among(clicks.users, items.ids)
        rng = stream(_SEED, "new titles")
        comes = np.full(len(items), -1, dtype=np.int32)
        known = np.flatnonzero(log.item_clicks() >= _LEAST_CLICKS)
        new = rng.permutation(known)[: round(share * len(known))]
        comes[new] = np.arange(len(new)) % days
        plain = Interactions(log.users, log.items, log.matrix)
        return cls(items, plain.keep(comes[log.matrix.indices] < 0), plain, comes)

    def there(self, day: int) -> Bools:
        """(n_items,) which titles are there on a day."""
        return np.asarray(self.comes <= day)

    @property
    def ids(self) -> pl.Series:
        """Of the titles, in order."""
        return self.items.ids.values

    def coming(self, day: int) -> Array:
        """Rows of the titles that come on a day."""
        return np.flatnonzero(self.comes == day)

    def __len__(self) -> int:
        return len(self.items)
