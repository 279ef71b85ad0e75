"""What one arm says of one metric: its value, and how it varies from user to user.

Every metric is, to first order, a mean over users of one influence value each (delta method; Deng, Knoblich
and Lu 2018): a mean has the users' values themselves, a ratio of sums Σy/Σx has (y − R·x)/mean(x), a trimmed
mean has the winsorised values over the share that is left (Yuen 1974). What a user does in many impressions
is one observation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from isotherm.experiment.log import Moments, Users
from isotherm.experiment.metrics import Metric
from isotherm.types import Array, Float64

CAPPED = " capped"  #: behind the name of a column: winsorised


@dataclass(frozen=True, eq=False)
class ArmMoments:
    """Means and covariances over the users of one arm."""

    columns: tuple[str, ...]
    n: int  #: users
    means: Float64  #: (n_columns,)
    covariance: Float64  #: (n_columns, n_columns), divided by n − 1; NaN of fewer than two users

    @classmethod
    def of(cls, columns: Sequence[str], values: Float64) -> "ArmMoments":
        """Of (n_users, n_columns) values."""
        n = len(values)
        if not n:
            return cls(tuple(columns), 0, np.full(len(columns), np.nan), np.full((len(columns),) * 2, np.nan))
        means = values.mean(axis=0)
        centred = values - means
        covariance = centred.T @ centred / (n - 1) if n > 1 else np.full((len(columns),) * 2, np.nan)
        return cls(tuple(columns), n, means, covariance)

    @classmethod
    def at(cls, moments: Moments, day: int, arm: int) -> "ArmMoments":
        """Of one day and arm of a log's moments."""
        n = int(moments.n[day, arm])
        if n < 2:
            return cls.of(moments.columns, np.empty((0, len(moments.columns))))
        means = moments.sums[day, arm] / n
        covariance = (moments.products[day, arm] - n * np.outer(means, means)) / (n - 1)
        return cls(moments.columns, n, means, covariance)

    def index(self, column: str) -> int:
        """The place of a column. Raises ValueError where there is none of that name."""
        return self.columns.index(column)


@dataclass(frozen=True, eq=False)
class Sample:
    """A metric in one arm.

    value ± √(covariance[0, 0] / n); behind the influence value, covariance has the covariates.
    """

    n: int  #: users; of a trimmed mean, those that are left
    value: float
    covariance: Float64  #: (1 + n_covariates, 1 + n_covariates) between users
    covariates: Float64  #: (n_covariates,) means

    @property
    def variance(self) -> float:
        """Of one user's influence value."""
        return float(self.covariance[0, 0])

    @property
    def measured(self) -> bool:
        """Whether there is a value and a variance of it."""
        return self.n > 1 and bool(np.isfinite(self.value) and np.isfinite(self.variance))


def columns_of(metrics: Iterable[Metric]) -> tuple[str, ...]:
    """The columns of users that means and ratios read; a winsorised one has CAPPED behind its name."""
    names: list[str] = []
    for metric in metrics:
        if metric.kind != "coverage" and metric.robust != "trimmed":
            above = metric.numerator + CAPPED * (metric.robust == "winsorised")
            names += [above, *([metric.denominator] if metric.denominator else []), *metric.covariates]
    return tuple(dict.fromkeys(names))


def values_of(users: Users, columns: Sequence[str]) -> Float64:
    """(n_users, n_columns) of the named columns."""
    values = np.empty((len(users), len(columns)))
    for place, name in enumerate(columns):
        plain = name.removesuffix(CAPPED)
        values[:, place] = users.column(plain) if plain == name else users.capped(plain)
    return values


def sample(metric: Metric, moments: ArmMoments, cuped: bool = True) -> Sample:
    """A mean or a ratio of sums, from moments that hold its columns."""
    above = moments.index(metric.numerator + CAPPED * (metric.robust == "winsorised"))
    below = None if metric.denominator is None else moments.index(metric.denominator)
    covariates = [moments.index(name) for name in metric.covariates] if cuped else []
    influence = np.zeros((1 + len(covariates), len(moments.columns)))
    value = float(moments.means[above])
    if below is None:
        influence[0, above] = 1
    else:
        size = float(moments.means[below])
        value = value / size if size > 0 else np.nan
        influence[0, above] = 1 / size if size > 0 else np.nan
        influence[0, below] = -value / size if size > 0 else np.nan
    influence[range(1, 1 + len(covariates)), covariates] = 1
    covariance = influence @ moments.covariance @ influence.T
    return Sample(moments.n, value, covariance, moments.means[covariates])


def trimmed_sample(values: Array, share: float) -> Sample:
    """The mean without the lowest and highest ``share`` of (n_users,) values, for Yuen's test (1974)."""
    n = len(values)
    cut = int(share * n)
    left = n - 2 * cut
    if left < 2:
        return Sample(left, np.nan, np.full((1, 1), np.nan), np.empty(0))
    ordered = np.partition(values, [cut, n - 1 - cut])
    low, high = ordered[cut], ordered[n - 1 - cut]
    value = float(ordered[cut : n - cut].mean())
    winsorised = np.clip(values, low, high)
    spread = winsorised.var(ddof=1) * (n - 1) / (left - 1)
    return Sample(left, value, np.array([[spread]]), np.empty(0))
