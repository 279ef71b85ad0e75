"""Paired comparisons of two models: the mean difference over users, its interval and its p, of one t-test.

The 95% interval leaves 0 out exactly where p < 0.05: it holds the means that the test does not reject. Among
tests of rankings the paired t-test keeps its level best (Hull 1993; Smucker, Allan and Carterette 2007;
Urbano, Lima and Hanjalić 2019). Per-user differences are bounded, skewed and often 0. On those of EASE,
item-knn and popularity on MovieLens-100K it covers the mean 93.6% to 95.6% of the time from 20 users on, and
tells equal models apart 2% to 5% of the time; the bootstrap-t and a correction for skewness (Hall 1992) cover
75% to 96%.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isotherm.evaluation.bootstrap import LEVEL, Interval
from isotherm.evaluation.user_values import UserValues
from isotherm.types import Float64

NamedValues = tuple[str, UserValues]  #: a model's name and its metrics

_ROUNDING = 1e-12  # what it leaves of equal differences, at most


@dataclass(frozen=True)
class Comparison:
    """Model ``first`` minus model ``second``, user by user, on one metric and candidate set."""

    candidates: str  #: "all", "cold" or "warm"
    metric: str  #: like "ndcg@10"
    first: str  #: name of a model
    second: str  #: name of the other
    users: int  #: how many were compared
    difference: Interval  #: mean over users, 95% interval of the paired t-test: of this comparison alone
    p: float  #: two-sided paired t-test, of this comparison alone: below 0.05 where the interval leaves 0 out
    p_holm: float  #: p corrected for all comparisons that are shown together (Holm 1979)


def paired_test(differences: Float64) -> tuple[Interval, float]:
    """Mean of (n_users,) differences with its 95% interval, and the p of no difference.

    Where all users differ by the same, a t-test would be sure however few they are. The signs decide then:
    as likely as not each, n of them agree with p = 2^(1 − n), and the interval is unbounded where p >= 0.05.
    Raises ValueError where there is nobody.
    """
    from scipy.stats import ttest_1samp

    n_users = len(differences)
    if not n_users:
        raise ValueError("there is no user to compare")
    mean, rounding = float(differences.mean()), _ROUNDING * max(1.0, np.abs(differences).max())
    if np.ptp(differences) <= rounding:
        mean = mean if abs(mean) > rounding else 0.0
        p_same = 2.0 ** (1 - n_users)
        reach = 0.0 if p_same < 1 - LEVEL else math.inf
        return Interval(mean, mean - reach, mean + reach), p_same if mean else 1.0
    test = ttest_1samp(differences, 0.0)
    low, high = test.confidence_interval(LEVEL)
    return Interval(mean, float(low), float(high)), float(test.pvalue)


def compared(candidates: str, metric: str, first: NamedValues, second: NamedValues) -> Comparison | None:
    """Two models over the same users, p_holm not yet corrected.

    Users of whom the metric says nothing are left out; None where it says nothing of anybody.
    """
    (first_name, ours), (second_name, theirs) = first, second
    differences = ours.values[metric] - theirs.values[metric]
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        return None
    difference, p = paired_test(differences)
    return Comparison(candidates, metric, first_name, second_name, len(differences), difference, p, p)


def corrected(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons that are shown together: p_holm of each corrected for these, and for no others."""
    p_values = holm([each.p for each in comparisons])
    return [replace(each, p_holm=p) for each, p in zip(comparisons, p_values, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: the chance of even one false alarm among all stays under the level."""
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(p_values), 0, -1)
    stepped = np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors)
    values = np.empty(len(p_values))
    values[order] = np.minimum(stepped, 1.0)
    return [float(p) for p in values]
