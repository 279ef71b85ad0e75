"""Chooses β: how loudly cold items speak among warm ones.

Some warm items are hidden whole and play new ones, and some clicks of the others are hidden too; then β is
what ranks both best in one list over all candidates. Warm scores do not depend on β and cold ones are
proportional to it, so one top-k list of each kind answers for every β at once.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data.interactions import row_blocks
from isotherm.models.base import block_size
from isotherm.models.catalogue import narrowed
from isotherm.progress import stage
from isotherm.ranking.metrics import ndcg, rank_hits
from isotherm.ranking.topk import hide, top_k

PSEUDO_COLD_SHARE = 0.2
HIDDEN_CLICKS_SHARE = 0.1
_K = 10
_MOST_USERS = 20_000
_GRID = 161
_DECADES = 2.0

Columns = Callable[[NDArray[Any], NDArray[Any], csr_array], tuple[NDArray[np.float32], NDArray[np.float32]]]


def best_beta(user_items: csr_array, columns: Columns, seed: int) -> float:
    """The β with the best ndcg@10 over all candidates.

    user_items: (n_users, n_items) CSR, every item clicked.
    columns: (kept items, hidden items, clicks on the kept ones) -> the warm weights (n_kept, n_kept) and
    the hidden items' columns (n_kept, n_hidden) at β = 1.
    """
    rng = np.random.default_rng(seed)
    n_items = user_items.shape[1]
    hidden = np.sort(rng.permutation(n_items)[: max(1, round(PSEUDO_COLD_SHARE * n_items))])
    held = np.isin(user_items.indices, hidden) | (rng.random(user_items.nnz) < HIDDEN_CLICKS_SHARE)
    train, targets = _only(user_items, ~held), _only(user_items, held)
    kept = np.flatnonzero(np.bincount(train.indices, minlength=n_items))
    if not len(kept):
        return 1.0
    with stage("choose beta on pseudo-cold items"):
        weights, cold_columns = columns(kept, hidden, narrowed(train, kept))
        tested = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(targets.indptr) > 0))
        if len(tested) > _MOST_USERS:
            tested = np.sort(rng.choice(tested, _MOST_USERS, replace=False))
        if not len(tested):
            return 1.0
        lists = _lists(narrowed(train[tested], kept), kept, hidden, weights, cold_columns)
        return _best(lists, targets[tested])


def _lists(
    histories: csr_array,
    kept: NDArray[Any],
    hidden: NDArray[Any],
    weights: NDArray[np.float32],
    cold_columns: NDArray[np.float32],
) -> tuple[NDArray[Any], NDArray[np.float32], NDArray[Any], NDArray[np.float32]]:
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
        cold_best, cold_top = top_k(cold_map.scores(block)[:, : len(hidden)], min(_K, len(hidden)))
        parts.append((np.where(warm_best < 0, -1, kept[warm_best]), warm_top, hidden[cold_best], cold_top))
    merged = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return merged[0], merged[1], merged[2], merged[3]


def _best(
    lists: tuple[NDArray[Any], NDArray[np.float32], NDArray[Any], NDArray[np.float32]], targets: csr_array
) -> float:
    warm_columns, warm_top, cold_columns, cold_top = lists
    level = np.median(np.abs(warm_top[:, 0])) / max(float(np.median(np.abs(cold_top[:, 0]))), 1e-12)
    candidates = np.concatenate([warm_columns, cold_columns], axis=1).astype(np.int32)
    hits = rank_hits(candidates, targets)
    n_targets = np.diff(targets.indptr)
    betas = max(float(level), 1e-12) * np.logspace(-_DECADES, _DECADES, _GRID)
    quality = []
    for beta in betas:
        scores = np.concatenate([warm_top, np.float32(beta) * cold_top], axis=1)
        order = np.argsort(-scores, axis=1, kind="stable")[:, :_K]
        quality.append(ndcg(np.take_along_axis(hits, order, axis=1), n_targets, _K).mean())
    best = np.flatnonzero(np.asarray(quality) >= max(quality) * (1 - 1e-3))
    return float(betas[best[len(best) // 2]])  # the middle of the plateau, not its luckiest point


def _only(user_items: csr_array, kept: NDArray[np.bool_]) -> csr_array:
    starts = np.concatenate([[0], np.cumsum(kept)])[user_items.indptr]
    return csr_array((user_items.data[kept], user_items.indices[kept], starts), shape=user_items.shape)
