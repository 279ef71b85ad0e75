"""How well many blends of two scores rank the same items: ndcg@10 of each user under each blend.

A blend is first·f + second·g + h·n, with factors f, g and a level h for each item, and n the clicks of a
user. Each user's scores are read once for all blends, and no blend of all users is ever an array.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.kernels import inlined, kernel
from isotherm.models.cold_start.calibration import K
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Float64, Scores, UserItems


@dataclass(frozen=True, eq=False)
class Blends:
    """Factors of some blends: first, second, level, each (n_blends, n_items) float32."""

    first: Float32
    second: Float32
    level: Float32


def blend_ndcgs(
    first: Scores,
    second: Scores,
    blends: Blends,
    targets: UserItems,
    seen: UserItems,
    clicks: Float32 | None = None,
) -> Float64:
    """ndcg@10 of the users with targets under each blend, (n_blends, n_users_with_targets).

    first, second: (n_users, n_items) float32.  targets: (n_users, n_items) what is to be found.
    seen: what is left out.  clicks: n, (n_users,), 0 if None.

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.cold_start.blends import Blends, blend_ndcgs
    >>> first, second = np.float32([[1, 0]]), np.float32([[0, 3]])
    >>> one, none = np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32)
    >>> wanted, nothing = csr_array(np.float32([[1, 0]])), csr_array((1, 2), dtype=np.float32)
    >>> blend_ndcgs(first, second, Blends(one, 0.5 * one, none), wanted, nothing).round(2)
    array([[0.63]])
    """
    n_users = len(first)
    out = np.zeros((len(blends.first), n_users))
    gains = 1 / np.log2(np.arange(2, K + 2))
    lengths = np.zeros(n_users, np.float32) if clicks is None else clicks
    first, second = np.ascontiguousarray(first), np.ascontiguousarray(second)
    run_bands(
        _rank_blends, n_users, first, second, lengths,
        blends.first, blends.second, blends.level,
        seen.indptr, seen.indices, targets.indptr, targets.indices, gains, np.cumsum(gains), out, smallest=16,
    )  # fmt: skip
    return out[:, np.diff(targets.indptr) > 0]


@kernel
def _rank_blends(
    begin: int,
    end: int,
    first: Array,
    second: Array,
    lengths: Array,
    of_first: Array,
    of_second: Array,
    level: Array,
    seen_starts: Array,
    seen_items: Array,
    starts: Array,
    items: Array,
    gains: Array,
    ideals: Array,
    out: Array,
) -> None:
    n, k = first.shape[1], len(gains)
    row, wanted = np.empty(n, np.float32), np.zeros(n, np.bool_)
    best, places = np.empty(k, np.float32), np.empty(k, np.int64)
    for u in range(begin, end):
        n_targets = starts[u + 1] - starts[u]
        if n_targets == 0:
            continue
        for p in range(starts[u], starts[u + 1]):
            wanted[items[p]] = True
        for c in range(len(of_first)):
            _blend(first[u], second[u], lengths[u], of_first[c], of_second[c], level[c], row)
            for p in range(seen_starts[u], seen_starts[u + 1]):
                row[seen_items[p]] = -np.inf
            _find_best(row, best, places)
            gained = 0.0
            for rank in range(k):
                if places[rank] >= 0 and wanted[places[rank]]:
                    gained += gains[rank]
            out[c, u] = gained / ideals[min(k, n_targets) - 1]
        for p in range(starts[u], starts[u + 1]):
            wanted[items[p]] = False


@inlined
def _blend(first: Array, second: Array, length: float, f: Array, g: Array, h: Array, row: Array) -> None:
    for j in range(len(row)):
        row[j] = first[j] * f[j] + second[j] * g[j] + h[j] * length


@inlined
def _find_best(row: Array, best: Array, places: Array) -> None:
    """The columns of the best scores, best first, the lower one first of equal ones; -1 past the last."""
    k = len(best)
    best[:] = -np.inf
    places[:] = -1
    threshold = best[k - 1]
    for j in range(len(row)):
        score = row[j]
        if score > threshold:
            place = k - 1
            while place > 0 and best[place - 1] < score:
                best[place] = best[place - 1]
                places[place] = places[place - 1]
                place -= 1
            best[place] = score
            places[place] = j
            threshold = best[k - 1]
