"""How sure an estimate is: intervals with users as units, by the delta method or the bootstrap."""

import math
from dataclasses import dataclass

import numpy as np

from isotherm.experiment.offpolicy.estimators import Terms
from isotherm.experiment.student_t import LEVEL, student_t
from isotherm.streams import stream
from isotherm.types import Float64

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
    """By Student's t over users (``student_t``).

    influence: (n_users,), what each user moves the value by.  scale: of what the value is a difference of,
    beside which rounding counts as 0.
    """
    n = len(influence)
    if n < 2:
        return Estimate(value, -math.inf, math.inf, math.inf, 1.0)
    error = float(np.sqrt(np.square(influence).sum() * n / (n - 1)))
    if error <= _ROUNDING * max(abs(value), scale):
        value = value if abs(value) > _ROUNDING * scale else 0.0
        half, p = student_t(value, 0.0, n)
    else:
        half, p = student_t(value, error, n)
    return Estimate(value, value - half, value + half, error, p)


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
