"""The rank of each click, from 0, among those of its user or of its item: by time, else at random."""

import numpy as np
import polars as pl

from isotherm.linalg.csr import ranks_within, rows_of
from isotherm.types import Array, Bools, Int64, UserItems


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


def earlier_clicks(matrix: UserItems, times: Array, share: float) -> Bools:
    """(n_clicks,) which clicks are the earlier ``share`` of their user's, at least one and never all.

    Clicks of one moment stay together, so the share is met as closely as they allow; a user whose clicks all
    came at one moment has no earlier ones.  times: (n_clicks,).
    """
    users = rows_of(matrix)
    order = np.lexsort((times, users))
    user, moment = users[order], times[order]
    n_clicks = np.diff(matrix.indptr)
    position = np.arange(matrix.nnz) - matrix.indptr[:-1][user]
    wanted = np.clip(np.rint(share * n_clicks), 1, np.maximum(n_clicks - 1, 1))[user]
    new_moment = (position > 0) & (moment != np.roll(moment, 1))
    distance = 2 * np.abs(position - wanted) + (position > wanted)  # the shorter history of two as close
    closest = np.full(matrix.shape[0], np.inf)
    np.minimum.at(closest, user[new_moment], distance[new_moment])
    chosen = new_moment & (distance == closest[user])
    n_earlier = np.zeros(matrix.shape[0], dtype=np.int64)
    n_earlier[user[chosen]] = position[chosen]
    earlier = np.empty(matrix.nnz, dtype=bool)
    earlier[order] = position < n_earlier[user]
    return earlier


def _ranks(groups: Array, rng: np.random.Generator, timestamps: pl.Series | None) -> Int64:
    """Ranks within groups; clicks of one moment in a random order."""
    lots = rng.random(len(groups))
    if timestamps is None:
        return ranks_within(groups, lots)
    return ranks_within(groups, timestamps.to_physical().to_numpy(), lots)
