"""The rank of each click, from 0, among those of its user or of its item: by time, else at random."""

import numpy as np
import polars as pl

from isotherm.linalg.csr import ranks_within, rows_of
from isotherm.types import Array, Int64, UserItems


def user_click_ranks(
    matrix: UserItems, rng: np.random.Generator, timestamps: pl.Series | None = None
) -> Int64:
    """(n_clicks,) rank of each click among its user's.  timestamps: one per click, or None."""
    return _ranks(rows_of(matrix), rng, timestamps)


def item_click_ranks(
    matrix: UserItems, rng: np.random.Generator, timestamps: pl.Series | None = None
) -> Int64:
    """(n_clicks,) rank of each click among its item's.  timestamps: one per click, or None."""
    return _ranks(matrix.indices, rng, timestamps)


def _ranks(groups: Array, rng: np.random.Generator, timestamps: pl.Series | None) -> Int64:
    """Ranks within groups; clicks of one moment in a random order."""
    lots = rng.random(len(groups))
    if timestamps is None:
        return ranks_within(groups, lots)
    return ranks_within(groups, timestamps.to_physical().to_numpy(), lots)
