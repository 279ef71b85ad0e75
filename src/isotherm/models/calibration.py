"""Chooses β: how loudly cold items speak among warm ones.

Some warm items are hidden whole and play new ones, and some clicks of the others are hidden too; then β is
what ranks both best in one list over all candidates. Warm scores do not depend on β and cold ones are
proportional to it, so one top-k list of each kind answers for every β at once.

A cold score is a sum over the history, so it is lower where clicks and items are hidden. What carries over
is the level of cold scores beside warm ones: it is learned on the hidden part and met again with all clicks.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data.interactions import row_blocks, with_entries
from isotherm.models.base import block_size
from isotherm.models.catalogue import narrowed
from isotherm.progress import stage
from isotherm.ranking.metrics import ndcg, rank_hits
from isotherm.ranking.topk import hide, top_k

HIDDEN_SHARE = 0.2  # of items, and of the other items' clicks: hidden clicks of both kinds count alike
_K = 10
_MOST_USERS = 10_000
_GRID = 161
_DECADES = 2.0

Lists = tuple[NDArray[Any], NDArray[np.float32], NDArray[Any], NDArray[np.float32]]
Part = tuple[NDArray[np.float32], NDArray[np.float32]]


def best_beta(
    user_items: csr_array,
    fitted: Callable[[NDArray[Any]], Part],
    refitted: Callable[[NDArray[Any], NDArray[Any], csr_array], Part],
    seed: int,
) -> float:
    """The β with the best ndcg@10 over all candidates.

    user_items: (n_users, n_items) CSR, every item clicked.
    fitted: (hidden items) -> the weights (n_items, n_items) with all clicks, and the hidden items' columns
    (n_items, n_hidden) at β = 1, as if nobody had clicked them.
    refitted: (kept items, hidden items, clicks on the kept ones) -> the same without the hidden clicks.
    """
    rng = np.random.default_rng(seed)
    n_items = user_items.shape[1]
    hidden = np.sort(rng.permutation(n_items)[: max(1, round(HIDDEN_SHARE * n_items))])
    held = np.isin(user_items.indices, hidden) | (rng.random(user_items.nnz) < HIDDEN_SHARE)
    train, targets = with_entries(user_items, ~held), with_entries(user_items, held)
    kept = np.flatnonzero(np.bincount(train.indices, minlength=n_items))
    tested = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(targets.indptr) > 0))
    if not len(tested):
        return 1.0
    if len(tested) > _MOST_USERS:
        tested = np.sort(rng.choice(tested, _MOST_USERS, replace=False))
    with stage("choose beta on pseudo-cold items"):
        part = refitted(kept, hidden, narrowed(train, kept))
        lists = _lists(narrowed(train[tested], kept), kept, hidden, *part)
        loudness = _best(lists, targets[tested])
        return loudness * _level(_lists(user_items[tested], np.arange(n_items), hidden, *fitted(hidden)))


def _lists(
    histories: csr_array,
    kept: NDArray[Any],
    hidden: NDArray[Any],
    weights: NDArray[np.float32],
    cold_columns: NDArray[np.float32],
) -> Lists:
    """The k best warm and the k best cold items of each user, with their scores at β = 1."""
    from isotherm.models.item_item import DenseWeights

    rows = np.arange(len(kept))
    warm_map = DenseWeights(len(kept), rows, [(rows, weights)])
    cold_map = DenseWeights(
        max(len(kept), len(hidden)), rows, [(np.arange(len(hidden)), np.ascontiguousarray(cold_columns))]
    )
    parts: list[tuple[Any, ...]] = []
    for block in row_blocks(histories, block_size(len(kept))):
        warm_scores = warm_map.scores(block)
        hide(warm_scores, block)
        warm_best, warm_top = top_k(warm_scores, min(_K, len(kept)))
        cold_scores = np.ascontiguousarray(cold_map.scores(block)[:, : len(hidden)])
        cold_best, cold_top = top_k(cold_scores, min(_K, len(hidden)))
        parts.append((np.where(warm_best < 0, -1, kept[warm_best]), warm_top, hidden[cold_best], cold_top))
    merged = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return merged[0], merged[1], merged[2], merged[3]


def _level(lists: Lists) -> float:
    """How high the best warm items score beside the best cold ones at β = 1."""
    _, warm_top, _, cold_top = lists
    both = np.isfinite(warm_top[:, 0]) & np.isfinite(cold_top[:, 0])  # some users have seen every warm item
    if not both.any():
        return 1.0
    warm, cold = (float(np.median(np.abs(top[both, 0]))) for top in (warm_top, cold_top))
    return max(warm, 1e-12) / max(cold, 1e-12)


def _best(lists: Lists, targets: csr_array) -> float:
    """The best β in units of the level of ``lists``."""
    warm_columns, warm_top, cold_columns, cold_top = lists
    candidates = np.concatenate([warm_columns, cold_columns], axis=1).astype(np.int32)
    hits = rank_hits(candidates, targets)
    n_targets = np.diff(targets.indptr)
    grid, level = np.logspace(-_DECADES, _DECADES, _GRID), _level(lists)
    quality = []
    for loudness in grid:
        scores = np.concatenate([warm_top, np.float32(loudness * level) * cold_top], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :_K]
        quality.append(ndcg(np.take_along_axis(hits, order, axis=1), n_targets, _K).mean())
    best = np.flatnonzero(np.asarray(quality) >= max(quality) * (1 - 1e-3))
    return float(grid[best[len(best) // 2]])  # the middle of the plateau, not its luckiest point
