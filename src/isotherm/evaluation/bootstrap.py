"""How sure a mean over users is: bootstrap intervals.

MARec's protocol: 500 draws of 20% of the test users. A draw of m of n users spreads √(n/m) times wider than
the mean over all n, so deviations are scaled back by √(m/n) (the m out of n bootstrap; Bickel, Götze and
van Zwet 1997): a 95% interval then covers the true mean about 95% of the time.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.types import Float64

DRAWS = 500
SHARE = 0.2
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
    size = max(1, round(SHARE * n_users))
    counts = (np.bincount(rng.integers(n_users, size=size), minlength=n_users) for _ in range(DRAWS))
    draws = np.array([drawn @ values / size for drawn in counts])
    means = values.mean(axis=0)
    deviations = (draws - means) * np.sqrt(size / n_users)
    tail = (1 - LEVEL) / 2
    low, high = means + np.quantile(deviations, [tail, 1 - tail], axis=0)
    return [Interval(*map(float, row)) for row in zip(means, low, high, strict=True)]
