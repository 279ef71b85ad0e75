"""How sure an estimate is: intervals with users as units, by the delta method or the bootstrap."""

import math
from dataclasses import dataclass

import numpy as np

from isotherm.experiment.offpolicy.estimators import Terms
from isotherm.streams import stream
from isotherm.types import Float64

LEVEL = 0.95
DRAWS = 1000
_DRAWS_AT_ONCE = 50
_ROUNDING = 1e-13


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval; infinite ends of one user, who says nothing of others."""

    estimate: float
    low: float
    high: float
    error: float  #: standard error, users as clusters
    p: float | None = None  #: of 0, two-sided; below 0.05 where the interval leaves 0 out


def delta_interval(value: float, influence: Float64, scale: float = 0.0) -> Estimate:
    """By Student's t over users.

    influence: (n_users,), what each user moves the value by.  scale: of what the value is a difference of,
    beside which rounding counts as 0.
    Where all users are alike, n of them are so by chance with p = 2^(1 − n), as in a sign test, and the
    interval is unbounded where that is 0.05 or more.
    """
    from scipy.stats import t

    n = len(influence)
    if n < 2:
        return Estimate(value, -math.inf, math.inf, math.inf, 1.0)
    error = float(np.sqrt(np.square(influence).sum() * n / (n - 1)))
    if error <= _ROUNDING * max(abs(value), scale):
        value = value if abs(value) > _ROUNDING * scale else 0.0
        p = 2.0 ** (1 - n) if value else 1.0
        reach = 0.0 if 2.0 ** (1 - n) < 1 - LEVEL else math.inf
        return Estimate(value, value - reach, value + reach, error, p)
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * error
    p = float(2 * t.sf(abs(value) / error, n - 1))
    return Estimate(value, value - reach, value + reach, error, p)


def bootstrap_interval(terms: Terms, seed: int, draws: int = DRAWS) -> Estimate:
    """By the percentiles of the estimates of users drawn with replacement."""
    n = len(terms.sums)
    if n < 2:
        return delta_interval(terms.value, terms.influence)
    rng = stream(seed, "bootstrap of users")
    values = []
    for first in range(0, draws, _DRAWS_AT_ONCE):
        size = min(_DRAWS_AT_ONCE, draws - first)
        drawn = np.stack([np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(size)])
        values.append(terms.combine(drawn @ terms.sums))
    tail = (1 - LEVEL) / 2
    found = np.concatenate(values)
    low, high = map(float, np.quantile(found, [tail, 1 - tail]))
    return Estimate(terms.value, low, high, float(found.std(ddof=1)))
