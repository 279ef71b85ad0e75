"""How sure a mean over users is: bootstrap intervals.

MARec's protocol: 500 draws of 20% of the test users, here of 50 at least, or of all where there are fewer. A
draw of m of n users spreads √(n/m) times wider than the mean over all n, so deviations are scaled back by
√(m/n) (the m out of n bootstrap; Bickel, Götze and van Zwet 1997): a 95% interval then covers the true mean
about 95% of the time, and of few users as often as so few can tell (20 users, a hit of one in ten: 88%).
"""

from dataclasses import dataclass

import numpy as np

from isotherm.types import Float64

DRAWS = 500
SHARE = 0.2
FEWEST = 50  # in a draw: of 20 users, 4 would not show how their mean is spread
LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean over users with its 95% interval: of the bootstrap, or for a difference of the paired t-test."""

    mean: float  #: over users
    low: float  #: end of the interval; minus infinity where a paired test of few users has none
    high: float  #: the other end


def intervals(values: Float64, seed: int = 0) -> list[Interval]:
    """One interval for each column of ``values`` (n_users, n_metrics); all share the same draws of users."""
    n_users = len(values)
    rng = np.random.default_rng(seed)
    size = max(round(SHARE * n_users), min(n_users, FEWEST))
    counts = (np.bincount(rng.integers(n_users, size=size), minlength=n_users) for _ in range(DRAWS))
    draws = np.array([drawn @ values / size for drawn in counts])
    means = values.mean(axis=0)
    deviations = (draws - means) * np.sqrt(size / n_users)
    tail = (1 - LEVEL) / 2
    low, high = means + np.quantile(deviations, [tail, 1 - tail], axis=0)
    return [Interval(*map(float, row)) for row in zip(means, low, high, strict=True)]
