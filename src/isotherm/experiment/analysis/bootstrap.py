"""The cluster bootstrap: each user is drawn anew with all that the user did.

Each replicate gives each user a Poisson(1) weight (Chamandy, Muralidharan, Najmi and Naidu 2012), the same
for all metrics. Of more than UNITS users of an arm, random groups of users are weighted instead: a group of
users is a cluster as good as one user, and a thousand of them show the spread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from isotherm.experiment.analysis.cuped import Pair
from isotherm.experiment.analysis.effects import Interval
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.samples import CAPPED
from isotherm.experiment.metrics import Metric
from isotherm.streams import stream
from isotherm.types import Float64

UNITS = 4_000  #: most clusters of an arm
_TOGETHER = 100  # replicates weighted at a time


@dataclass(frozen=True, eq=False)
class Replicates:
    """Means of columns over the users of one arm, replicate by replicate."""

    columns: tuple[str, ...]
    means: Float64  #: (n_replicates, n_columns)

    @classmethod
    def of(cls, columns: Sequence[str], values: Float64, options: AnalysisOptions, arm: int) -> "Replicates":
        """Of (n_users, n_columns) values of the arm at a place."""
        rng = stream(options.seed, "experiment bootstrap", arm)
        units = np.column_stack([values, np.ones(len(values))])
        if len(values) > UNITS:
            units = _grouped(units, rng)
        sums = [
            rng.poisson(1.0, size=(min(_TOGETHER, options.replicates - start), len(units))) @ units
            for start in range(0, options.replicates, _TOGETHER)
        ]
        totals = np.concatenate(sums)
        return cls(tuple(columns), totals[:, :-1] / np.maximum(totals[:, -1:], 1))

    def of_metric(self, metric: Metric) -> tuple[Float64, Float64]:
        """(n_replicates,) values of a metric and (n_replicates, n_covariates) means of its covariates."""
        place: Mapping[str, int] = {name: n for n, name in enumerate(self.columns)}
        value = self.means[:, place[metric.numerator + CAPPED * (metric.robust == "winsorised")]]
        if metric.denominator is not None:
            below = self.means[:, place[metric.denominator]]
            value = np.divide(value, below, out=np.full_like(value, np.nan), where=below > 0)
        return value, self.means[:, [place[name] for name in metric.covariates]]


def bootstrap_interval(
    metric: Metric, control: Replicates, treatment: Replicates, arms: Pair, level: float
) -> Interval:
    """Percentile interval of the relative difference, with the coefficients of CUPED as they are."""
    (of_control, at_control), (of_treatment, at_treatment) = (
        control.of_metric(metric),
        treatment.of_metric(metric),
    )
    share = arms.control.n / (arms.control.n + arms.treatment.n)
    if len(arms.coefficients):
        before = (at_control - at_treatment) @ arms.coefficients
        of_control, of_treatment = of_control - (1 - share) * before, of_treatment + share * before
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = of_treatment / of_control - 1
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return Interval(-np.inf, np.inf)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _grouped(units: Float64, rng: np.random.Generator) -> Float64:
    """Sums over UNITS random groups of rows of equal size, or nearly."""
    order = rng.permutation(len(units))
    starts = np.linspace(0, len(units), UNITS, endpoint=False).astype(np.int64)
    return np.add.reduceat(units[order], starts, axis=0)
