"""Ranking metrics: pure functions on hits, one value per user, and on lists, one value per model.

hits: (n_users, k_max) bool, true where the item at that rank is one of the user's targets.
n_targets: (n_users,) how many targets each user has, at least 1.
"""

from collections.abc import Callable

import numpy as np

from isotherm.kernels import kernel
from isotherm.threads import run_bands
from isotherm.types import Array, Bools, Float64, Int32, Int64, UserItems

Hits = Bools  #: (n_users, k_max)
Counts = Int64  #: (n_users,) or (n_items,)
PerUser = Float64  #: (n_users,)


def rank_hits(columns: Int32, targets: UserItems) -> Hits:
    """Which recommended columns (n_users, k; -1 for none) are targets (n_users × n_items, sorted CSR)."""
    hits = np.zeros(columns.shape, dtype=np.bool_)
    run_bands(_mark_hits, len(columns), columns, targets.indptr, targets.indices, hits, smallest=256)
    return hits


def capped_recall(hits: Hits, n_targets: Counts, k: int) -> PerUser:
    """hr@k: hits in the top k / min(k, targets) (MARec; the Recall@k of the VAE papers)."""
    return np.asarray(hits[:, :k].sum(axis=1) / np.minimum(k, n_targets))


def hit_rate(hits: Hits, n_targets: Counts, k: int) -> PerUser:
    """hit_rate@k: 1 where any of the top k is a hit, else 0."""
    return np.asarray(hits[:, :k].any(axis=1), dtype=np.float64)


def recall(hits: Hits, n_targets: Counts, k: int) -> PerUser:
    """recall@k: hits in the top k / targets."""
    return np.asarray(hits[:, :k].sum(axis=1) / n_targets)


def ndcg(hits: Hits, n_targets: Counts, k: int) -> PerUser:
    """ndcg@k with binary gains 1 / log2(rank + 1); the ideal list is cut at min(k, targets)."""
    longest = min(k, max(hits.shape[1], int(n_targets.max(initial=1))))  # a longer list gains nothing
    gains = 1 / np.log2(np.arange(2, longest + 2))
    ideal = np.cumsum(gains)[np.minimum(k, n_targets) - 1]
    top = hits[:, :k]
    return np.asarray(top @ gains[: top.shape[1]] / ideal)


def reciprocal_rank(hits: Hits, n_targets: Counts, k: int) -> PerUser:
    """mrr@k: 1 / rank of the first hit in the top k, 0 without one."""
    first = hits[:, :k].argmax(axis=1)
    return np.where(hits[:, :k].any(axis=1), 1 / (first + 1), 0.0)


def average_precision(hits: Hits, n_targets: Counts, k: int) -> PerUser:
    """map@k: precision at each hit's rank, summed, / min(k, targets)."""
    top = hits[:, :k]
    precision = np.cumsum(top, axis=1) / np.arange(1, top.shape[1] + 1)
    return np.asarray((precision * top).sum(axis=1) / np.minimum(k, n_targets))


USER_METRICS: dict[str, Callable[[Hits, Counts, int], PerUser]] = {
    "hr": capped_recall,
    "ndcg": ndcg,
    "hit_rate": hit_rate,
    "recall": recall,
    "mrr": reciprocal_rank,
    "map": average_precision,
}


def self_information(item_clicks: Counts, n_users: int) -> Float64:
    """(n_items,) -log2 of the share of users who clicked an item, one click added: new items stay finite."""
    return -np.log2((item_clicks + 1) / (n_users + 1))


def novelty(columns: Int32, information: Float64) -> PerUser:
    """Mean self-information (bits) of each user's list; higher means less obvious items."""
    shown = columns >= 0
    values = np.where(shown, information[columns], 0.0)
    return np.asarray(values.sum(axis=1) / np.maximum(shown.sum(axis=1), 1))


def share_in_lists(columns: Int32, items: Bools) -> PerUser:
    """Share of each user's list that is one of ``items`` (n_items,); 0 where a list is empty."""
    shown = columns >= 0
    return np.asarray((shown & items[columns]).sum(axis=1) / np.maximum(shown.sum(axis=1), 1))


def exposure(columns: Int32, n_items: int) -> Counts:
    """How many lists hold each item, (n_items,)."""
    return np.bincount(columns[columns >= 0], minlength=n_items)


def coverage(counts: Counts) -> float:
    """Share of the candidates that stand in at least one list."""
    return float((counts > 0).mean())


def gini(counts: Counts) -> float:
    """Gini index of the candidates' exposure: 0 all alike, near 1 a few items take all."""
    n, total = len(counts), counts.sum()
    if not total:
        return 0.0
    return float((2 * np.arange(1, n + 1) - n - 1) @ np.sort(counts) / (n * total))


@kernel
def _mark_hits(first: int, last: int, columns: Array, starts: Array, items: Array, hits: Array) -> None:
    for u in range(first, last):
        for rank in range(columns.shape[1]):
            low, high = starts[u], starts[u + 1]
            while low < high:  # the first target that is not below the column
                middle = (low + high) // 2
                if items[middle] < columns[u, rank]:
                    low = middle + 1
                else:
                    high = middle
            hits[u, rank] = low < starts[u + 1] and items[low] == columns[u, rank]
