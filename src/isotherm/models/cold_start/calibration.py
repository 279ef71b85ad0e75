"""Pseudo-cold items: what a model that must rank brand-new items can learn from the ones it has.

Some warm items are hidden whole and play new ones, and some clicks of the others are hidden too. What ranks
them best is chosen: β, how loudly cold items speak among warm ones, and whatever else a model leaves open.
Warm scores do not depend on β and cold ones are proportional to it, so one top-k list of each kind answers
for every β at once.

A cold score is a sum over the history, so it is lower where clicks and items are hidden. What carries over
is the level of cold scores beside warm ones: it is learned on the hidden part and met again with all clicks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.csr import filter_entries, row_blocks, select_columns
from isotherm.linalg.products import products
from isotherm.models.base import block_size
from isotherm.ranking.metrics import ndcg, rank_hits
from isotherm.ranking.topk import hide, top_k
from isotherm.types import Bools, Float32, Int32, Int64

HIDDEN_SHARE = 0.2  # of items, and of the other items' clicks: hidden clicks of both kinds count alike
K = 10
_MOST_USERS = 10_000
_GRID = 161
_DECADES = 2.0

Best = tuple[Int32, Float32]  #: (n_users, K) item columns, -1 for none, and scores


@dataclass(frozen=True)
class PseudoCold:
    """A seeded draw of hidden items and clicks.

    hidden, kept: item columns; kept ones still have a click.  train: (n_users, n_items) CSR, the clicks left.
    tested: the users with clicks left and clicks hidden (a sample of many).  targets: their hidden clicks.
    """

    hidden: Int64
    kept: Int64
    train: csr_array
    tested: Int64
    targets: csr_array

    @classmethod
    def drawn(cls, user_items: csr_array, seed: int, most_users: int = _MOST_USERS) -> "PseudoCold | None":
        """From (n_users, n_items) CSR where every item is clicked; None where no user can be tested."""
        rng = np.random.default_rng(seed)
        n_items = user_items.shape[1]
        hidden = np.sort(rng.permutation(n_items)[: max(1, round(HIDDEN_SHARE * n_items))])
        held = np.isin(user_items.indices, hidden) | (rng.random(user_items.nnz) < HIDDEN_SHARE)
        train, targets = filter_entries(user_items, ~held), filter_entries(user_items, held)
        kept = np.flatnonzero(np.bincount(train.indices, minlength=n_items))
        tested = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(targets.indptr) > 0))
        if not len(tested):
            return None
        if len(tested) > most_users:
            tested = np.sort(rng.choice(tested, most_users, replace=False))
        return cls(hidden, kept, train, tested, targets[tested])

    @property
    def clicks(self) -> csr_array:
        """(n_users, n_kept) CSR, what a model is fitted on."""
        return select_columns(self.train, self.kept)

    @property
    def histories(self) -> csr_array:
        """(n_tested, n_kept) CSR."""
        return select_columns(self.train[self.tested], self.kept)


def best(histories: csr_array, weights: Float32, items: Int64, seen: bool = False) -> Best:
    """The K best of ``items`` for each history: (n_users, n_rows) CSR times weights (n_rows, n_columns).

    items: (n_columns,) what the columns stand for.  seen: they are the rows' items; hide the clicked ones.
    """
    weights = np.ascontiguousarray(weights)
    return best_by(lambda block: products(block, weights), histories, items, seen)


def best_by(
    scores: Callable[[csr_array], Float32],
    histories: csr_array,
    items: Int64,
    seen: bool = False,
) -> Best:
    """The same by any scores (n_users, n_items) of a block of histories."""
    parts: list[Best] = []
    for block in row_blocks(histories, block_size(histories.shape[1])):
        found = np.ascontiguousarray(scores(block))
        if seen:
            hide(found, block)
        places, top = top_k(found, min(K, found.shape[1]))
        parts.append((np.where(places < 0, -1, items[places]).astype(np.int32), top))
    chosen, tops = zip(*parts, strict=True)
    return np.concatenate(chosen), np.concatenate(tops)


def loudness(targets: csr_array, warm: Best, cold: Best) -> tuple[float, float]:
    """How loud cold scores should be, in units of their ``level``, for the best ndcg@10 over all; that ndcg.

    targets: the hidden clicks of the tested users.  warm, cold: their lists.
    """
    grid, unit = np.logspace(-_DECADES, _DECADES, _GRID), level(warm, cold)
    hits, n_targets = _hits(targets, warm, cold), np.diff(targets.indptr)
    quality = np.array([_mixed(hits, n_targets, warm, cold, factor * unit) for factor in grid])
    plateau = np.flatnonzero(quality >= quality.max() * (1 - 1e-3))
    middle = plateau[len(plateau) // 2]  # the middle of the plateau, not its luckiest point
    return float(grid[middle]), float(quality[middle])


def mixed_quality(targets: csr_array, warm: Best, cold: Best) -> float:
    """ndcg@10 over all candidates, scores taken as they are."""
    return _mixed(_hits(targets, warm, cold), np.diff(targets.indptr), warm, cold, 1.0)


def _hits(targets: csr_array, warm: Best, cold: Best) -> Bools:
    return rank_hits(np.concatenate([warm[0], cold[0]], axis=1), targets)


def _mixed(hits: Bools, n_targets: Int64, warm: Best, cold: Best, factor: float) -> float:
    """ndcg@10 of both lists merged, cold scores taken ``factor`` times."""
    scores = np.concatenate([warm[1], np.float32(factor) * cold[1]], axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :K]
    return float(ndcg(np.take_along_axis(hits, order, axis=1), n_targets, K).mean())


def level(warm: Best, cold: Best) -> float:
    """How high the best warm items score beside the best cold ones."""
    both = np.isfinite(warm[1][:, 0]) & np.isfinite(cold[1][:, 0])  # some users have seen every warm item
    if not both.any():
        return 1.0
    warm_level, cold_level = (float(np.median(np.abs(top[both, 0]))) for _, top in (warm, cold))
    return max(warm_level, 1e-12) / max(cold_level, 1e-12)


def ranking_quality(scores: Float32, targets: csr_array) -> float:
    """Mean ndcg@10 of (n_users, n_items) scores; users without targets do not count."""
    if not targets.nnz:
        return 0.0
    columns, _ = top_k(np.ascontiguousarray(scores), min(K, scores.shape[1]))
    n_targets = np.diff(targets.indptr)
    return float(ndcg(rank_hits(columns, targets), n_targets, K)[n_targets > 0].mean())
