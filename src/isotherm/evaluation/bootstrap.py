"""How sure a mean over users is: bootstrap intervals, and paired comparisons between models.

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
    """A mean over users with its bootstrap interval."""

    mean: float
    low: float
    high: float

    def negated(self) -> "Interval":
        """The interval of the negative mean."""
        return Interval(0 - self.mean, 0 - self.high, 0 - self.low)  # not -0.0


@dataclass(frozen=True)
class Comparison:
    """Model ``first`` minus model ``second``, user by user, on one metric and candidate set.

    p: two-sided paired t-test.  p_holm: the same, corrected for all comparisons made together (Holm 1979).
    """

    candidates: str
    metric: str
    first: str
    second: str
    difference: Interval
    p: float
    p_holm: float


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


def paired_p(differences: Float64) -> float:
    """Two-sided paired t-test of no difference; 1 where every user agrees."""
    from scipy.stats import ttest_1samp

    if len(differences) < 2 or np.ptp(differences) == 0:
        return 0.0 if len(differences) > 1 and differences[0] != 0 else 1.0
    return float(ttest_1samp(differences, 0.0).pvalue)


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down correction: the chance of even one false alarm among all stays under the level."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(p) for p in corrected]
