"""Experiments without any change on a log: users are split at random, again and again, and tested.

In so many out of a hundred as the test promises, and no more, a difference is found. What the log's own skew
and the habits of its users do to a test shows here, before anybody trusts a result.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.samples import ArmMoments, columns_of, sample, trimmed_sample, values_of
from isotherm.experiment.design.options import TRIM, DesignOptions
from isotherm.experiment.log import Users
from isotherm.experiment.metrics import Metric
from isotherm.streams import stream
from isotherm.types import Bools, Float64

NAIVE = "impressions as if they were independent"


@dataclass(frozen=True)
class FalsePositives:
    """How often a test found a difference where there was none."""

    test: str  #: name of a metric, or NAIVE
    splits: int
    share: float
    low: float  #: ends of the 95% interval of the share (Clopper and Pearson)
    high: float

    @classmethod
    def of(cls, test: str, found: Sequence[bool]) -> "FalsePositives":
        """Of the outcomes of so many experiments."""
        n, k = len(found), int(sum(found))
        interval = stats.binomtest(k, n).proportion_ci()
        return cls(test, n, k / n, float(interval.low), float(interval.high))


def false_positives(users: Users, metrics: Sequence[Metric], options: DesignOptions) -> list[FalsePositives]:
    """Of each metric that is a mean or a ratio, and of the naive test of impressions."""
    rng = stream(options.seed, "experiments without change")
    kept = users.kept
    if len(kept) > options.most:
        kept = kept.take(rng.choice(len(kept), options.most, replace=False))
    metrics = [metric for metric in metrics if metric.kind != "coverage"]
    if not options.splits or len(kept) < 4:
        return []
    columns = columns_of(metrics)
    values = values_of(kept, columns)
    trimmed = {each.name: kept.column(each.numerator) for each in metrics if each.robust == "trimmed"}
    shown = np.stack([kept.clicks_on_shown, kept.impressions])
    found: dict[str, list[bool]] = {}
    for _ in range(options.splits):
        treated = rng.random(len(kept)) < options.treated
        moments = [ArmMoments.of(columns, values[part]) for part in (~treated, treated)]
        for metric in metrics:
            p = _p(metric, moments, trimmed, treated, options)
            if p is not None:
                found.setdefault(metric.name, []).append(p < 1 - options.level)
        if shown[0].any():
            found.setdefault(NAIVE, []).append(_naive(shown, treated) < 1 - options.level)
    return [FalsePositives.of(name, outcomes) for name, outcomes in found.items()]


def _p(
    metric: Metric,
    moments: list[ArmMoments],
    trimmed: dict[str, Float64],
    treated: Bools,
    options: DesignOptions,
) -> float | None:
    """Welch's, as of an analysis; None where nothing varies."""
    if metric.robust == "trimmed":
        samples = [trimmed_sample(trimmed[metric.name][part], TRIM) for part in (~treated, treated)]
    else:
        samples = [sample(metric, each, options.cuped) for each in moments]
    if not all(each.measured for each in samples):
        return None
    arms = pair(*samples)
    if not arms.variance > 0:
        return None
    return float(2 * stats.t.sf(abs(arms.difference) / math.sqrt(arms.variance), arms.degrees))


def _naive(shown: Float64, treated: Bools) -> float:
    """Two proportions of impressions, as if each were an observation by itself."""
    (c_treated, n_treated), (c, n) = shown[:, treated].sum(axis=1), shown.sum(axis=1)
    n_control = n - n_treated
    if not (n_treated and n_control):
        return 1.0
    rate = c / n
    error = math.sqrt(rate * (1 - rate) * (1 / n_treated + 1 / n_control))
    gap = c_treated / n_treated - (c - c_treated) / n_control
    return float(2 * stats.norm.sf(abs(gap / error))) if error > 0 else 1.0
