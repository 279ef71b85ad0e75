"""Lists whose places are drawn, and the exact probability with which each item came to its place.

Place after place, from the first to the last: the probability is that of the item at its place given the
items before it, so that of a list is their product (softmax with share 1 is a Plackett-Luce model).
"""

from dataclasses import dataclass

import numpy as np

from isotherm.errors import ParameterError
from isotherm.experiment.plan.arms import Exploration
from isotherm.types import Bools, Float64, Int64


@dataclass(frozen=True, eq=False)
class Drawn:
    """A list. chosen: (k,) int64, places of its items among the candidates.  propensities: (k,) float64 in
    (0, 1], of each given those before it."""

    chosen: Int64
    propensities: Float64


def explored(
    scores: Float64, k: int, exploration: Exploration, rng: np.random.Generator, group: Bools | None = None
) -> Drawn:
    """A list of the first k candidates, of which places from ``exploration.from_rank`` on are drawn.

    scores: (n,) of the candidates, which stand in the order of the list without exploration, n >= k.
    group: (n,) flags; each place is drawn among candidates of the group of the one that would stand there, so
    that a list keeps as many of each. None for one group.
    Of the items that are left, the first is the best one.

    >>> import numpy as np
    >>> from isotherm.experiment.assignment import explored
    >>> from isotherm.experiment.plan import Exploration
    >>> always = Exploration("epsilon", share=1.0, from_rank=2)
    >>> drawn = explored(np.array([3.0, 2.0, 1.0, 0.5]), 3, always, np.random.default_rng(0))
    >>> drawn.chosen.tolist(), drawn.propensities.round(3).tolist()
    ([0, 2, 1], [1.0, 0.333, 0.5])
    """
    if not 0 <= k <= len(scores):
        raise ParameterError(f"k is {k}, and there are {len(scores)} candidates; ask for a shorter list")
    groups = [False] * len(scores) if group is None else group.tolist()
    chosen, propensities = list(range(k)), [1.0] * k
    fixed = min(exploration.from_rank - 1, k)
    left = list(range(fixed, len(scores)))
    for place, lot in enumerate(rng.random(k - fixed).tolist(), fixed):
        among = left if group is None else [each for each in left if groups[each] == groups[place]]
        drawn, propensities[place] = _drawn(scores, among, exploration, lot)
        chosen[place] = among[drawn]
        left.remove(among[drawn])
    return Drawn(np.array(chosen, dtype=np.int64), np.array(propensities))


def _drawn(scores: Float64, among: list[int], exploration: Exploration, lot: float) -> tuple[int, float]:
    """Which of those that are left, the best first, and its probability.  lot: in [0, 1)."""
    n, share = len(among), exploration.share
    if exploration.kind == "epsilon":
        best = 1 - share + share / n
        drawn = 0 if lot < best else min(1 + int((lot - best) / share * n), n - 1)
        return drawn, best if drawn == 0 else share / n
    shares = np.exp((scores[among] - scores[among].max()) / exploration.temperature)
    shares *= share / shares.sum()
    shares[0] += 1 - share
    drawn = min(int(np.searchsorted(np.cumsum(shares), lot, side="right")), n - 1)
    while shares[drawn] == 0:  # the last ones, where the sum of all ends below 1 by rounding
        drawn -= 1
    return drawn, float(shares[drawn])
