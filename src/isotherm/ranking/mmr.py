"""Maximal marginal relevance (Carbonell and Goldstein 1998): items that are good and unlike each other."""

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel
from isotherm.ranking.topk import TopK
from isotherm.threads import run_bands
from isotherm.types import Array


def rerank(pools: TopK, k: int, directions: csr_array, diversity: float, unknown: float) -> TopK:
    """The k items of each pool, chosen one by one for (1 − d) · relevance − d · similarity to the chosen.

    pools: columns and scores (n_rows, n_pool), best first, -1 for none.  directions: (n_items, n_values) CSR
    float32, rows of unit length, or zero for an item without metadata, whose cosine with any other is taken
    as ``unknown``.  diversity: d in [0, 1].
    Relevance is the score, moved to run from 0 to 1 over the pool; similarity is the largest cosine with an
    item chosen before. Among equals the better one of the pool is chosen.
    Returns columns and scores (n_rows, min(k, n_pool)); the scores are those of the pool.
    """
    columns, scores = pools
    k = min(k, columns.shape[1])
    chosen = np.full((len(columns), k), -1, dtype=np.int32)
    run_bands(
        _choose, len(columns), columns, scores, directions.indptr, directions.indices, directions.data,
        directions.shape[1], diversity, unknown, chosen, smallest=8,
    )  # fmt: skip
    shown = np.maximum(chosen, 0)
    best = np.where(chosen < 0, np.float32(-np.inf), np.take_along_axis(scores, shown, axis=1))
    return TopK(np.where(chosen < 0, np.int32(-1), np.take_along_axis(columns, shown, axis=1)), best)


@kernel
def _choose(
    first: int,
    last: int,
    columns: Array,
    scores: Array,
    starts: Array,
    values: Array,
    weights: Array,
    n_values: int,
    diversity: float,
    unknown: float,
    chosen: Array,
) -> None:
    """Fill rows of ``chosen``, (n_rows, k), with indices into the pools."""
    n_pool, k = columns.shape[1], chosen.shape[1]
    direction = np.zeros(n_values)  # of the item chosen last, dense
    relevance, similarity, taken = np.empty(n_pool), np.empty(n_pool), np.empty(n_pool, np.bool_)
    for u in range(first, last):
        n = 0
        while n < n_pool and columns[u, n] >= 0:
            n += 1
        _fill_relevance(scores[u, :n], relevance)
        for i in range(n):
            similarity[i] = 0.0
            taken[i] = False
        for rank in range(min(k, n)):
            best, highest = -1, -np.inf
            for i in range(n):
                value = (1 - diversity) * relevance[i] - diversity * similarity[i]
                if not taken[i] and value > highest:
                    best, highest = i, value
            chosen[u, rank] = best
            taken[best] = True
            _raise_similarity(
                best, columns[u, :n], taken, starts, values, weights, unknown, direction, similarity
            )


@kernel
def _fill_relevance(scores: Array, relevance: Array) -> None:
    """Scores, best first, moved to run from 0 to 1; 0 where all are equal."""
    n = len(scores)
    height = float(scores[0]) - float(scores[n - 1]) if n else 0.0
    for i in range(n):
        relevance[i] = (float(scores[i]) - float(scores[n - 1])) / height if height > 0 else 0.0


@kernel
def _raise_similarity(
    newest: int,
    columns: Array,
    taken: Array,
    starts: Array,
    values: Array,
    weights: Array,
    unknown: float,
    direction: Array,
    similarity: Array,
) -> None:
    """Raise the similarity of each item not taken to its cosine with the newest; ``direction`` is scratch."""
    a, b = starts[columns[newest]], starts[columns[newest] + 1]
    for p in range(a, b):
        direction[values[p]] = weights[p]
    for i in range(len(columns)):
        if not taken[i]:
            c, d = starts[columns[i]], starts[columns[i] + 1]
            cosine = unknown if a == b or c == d else 0.0
            for p in range(c, d):
                cosine += weights[p] * direction[values[p]]
            similarity[i] = max(similarity[i], cosine)
    for p in range(a, b):
        direction[values[p]] = 0.0
