"""Scores of one model for a user, brought to the level and the spread of another's, and back.

Two models score one user's items by different units. With e and s the K best of either among the items that
the user has not clicked, S = a·s + b with

    a = sd(e) / sd(s),  b = mean(e) − a·mean(s)

has the mean and the standard deviation of the other's best, the order of its own, and its own gaps.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.kernels import inlined, kernel
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Scores, UserItems

_BEST = 20  # K: twice a usual list


@dataclass(frozen=True, eq=False)
class ScoreLevels:
    """S = spread · s + shift for each of some users; both (n_users,) float32, spread above 0.

    >>> import numpy as np
    >>> from isotherm.models.kernel_ridge.score_levels import ScoreLevels
    >>> from scipy.sparse import csr_array
    >>> logits, wanted = np.float32([[-4, -2, 0]]), np.float32([[0.1, 0.2, 0.3]])
    >>> levels = ScoreLevels.matching(logits, wanted, csr_array((1, 3), dtype=np.float32))
    >>> levels.spread.round(2), levels.shift.round(2)
    (array([0.05], dtype=float32), array([0.3], dtype=float32))
    """

    spread: Float32
    shift: Float32

    @classmethod
    def matching(cls, scores: Scores, wanted: Scores, seen: UserItems) -> "ScoreLevels":
        """From ``scores`` to the level of ``wanted``, both (n_users, n); seen: (n_users, n) what is left out.

        Where either does not tell items apart, a is 1.
        """
        spread, shift = np.empty((2, len(scores)), dtype=np.float32)
        run_bands(_match, len(scores), scores, wanted, seen.indptr, seen.indices, spread, shift, smallest=16)
        return cls(spread, shift)

    def to_level(self, scores: Scores) -> Scores:
        """S, (n_users, n) float32."""
        return np.asarray(scores * self.spread[:, None] + self.shift[:, None])

    def back(self, at_level: Scores) -> Scores:
        """s of S, in place."""
        at_level -= self.shift[:, None]
        at_level /= self.spread[:, None]
        return at_level


@kernel
def _match(
    first: int,
    last: int,
    scores: Array,
    wanted: Array,
    starts: Array,
    items: Array,
    spread: Array,
    shift: Array,
) -> None:
    best, best_wanted = np.empty(_BEST, np.float32), np.empty(_BEST, np.float32)
    seen = np.zeros(scores.shape[1], np.bool_)
    for u in range(first, last):
        clicked = items[starts[u] : starts[u + 1]]
        for item in clicked:
            seen[item] = True
        n = min(_BEST, scores.shape[1] - len(clicked))
        mean, deviation = _level(scores[u], seen, best[:n])
        mean_wanted, deviation_wanted = _level(wanted[u], seen, best_wanted[:n])
        for item in clicked:
            seen[item] = False
        ratio = 1.0
        if deviation > 0 and deviation_wanted > 0:
            ratio = deviation_wanted / deviation
        spread[u] = ratio
        shift[u] = mean_wanted - ratio * mean


@inlined
def _level(row: Array, seen: Array, best: Array) -> tuple[float, float]:
    """Mean and standard deviation of the best scores of what is not seen; 0 where all is."""
    k = len(best)
    if k == 0:
        return 0.0, 0.0
    best[:] = -np.inf
    threshold = best[k - 1]
    for j in range(len(row)):
        score = row[j]
        if score > threshold and not seen[j]:
            place = k - 1
            while place > 0 and best[place - 1] < score:
                best[place] = best[place - 1]
                place -= 1
            best[place] = score
            threshold = best[k - 1]
    total = squares = 0.0
    for score in best:
        total += score
    for score in best:
        squares += (score - total / k) ** 2
    return total / k, np.sqrt(squares / k)
