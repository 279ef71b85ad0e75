"""The k best items of each row of scores, on all cores.

One pass at memory speed finds the largest score of every chunk of columns. The k-th largest of these bounds
the k-th best score from below, so only the few chunks that reach it are looked at one score at a time. Ties
go to the lower column, or to a seeded lot where the order of columns must not help anybody; results never
depend on threads.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from isotherm.errors import ScoreError
from isotherm.kernels import kernel
from isotherm.threads import run_bands
from isotherm.types import Array, Bools, Float32, Int32, Scores, UInt64, UserItems

_CHUNK = 64  # columns
_SIGNLESS = np.int32(0x7FFFFFFF)  # all bits of an int32 but the sign
_INFINITE = np.int32(0x7F800000)  # the key of inf
_NEVER = np.int32(-0x7F800001)  # the key of -inf
_ONE = np.int32(1)
_INSERTION_SIZE = 16  # codes that insertion sorts faster than partition


class TopK(NamedTuple):
    """The k best items of each row, best first.

    columns: (n_rows, k) int32.  scores: (n_rows, k) float32.  Where a row has fewer than k: -1 and -inf.
    """

    columns: Int32
    scores: Float32


def top_k(
    scores: Scores,
    k: int,
    candidates: Bools | None = None,
    tie_seeds: UInt64 | None = None,
) -> TopK:
    """Columns and scores of the k best items per row, best first.

    scores: (n_rows, n_items) float32; -inf means «never».  candidates: (n_items,) flags, None for all.
    tie_seeds: (n_rows,) one seed per row, from which lots are drawn among equal scores; None for the lower
    column first.
    Returns int32 and float32 arrays (n_rows, k); where fewer than k can be shown, column -1, score -inf.
    Raises ScoreError where a score is not a number.

    >>> import numpy as np
    >>> from isotherm.ranking.topk import top_k
    >>> top_k(np.array([[0.1, 0.7, 0.3]], dtype=np.float32), 2).columns
    array([[1, 2]], dtype=int32)
    """
    return top_k_each(scores, k, [candidates], tie_seeds)[0]


def top_k_each(
    scores: Scores,
    k: int,
    candidate_sets: Sequence[Bools | None],
    tie_seeds: UInt64 | None = None,
) -> list[TopK]:
    """``top_k`` for several sets of candidates while each row of scores is at hand."""
    n_rows, n_items = scores.shape
    caps = np.full((len(candidate_sets), n_items), _SIGNLESS, dtype=np.int32)
    for cap, candidates in zip(caps, candidate_sets, strict=True):
        if candidates is not None:
            cap[~candidates] = _NEVER
    columns = np.empty((len(candidate_sets), n_rows, k), dtype=np.int32)
    best = np.empty((len(candidate_sets), n_rows, k), dtype=np.float32)
    drawn = tie_seeds is not None
    seeds = np.zeros(n_rows, dtype=np.uint64) if tie_seeds is None else tie_seeds
    scores = np.ascontiguousarray(scores, dtype=np.float32)
    bits = scores.view(np.int32)
    if sum(run_bands(_top_k_rows, n_rows, scores, bits, caps, drawn, seeds, columns, best)):
        raise ScoreError("a score is not a number (NaN)")
    return [TopK(*lists) for lists in zip(columns, best, strict=True)]


def hide(scores: Scores, seen: UserItems) -> None:
    """Set the scores of the items in ``seen`` (the same shape, CSR) to -inf, in place."""
    run_bands(_hide_rows, scores.shape[0], scores, seen.indptr, seen.indices, smallest=64)


@kernel
def _hide_rows(first: int, last: int, scores: Array, starts: Array, items: Array) -> None:
    for u in range(first, last):
        for p in range(starts[u], starts[u + 1]):
            scores[u, items[p]] = -np.inf


@kernel
def _top_k_rows(
    first: int,
    last: int,
    scores: Array,
    bits: Array,
    caps: Array,
    drawn: bool,
    seeds: Array,
    columns: Array,
    best: Array,
) -> int:
    """Fill rows of ``columns`` and ``best``; return how many scores are not numbers."""
    n_items, k = scores.shape[1], columns.shape[2]
    capacity = max(4 * k, _CHUNK)
    kept, codes = np.empty(capacity, np.int32), np.empty(capacity, np.uint64)
    scratch = np.empty(capacity, np.uint64)
    largest, bounds = np.empty(n_items // _CHUNK, np.int32), np.empty(n_items // _CHUNK, np.uint64)
    edges = np.empty(64, np.int64)
    not_numbers = 0
    for u in range(first, last):
        not_numbers += _not_numbers(bits[u])
        for s in range(len(caps)):
            least = _least_key(bits[u], caps[s], k, largest, bounds)
            size = _collect(bits[u], caps[s], k, least, drawn, seeds[u], largest, kept, codes, scratch)
            _sort(kept, codes, edges, size)
            for rank in range(size):
                columns[s, u, rank] = kept[rank]
                best[s, u, rank] = scores[u, kept[rank]]
            for rank in range(size, k):
                columns[s, u, rank], best[s, u, rank] = -1, -np.inf
    return not_numbers


@kernel
def _least_key(bits: Array, cap: Array, k: int, largest: Array, bounds: Array) -> Any:
    """A key that the k best reach: the k-th largest of the chunks' largest keys, which ``largest`` takes."""
    for chunk in range(len(largest)):
        inside = slice(chunk * _CHUNK, (chunk + 1) * _CHUNK)
        largest[chunk] = _largest(bits[inside], cap[inside])
    least = _NEVER + _ONE
    if len(largest) >= k:
        for chunk in range(len(largest)):
            bounds[chunk] = _code(largest[chunk], 0)
        least = max(least, _key_of(_select(bounds, len(largest), k - 1)))
    return least


