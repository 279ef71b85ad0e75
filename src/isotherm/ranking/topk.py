"""The k best items of each row of scores, on all cores.

One pass at memory speed: 64 scores at a time are compared with the worst score kept so far, and only a
chunk that beats it is looked at one by one. Ties go to the lower column, so results never depend on threads.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.threads import run_bands

_CHUNK = 64


def top_k(
    scores: NDArray[np.float32], k: int, candidates: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Columns and scores of the k best items a row, best first.

    scores: (n_rows, n_items) float32; -inf means «never».  candidates: (n_items,) flags, None for all.
    Returns int32 and float32 arrays (n_rows, k); where fewer than k can be shown, column -1, score -inf.
    """
    n_rows, n_items = scores.shape
    penalty = np.zeros(n_items, dtype=np.float32)
    if candidates is not None:
        penalty[~candidates] = -np.inf
    columns = np.full((n_rows, k), -1, dtype=np.int32)
    best = np.full((n_rows, k), -np.inf, dtype=np.float32)
    run_bands(_top_k_rows, n_rows, scores, penalty, columns, best)
    return columns, best


def hide(scores: NDArray[np.float32], seen: csr_array) -> None:
    """Set the scores of the items in ``seen`` (the same shape, CSR) to -inf, in place."""
    run_bands(_hide_rows, scores.shape[0], scores, seen.indptr, seen.indices, smallest=64)


@njit(nogil=True, cache=True)
def _hide_rows(first, last, scores, starts, items):  # type: ignore[no-untyped-def]
    for u in range(first, last):
        for p in range(starts[u], starts[u + 1]):
            scores[u, items[p]] = -np.inf


@njit(nogil=True, cache=True)
def _any_above(chunk, penalty, worst):  # type: ignore[no-untyped-def]
    above = np.int32(0)  # a sum of flags over a slice of known length compiles to vector compares
    for c in range(_CHUNK):
        above += np.int32(chunk[c] + penalty[c] > worst)
    return above > 0


@njit(nogil=True, cache=True)
def _top_k_rows(first, last, scores, penalty, columns, best):  # type: ignore[no-untyped-def]
    n_items, k = scores.shape[1], columns.shape[1]
    room = max(4 * k, _CHUNK)
    found, found_scores = np.empty(room, np.int32), np.empty(room, np.float32)
    for u in range(first, last):
        row = scores[u]
        size, worst = 0, np.float32(-np.inf)
        for start in range(0, n_items, _CHUNK):
            stop = start + _CHUNK
            if stop <= n_items and not _any_above(row[start:stop], penalty[start:stop], worst):
                continue
            for c in range(start, min(stop, n_items)):
                score = row[c] + penalty[c]
                if score > worst:
                    if size == room:
                        worst = _keep_best(found, found_scores, size, k)
                        size = k
                        if score <= worst:
                            continue
                    found[size], found_scores[size] = c, score
                    size += 1
        if size > k:
            _keep_best(found, found_scores, size, k)
            size = k
        order = np.argsort(-found_scores[:size], kind="mergesort")  # stable: found is in column order
        for rank in range(size):
            columns[u, rank] = found[order[rank]]
            best[u, rank] = found_scores[order[rank]]


@njit(nogil=True, cache=True)
def _keep_best(found, scores, size, k):  # type: ignore[no-untyped-def]
    """Move the k best to the front, in column order; return the worst score among them."""
    worst = np.partition(scores[:size], size - k)[size - k]
    above = 0
    for i in range(size):
        above += scores[i] > worst
    ties = k - above
    kept = 0
    for i in range(size):
        if scores[i] > worst or (scores[i] == worst and ties > 0):
            ties -= scores[i] == worst
            found[kept], scores[kept] = found[i], scores[i]
            kept += 1
    return worst
