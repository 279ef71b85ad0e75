"""The k best items of each row of scores, on all cores.

One pass at memory speed finds the largest score of every chunk of columns. The k-th largest of these bounds
the k-th best score from below, so only the few chunks that reach it are looked at one score at a time. Ties
go to the lower column, or to a seeded lot where the order of columns must not help anybody; results never
depend on threads.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from isotherm.errors import ScoreError
from isotherm.kernels import kernel
from isotherm.threads import run_bands
from isotherm.types import Array, Bools, Float32, Int32, UInt64

_CHUNK = 64
_SIGNLESS = np.int32(0x7FFFFFFF)
_ONE = np.int32(1)
_FEW = 16


class TopK(NamedTuple):
    """The k best items of each row, best first.

    columns: (n_rows, k) int32.  scores: (n_rows, k) float32.  Where a row has fewer than k: -1 and -inf.
    """

    columns: Int32
    scores: Float32


def top_k(
    scores: Float32,
    k: int,
    candidates: Bools | None = None,
    tie_seeds: UInt64 | None = None,
) -> TopK:
    """Columns and scores of the k best items a row, best first.

    scores: (n_rows, n_items) float32; -inf means «never».  candidates: (n_items,) flags, None for all.
    tie_seeds: (n_rows,) one seed a row, from which lots are drawn among equal scores; None for the lower
    column first.
    Returns int32 and float32 arrays (n_rows, k); where fewer than k can be shown, column -1, score -inf.
    Raises ScoreError where a score is not a number.
    """
    return top_k_each(scores, k, [candidates], tie_seeds)[0]


def top_k_each(
    scores: Float32,
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
    columns = np.full((len(candidate_sets), n_rows, k), -1, dtype=np.int32)
    best = np.full((len(candidate_sets), n_rows, k), -np.inf, dtype=np.float32)
    drawn = tie_seeds is not None
    seeds = np.zeros(n_rows, dtype=np.uint64) if tie_seeds is None else tie_seeds
    scores = np.ascontiguousarray(scores, dtype=np.float32)
    bits = scores.view(np.int32)
    if sum(run_bands(_top_k_rows, n_rows, scores, bits, caps, drawn, seeds, columns, best)):
        raise ScoreError("a score is not a number (NaN)")
    return [TopK(*lists) for lists in zip(columns, best, strict=True)]


def hide(scores: Float32, seen: csr_array) -> None:
    """Set the scores of the items in ``seen`` (the same shape, CSR) to -inf, in place."""
    run_bands(_hide_rows, scores.shape[0], scores, seen.indptr, seen.indices, smallest=64)


@kernel
def _hide_rows(first: int, last: int, scores: Array, starts: Array, items: Array) -> None:
    for u in range(first, last):
        for p in range(starts[u], starts[u + 1]):
            scores[u, items[p]] = -np.inf


_NEVER = np.int32(-0x7F800001)  # the key of -inf
_INFINITE = np.int32(0x7F800000)


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
    n_items, k = scores.shape[1], columns.shape[2]
    room = max(4 * k, _CHUNK)
    found, codes, scratch = np.empty(room, np.int32), np.empty(room, np.uint64), np.empty(room, np.uint64)
    whole = n_items // _CHUNK
    largest, bounds = np.empty(whole, np.int32), np.empty(whole, np.uint64)
    edges = np.empty(64, np.int64)
    strange = 0
    for u in range(first, last):
        row = bits[u]
        strange += _not_numbers(row)
        for s in range(len(caps)):
            cap = caps[s]
            for chunk in range(whole):
                inside = slice(chunk * _CHUNK, (chunk + 1) * _CHUNK)
                largest[chunk] = _largest(row[inside], cap[inside])
            least = _NEVER + _ONE
            if whole >= k:
                for chunk in range(whole):
                    bounds[chunk] = _code(largest[chunk], 0)
                least = max(least, _key_of(_select(bounds, whole, k - 1)))
            size: Any = np.int64(0)  # a bare 0 would be a type of its own, and compiled for
            for chunk in range(whole + 1):
                if chunk < whole and largest[chunk] < least:
                    continue
                for c in range(chunk * _CHUNK, min((chunk + 1) * _CHUNK, n_items)):
                    key = min(_key(row[c]), cap[c])
                    if key >= least:
                        if size == room:
                            worst = _keep_best(found, codes, scratch, size, k)
                            least = worst if drawn else worst + _ONE  # a later column's lot may win a tie
                            size = k
                            if key < least:
                                continue
                        found[size] = c
                        codes[size] = _code(key, _lot(seeds[u], c) if drawn else c)
                        size += 1
            if size > k:
                _keep_best(found, codes, scratch, size, k)
                size = k
            _sort(found, codes, edges, size)
            for rank in range(size):
                columns[s, u, rank] = found[rank]
                best[s, u, rank] = scores[u, found[rank]]
    return strange


@kernel
def _key(bits: Any) -> Any:
    """A whole number in the order of the float32 with these bits: compilers vectorize its maximum."""
    # each step is cast back to 32 bits: numba would widen it, and halve what a vector holds
    key = np.int32(bits ^ np.int32(np.int32(bits >> np.int32(31)) & _SIGNLESS))
    return np.int32(key + np.int32(key == np.int32(-1)))  # -0.0 is as good as 0.0


@kernel
def _not_numbers(bits: Array) -> Any:
    strange = np.int32(0)
    for c in range(len(bits)):
        strange += np.int32((bits[c] & _SIGNLESS) > _INFINITE)
    return strange


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
def _keep_best(found: Array, codes: Array, scratch: Array, size: int, k: int) -> Any:
    """Move the k best to the front, in the order of columns; return the worst key among them."""
    for i in range(size):
        scratch[i] = codes[i]
    last = _select(scratch, size, k - 1)
    equal, kept = 0, 0
    for i in range(k):
        equal += scratch[i] == last
    for i in range(size):
        if codes[i] < last or (codes[i] == last and equal > 0):
            equal -= codes[i] == last
            found[kept], codes[kept] = found[i], codes[i]
            kept += 1
    return _key_of(last)


# Written out below: numba takes seconds to compile NumPy's partition and argsort.


@kernel
def _select(codes: Array, size: int, rank: int) -> Any:
    """The code that a sort would put at ``rank``; lower ones move before it (Hoare 1961, find)."""
    low: Any = np.int64(0)
    high = size - 1
    while low < high:
        pivot = codes[_place(low, high)]
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
def _sort(found: Array, codes: Array, edges: Array, size: int) -> None:
    """Sort the first codes, and ``found`` with them; among equal codes the lower column comes first.

    edges: (64,) int64, room for the parts that still wait (Hoare 1962, quicksort; then by insertion).
    """
    waiting = 0
    low: Any = np.int64(0)
    high = size - 1
    while True:
        while high - low > _FEW:
            pivot = codes[_place(low, high)]
            i, j = low, high
            while i <= j:
                while codes[i] < pivot:
                    i += 1
                while codes[j] > pivot:
                    j -= 1
                if i <= j:
                    codes[i], codes[j] = codes[j], codes[i]
                    found[i], found[j] = found[j], found[i]
                    i += 1
                    j -= 1
            if j - low < high - i:  # the longer part waits, so that 64 edges are always enough
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
        code, column = codes[i], found[i]
        j = i
        while j > 0 and (codes[j - 1] > code or (codes[j - 1] == code and found[j - 1] > column)):
            codes[j], found[j] = codes[j - 1], found[j - 1]
            j -= 1
        codes[j], found[j] = code, column


@kernel
def _place(low: int, high: int) -> Any:
    """A place from low to high that no order of the items makes a bad pivot again and again."""
    return low + ((low * 31 + high) * 40503 >> 4) % (high - low + 1)
