"""The effect of a treatment on a metric: difference, relative difference, interval, p, odds of being better.

Difference, its interval and p are tea-tasting's (Welch's t-test on influence values of users). The relative
difference has Fieller's interval (1954): all ratios that the same test does not reject, so it leaves 0 out
exactly where p < 1 − level. Where the control's value itself is not told from 0 it is unbounded.
"""

import math
from dataclasses import dataclass
from typing import Any

from scipy import stats

from isotherm.experiment.analysis.cuped import Pair
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.posterior import Posterior, posterior
from isotherm.experiment.extra import tea_tasting


@dataclass(frozen=True)
class Interval:
    """The ends of an interval; infinite where it has none."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end."""
        return self.high - self.low


@dataclass(frozen=True)
class Effect:
    """Treatment against control on one metric. Relative differences: 0.02 is 2% more than the control."""

    control: float  #: value
    treatment: float  #: value
    difference: float  #: treatment minus control
    absolute: Interval  #: of the difference
    estimate: float  #: relative difference
    relative: Interval  #: of the relative difference, Fieller's
    error: float  #: standard error of the relative difference, by the delta method
    log_error: float  #: standard error of log(treatment / control), by the delta method
    p: float  #: two-sided, of no difference
    posterior: Posterior
    variance_kept: float  #: share of the difference's variance that CUPED leaves

    @property
    def log_ratio(self) -> float:
        """log(treatment / control)."""
        return math.log1p(self.estimate) if self.estimate > -1 else -math.inf


def effect(arms: Pair, options: AnalysisOptions, wanted: str = "up") -> Effect | None:
    """The effect between two measured arms; None where nothing varies.

    Where the control's value is not above 0 there is no relative difference: it is NaN, its interval
    unbounded.
    """
    if not arms.variance > 0:
        return None
    told = _welch(arms, options.level)
    estimate, error = relative_difference(arms)
    quantile = float(stats.t.ppf((1 + options.level) / 2, arms.degrees))
    return Effect(
        arms.control.value,
        arms.treatment.value,
        arms.difference,
        Interval(float(told.effect_size_ci_lower), float(told.effect_size_ci_upper)),
        estimate,
        fieller(arms, quantile),
        error,
        error / (1 + estimate) if estimate > -1 else math.inf,
        float(told.pvalue),
        posterior(0.0 if math.isinf(error) else estimate, error, options, wanted),
        arms.variance_kept,
    )


def relative_difference(arms: Pair) -> tuple[float, float]:
    """The relative difference and its standard error."""
    if not arms.control.value > 0:
        return math.nan, math.inf
    ratio, variance = arms.treatment.value / arms.control.value, arms.covariance
    spread = variance[1, 1] - 2 * ratio * variance[0, 1] + ratio**2 * variance[0, 0]
    return ratio - 1, math.sqrt(max(float(spread), 0.0)) / arms.control.value


def fieller(arms: Pair, quantile: float) -> Interval:
    """Relative differences r with (treatment − (1 + r)·control)² <= quantile² times its variance."""
    square, ((of_control, mixed), (_, of_treatment)) = quantile**2, arms.covariance
    leading = arms.control.value**2 - square * of_control
    middle = arms.control.value * arms.treatment.value - square * mixed
    last = arms.treatment.value**2 - square * of_treatment
    if leading <= 0:
        return Interval(-math.inf, math.inf)
    root = math.sqrt(max(middle**2 - leading * last, 0.0))
    return Interval(float((middle - root) / leading - 1), float((middle + root) / leading - 1))


def _welch(arms: Pair, level: float) -> Any:
    """tea-tasting's analysis of two means, from their counts, values and variances."""
    tea = tea_tasting()
    metric = tea.Mean("value", confidence_level=level, use_t=True, equal_var=False)
    control, treatment = (
        tea.aggr.Aggregates(count_=arm.n, mean_={"value": arm.value}, var_={"value": arm.unit}, cov_={})
        for arm in (arms.control, arms.treatment)
    )
    return metric.analyze_aggregates(control, treatment)
