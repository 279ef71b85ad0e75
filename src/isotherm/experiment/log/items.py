"""What was shown and clicked of each item in each arm."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.types import Bools, Float64, Int64


@dataclass(frozen=True, eq=False)
class ItemSums:
    """Impressions and clicks of items, by arm. Flagged users (bots, several arms) are left out."""

    ids: pl.Series  #: (n_items,) ascending
    impressions: Float64  #: (n_items, n_arms)
    clicks: Float64  #: (n_items, n_arms) on impressions
    cold_impressions: Float64  #: (n_items, n_arms) while the item was cold
    cold_clicks: Float64  #: (n_items, n_arms) on impressions while the item was cold
    #: for each arm, distinct items shown to each of its random groups of users, all of one size
    covered: tuple[Int64, ...] = ()

    @property
    def cold(self) -> Bools:
        """(n_items,) which were cold in any impression."""
        return np.asarray(self.cold_impressions.any(axis=1))

    @property
    def coverage(self) -> Int64:
        """(n_arms,) distinct items shown."""
        return np.asarray(np.count_nonzero(self.impressions, axis=0), dtype=np.int64)
