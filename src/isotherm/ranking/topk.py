"""The k best items of each row of scores, on all cores.

One pass at memory speed: 64 scores at a time are compared with the worst score kept so far, and only a
chunk that beats it is looked at one by one. Ties go to the lower column, or to a seeded lot where the order
of columns must not help anybody; results never depend on threads.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.threads import run_bands

_CHUNK = 64


def top_k(
    scores: NDArray[np.float32],
    k: int,
    candidates: NDArray[np.bool_] | None = None,
    tie_seeds: NDArray[np.uint64] | None = None,
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Columns and scores of the k best items a row, best first.

    scores: (n_rows, n_items) float32; -inf means «never».  candidates: (n_items,) flags, None for all.
    tie_seeds: (n_rows,) one seed a row, from which lots are drawn among equal scores; None for the lower
    column first.
    Returns int32 and float32 arrays (n_rows, k); where fewer than k can be shown, column -1, score -inf.
    """
    n_rows, n_items = scores.shape
    penalty = np.zeros(n_items, dtype=np.float32)
    if candidates is not None:
        penalty[~candidates] = -np.inf
    columns = np.full((n_rows, k), -1, dtype=np.int32)
    best = np.full((n_rows, k), -np.inf, dtype=np.float32)
    drawn = tie_seeds is not None
    seeds = np.zeros(n_rows, dtype=np.uint64) if tie_seeds is None else tie_seeds
    run_bands(_top_k_rows, n_rows, scores, penalty, drawn, seeds, columns, best)
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
def _any_from(chunk, penalty, least):  # type: ignore[no-untyped-def]
    reached = np.int32(0)  # a sum of flags over a slice of known length compiles to vector compares
    for c in range(_CHUNK):
        reached += np.int32(chunk[c] + penalty[c] >= least)
    return reached > 0


@njit(nogil=True, cache=True)
def _lot(seed, column):  # type: ignore[no-untyped-def]
    """A number that looks random, the same for the same seed and column (splitmix64)."""
    z = seed + np.uint64(column + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit(nogil=True, cache=True)
def _top_k_rows(first, last, scores, penalty, drawn, seeds, columns, best):  # type: ignore[no-untyped-def]
    n_items, k = scores.shape[1], columns.shape[1]
    room = max(4 * k, _CHUNK)
    found, found_scores = np.empty(room, np.int32), np.empty(room, np.float32)
    lots = np.empty(room, np.uint64)  # among equal scores the lowest lot goes first
    smallest = np.nextafter(np.float32(-np.inf), np.float32(0))
    for u in range(first, last):
        row = scores[u]
        size, least = 0, smallest
        for start in range(0, n_items, _CHUNK):
            stop = start + _CHUNK
            if stop <= n_items and not _any_from(row[start:stop], penalty[start:stop], least):
                continue
            for c in range(start, min(stop, n_items)):
                score = row[c] + penalty[c]
                if score >= least:
                    if size == room:
                        worst = _keep_best(found, found_scores, lots, size, k)
                        # a later column loses every tie, but its lot may win one
                        least = worst if drawn else np.nextafter(worst, np.float32(np.inf))
                        size = k
                        if score < least:
                            continue
                    found[size], found_scores[size] = c, score
                    lots[size] = _lot(seeds[u], c) if drawn else np.uint64(c)
                    size += 1
        if size > k:
            _keep_best(found, found_scores, lots, size, k)
            size = k
        by_lot = np.argsort(lots[:size])
        order = by_lot[np.argsort(-found_scores[by_lot], kind="mergesort")]
        for rank in range(size):
            columns[u, rank] = found[order[rank]]
            best[u, rank] = found_scores[order[rank]]


@njit(nogil=True, cache=True)
def _keep_best(found, scores, lots, size, k):  # type: ignore[no-untyped-def]
    """Move the k best to the front; return the worst score among them."""
    worst = np.partition(scores[:size], size - k)[size - k]
    above = 0
    for i in range(size):
        above += scores[i] > worst
    tied = lots[:size][scores[:size] == worst]
    last_lot = np.partition(tied, k - above - 1)[k - above - 1]
    kept = 0
    for i in range(size):
        if scores[i] > worst or (scores[i] == worst and lots[i] <= last_lot):
            found[kept], scores[kept], lots[kept] = found[i], scores[i], lots[i]
            kept += 1
    return worst