@kernel
def _collect(
    bits: Array,
    cap: Array,
    k: int,
    least: Any,
    drawn: bool,
    seed: Any,
    largest: Array,
    kept: Array,
    codes: Array,
    scratch: Array,
) -> Any:
    """Put the columns and codes of the k best first in ``kept`` and ``codes``; return how many they are."""
    size: Any = np.int64(0)  # a bare 0 would be a type of its own, and compiled for
    for chunk in range(len(largest) + 1):
        if chunk < len(largest) and largest[chunk] < least:
            continue
        for c in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, len(bits))):
            key = min(_key(bits[c]), cap[c])
            if key >= least:
                if size == len(kept):
                    worst = _keep_best(kept, codes, scratch, size, k)
                    least = worst if drawn else worst + _ONE  # a later column's lot may win a tie
                    size = k
                    if key < least:
                        continue
                kept[size] = c
                codes[size] = _code(key, _lot(seed, c) if drawn else c)
                size += 1
    if size > k:
        _keep_best(kept, codes, scratch, size, k)
        size = k
    return size


@kernel
def _key(bits: Any) -> Any:
    """A whole number in the order of the float32 with these bits: compilers vectorize its maximum."""
    # each step is cast back to 32 bits: numba would widen it, and halve what a vector holds
    key = np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & _SIGNLESS))
    return np.int32(key + np.int32(key == np.int32(-1)))  # -0.0 is as good as 0.0


@kernel
def _not_numbers(bits: Array) -> Any:
    count = np.int32(0)
    for c in range(len(bits)):
        count += np.int32((bits[c] & _SIGNLESS) > _INFINITE)
    return count


@kernel
def _largest(bits: Array, cap: Array) -> Any:
    top = _NEVER
    for c in range(_CHUNK):
        top = max(top, min(_key(bits[c]), cap[c]))
    return top


@kernel
def _lot(seed: Any, column: int) -> Any:
    """32 bits that look random, the same for the same seed and column (splitmix64)."""
    z = seed + np.uint64(column + 1) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z >> np.uint64(32)


@kernel
def _code(key: Any, lot: Any) -> Any:
    """The order of the answer in one whole number: higher keys first, then lower lots."""
    return (np.uint64(np.int64(_INFINITE) - np.int64(key)) << np.uint64(32)) | np.uint64(lot)


@kernel
def _key_of(code: Any) -> Any:
    return np.int32(np.int64(_INFINITE) - np.int64(code >> np.uint64(32)))


@kernel
def _keep_best(kept: Array, codes: Array, scratch: Array, size: int, k: int) -> Any:
    """Move the k best to the front, in the order of columns; return the worst key among them."""
    for i in range(size):
        scratch[i] = codes[i]
    last = _select(scratch, size, k - 1)
    equal, n_kept = 0, 0
    for i in range(k):
        equal += scratch[i] == last
    for i in range(size):
        if codes[i] < last or (codes[i] == last and equal > 0):
            equal -= codes[i] == last
            kept[n_kept], codes[n_kept] = kept[i], codes[i]
            n_kept += 1
    return _key_of(last)


# Written out below: numba takes seconds to compile NumPy's partition and argsort.


@kernel
def _select(codes: Array, size: int, rank: int) -> Any:
    """The code that a sort would put at ``rank``; lower ones move before it (Hoare 1961, find)."""
    low: Any = np.int64(0)
    high = size - 1
    while low < high:
        pivot = codes[_pivot_index(low, high)]
        i, j = low, high
        while i <= j:
            while codes[i] < pivot:
                i += 1
            while codes[j] > pivot:
                j -= 1
            if i <= j:
                codes[i], codes[j] = codes[j], codes[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return codes[rank]


@kernel
def _sort(kept: Array, codes: Array, edges: Array, size: int) -> None:
    """Sort the first codes, and ``kept`` with them; among equal codes the lower column comes first.

    edges: (64,) int64, for the ranges that still wait (Hoare 1962, quicksort; then by insertion).
    """
    waiting = 0
    low: Any = np.int64(0)
    high = size - 1
    while True:
        while high - low > _INSERTION_SIZE:
            pivot = codes[_pivot_index(low, high)]
            i, j = low, high
            while i <= j:
                while codes[i] < pivot:
                    i += 1
                while codes[j] > pivot:
                    j -= 1
                if i <= j:
                    codes[i], codes[j] = codes[j], codes[i]
                    kept[i], kept[j] = kept[j], kept[i]
                    i += 1
                    j -= 1
            if j - low < high - i:  # the longer range waits, so that 64 edges are always enough
                edges[waiting], edges[waiting + 1] = i, high
                high = j
            else:
                edges[waiting], edges[waiting + 1] = low, j
                low = i
            waiting += 2
        if waiting == 0:
            break
        waiting -= 2
        low, high = edges[waiting], edges[waiting + 1]
    for i in range(1, size):
        code, column = codes[i], kept[i]
        j = i
        while j > 0 and (codes[j - 1] > code or (codes[j - 1] == code and kept[j - 1] > column)):
            codes[j], kept[j] = codes[j - 1], kept[j - 1]
            j -= 1
        codes[j], kept[j] = code, column


@kernel
def _pivot_index(low: int, high: int) -> Any:
    """An index from low to high that no order of the items makes a bad pivot again and again."""
    return low + ((low * 31 + high) * 40503 >> 4) % (high - low + 1)
