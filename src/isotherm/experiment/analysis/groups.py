"""Whether the effect is the same in groups: of users by clicks before, of impressions by cold and warm items.

Groups of users are disjoint, so Cochran's Q of their log ratios is chi-square with one degree less than
groups where the effect is the same in all. Cold and warm impressions are of the same users: the difference of
their two effects has its variance from the moments of both together.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import Effect, effect
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.samples import ArmMoments, columns_of, sample, values_of
from isotherm.experiment.log import GROUPS, Users
from isotherm.experiment.metrics import Metric
from isotherm.types import Float64

Arms = tuple[Users, Users]  #: users of the control and of a treatment
BY_CLICKS, BY_ITEM = "clicks before", "item"
_COLD = ("cold_clicks", "cold_impressions", "clicks_on_shown", "impressions")


@dataclass(frozen=True)
class GroupEffect:
    """The effect in one group."""

    group: str  #: label
    users: int  #: of both arms
    effect: Effect


@dataclass(frozen=True)
class Heterogeneity:
    """Effects on one metric in groups, and whether they differ."""

    by: str
    groups: list[GroupEffect]
    statistic: float  #: chi-square; NaN where fewer than two groups are measured
    p: float  #: of the same relative effect in all groups


def by_clicks(metric: Metric, arms: Arms, options: AnalysisOptions) -> Heterogeneity:
    """By clicks before the first exposure: those of ``log.GROUPS`` with ``fewest`` users in both arms."""
    columns = columns_of([metric])
    found = []
    for place, label in enumerate(GROUPS):
        parts = [each.take(each.clicks_before_group == place) for each in arms]
        if min(map(len, parts)) < options.fewest:
            continue
        moments = [ArmMoments.of(columns, values_of(part, columns)) for part in parts]
        told = effect(
            pair(*(sample(metric, each, options.cuped) for each in moments)), options, metric.wanted
        )
        if told is not None and math.isfinite(told.error):
            found.append(GroupEffect(label, sum(map(len, parts)), told))
    usable = [each.effect for each in found if 0 < each.effect.log_error < math.inf]
    statistic, p = _cochran(usable)
    return Heterogeneity(BY_CLICKS, found, statistic, p)


def by_item(arms: Arms, options: AnalysisOptions) -> Heterogeneity:
    """Click-through per impression of cold and of warm items."""
    moments = [_cold_and_warm(each) for each in arms]
    found, gradients = [], []
    for label, above, below in (("cold", "cold", "cold shown"), ("warm", "warm", "warm shown")):
        metric = Metric("ctr", "clicks_on_shown", "impressions")
        parts = [_renamed(each, above, below) for each in moments]
        if min(float(part.means[1]) * part.n if part.n > 1 else 0 for part in parts) < options.fewest:
            continue
        told = effect(pair(*(sample(metric, part) for part in parts)), options)
        if told is not None and 0 < told.log_error < math.inf:
            found.append(GroupEffect(label, sum(part.n for part in parts), told))
            gradients.append([_log_gradient(each, above, below) for each in moments])
    if len(found) < 2:
        return Heterogeneity(BY_ITEM, found, math.nan, math.nan)
    change = found[0].effect.log_ratio - found[1].effect.log_ratio
    variance = sum(
        float((cold - warm) @ each.covariance @ (cold - warm)) / each.n
        for each, cold, warm in zip(moments, *gradients, strict=True)
    )
    statistic = change**2 / variance
    return Heterogeneity(BY_ITEM, found, statistic, float(stats.chi2.sf(statistic, 1)))


def _cold_and_warm(users: Users) -> ArmMoments:
    values = values_of(users, _COLD)
    cold, shown = values[:, :2], values[:, 2:]
    return ArmMoments.of(("cold", "cold shown", "warm", "warm shown"), np.hstack([cold, shown - cold]))


def _renamed(moments: ArmMoments, above: str, below: str) -> ArmMoments:
    """Two of the columns, as those of click-through."""
    places = [moments.index(above), moments.index(below)]
    covariance = moments.covariance[np.ix_(places, places)]
    return ArmMoments(("clicks_on_shown", "impressions"), moments.n, moments.means[places], covariance)


def _log_gradient(moments: ArmMoments, above: str, below: str) -> Float64:
    """Derivatives of the logarithm of a ratio of means by all means."""
    gradient = np.zeros(len(moments.columns))
    gradient[moments.index(above)] = 1 / moments.means[moments.index(above)]
    gradient[moments.index(below)] = -1 / moments.means[moments.index(below)]
    return gradient


def _cochran(effects: list[Effect]) -> tuple[float, float]:
    """Q of log ratios, and its p."""
    if len(effects) < 2:
        return math.nan, math.nan
    value = np.array([each.log_ratio for each in effects])
    weight = np.array([each.log_error for each in effects]) ** -2.0
    statistic = float(weight @ (value - weight @ value / weight.sum()) ** 2)
    return statistic, float(stats.chi2.sf(statistic, len(effects) - 1))
