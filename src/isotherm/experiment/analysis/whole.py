"""The whole analysis of an experiment, from one row a user."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from isotherm.errors import ParameterError
from isotherm.experiment.analysis.bootstrap import Replicates, bootstrap_interval
from isotherm.experiment.analysis.coverage import coverage_sample
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.day_effects import day_effects
from isotherm.experiment.analysis.effects import effect
from isotherm.experiment.analysis.groups import Heterogeneity, by_clicks, by_item
from isotherm.experiment.analysis.multiplicity import adjusted
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.over_time import Novelty, SpillOver, novelty, spill_over
from isotherm.experiment.analysis.result import ArmResult, MetricResult, Result
from isotherm.experiment.analysis.sample_ratio import SampleRatio, sample_ratio
from isotherm.experiment.analysis.samples import (
    ArmMoments,
    Sample,
    columns_of,
    sample,
    trimmed_sample,
    values_of,
)
from isotherm.experiment.analysis.sequences import looks
from isotherm.experiment.analysis.verdict import Clock, Verdict, best, growth, no_verdict, verdict
from isotherm.experiment.log import Users
from isotherm.experiment.metrics import STANDARD, Metric
from isotherm.types import Array


@dataclass(frozen=True)
class Schedule:
    """What was planned before the experiment began.

    weights: of the arms, the control first, of any sum; None for equal ones.  planned_days: how long it was
    to run. refits: days, counted from 0, on which models that share a log were fitted anew.
    """

    weights: Sequence[float] | None = None
    planned_days: int | None = None
    refits: Sequence[int] = ()


def analyze(
    users: Users,
    metrics: Sequence[Metric] = STANDARD,
    schedule: Schedule = Schedule(),
    options: AnalysisOptions = AnalysisOptions(),  # noqa: B008 - frozen
    despite_mismatch: bool = False,
) -> Result:
    """Analyse an experiment; the first goal among ``metrics`` is the one that the verdict is about.

    Where the arms do not have the users that the plan gives them, nothing is reported but that, unless
    ``despite_mismatch``. Raises ParameterError for fewer than two arms, and where no metric is a goal.
    """
    goals = [metric for metric in metrics if metric.role == "goal"]
    if len(users.arms) < 2 or not goals:
        raise ParameterError("an experiment needs a control, a treatment and a metric that is its goal")
    kept = users.kept
    by_arm = [kept.take(kept.arm == place) for place in range(len(users.arms))]
    weights = schedule.weights if schedule.weights is not None else [1.0] * len(users.arms)
    tested = _last_drawn(kept)
    n_tested = [int((tested.arm == place).sum()) for place in range(len(users.arms))]
    ratio = sample_ratio(
        users.arms, n_tested, weights, options.mismatch_level, untested=len(kept) - len(tested)
    )
    if ratio.mismatch and not despite_mismatch:
        return _stopped(users, by_arm, ratio, goals[0], options)
    found = _Analysis(users, by_arm, list(metrics), options).whole(ratio, schedule)
    if not ratio.mismatch:
        return found
    return replace(found, verdict=no_verdict(goals[0].name, found.verdict.arm, ratio.words))


class _Analysis:
    """One experiment: what all metrics and arms share."""

    def __init__(
        self, users: Users, by_arm: list[Users], metrics: list[Metric], options: AnalysisOptions
    ) -> None:
        self.users, self.by_arm, self.metrics, self.options = users, by_arm, metrics, options
        self.columns = columns_of(metrics)
        values = [values_of(each, self.columns) for each in by_arm]
        self.moments = [ArmMoments.of(self.columns, each) for each in values]
        self.replicates = [
            Replicates.of(self.columns, each, options, arm) if options.replicates and len(each) else None
            for arm, each in enumerate(values)
        ]

    def whole(self, ratio: SampleRatio, schedule: Schedule) -> Result:
        """All that is reported."""
        goal = next(metric for metric in self.metrics if metric.role == "goal")
        results = self.results()
        treatments = list(enumerate(self.users.arms))[1:]
        told = [_verdict(self.users, results, arm, schedule, self.options) for arm, _ in treatments]
        return Result(
            ratio,
            self.arms(),
            results,
            {name: self.groups(goal, arm) for arm, name in treatments},
            {name: self.novelty(goal, arm) for arm, name in treatments},
            {name: self.spill_over(goal, arm, schedule.refits) for arm, name in treatments},
            best(told, [_size(_of(results, name, goal)) for _, name in treatments]),
            self.users.days,
            self.options,
            self.users.counts.as_dict(),
        )

    def results(self) -> list[MetricResult]:
        """Every metric in every treatment, with p-values corrected."""
        found = [
            self._result(metric, arm) for metric in self.metrics for arm in range(1, len(self.users.arms))
        ]
        p_values = [
            each.effect.p if each.effect is not None and each.metric.role == "goal" else math.nan
            for each in found
        ]
        corrected = adjusted(p_values, self.options.correction)
        return [
            replace(each, p_adjusted=p) if each.metric.role == "goal" else each
            for each, p in zip(found, corrected, strict=True)
        ]

    def arms(self) -> list[ArmResult]:
        """Every arm with its values, without CUPED."""
        return [
            ArmResult(
                name,
                len(self.by_arm[arm]),
                {metric.name: self._sample(metric, arm, False).value for metric in self.metrics},
            )
            for arm, name in enumerate(self.users.arms)
        ]

    def groups(self, goal: Metric, arm: int) -> list[Heterogeneity]:
        """By clicks before, and by cold and warm items."""
        arms = (self.by_arm[0], self.by_arm[arm])
        by_users = [by_clicks(goal, arms, self.options)] if columns_of([goal]) else []
        return [*by_users, by_item(arms, self.options)]

    def novelty(self, goal: Metric, arm: int) -> Novelty:
        """By days since the first exposure."""
        daily = self.users.daily
        days = [] if daily is None else day_effects(goal, daily.since_first, arm, self.options)
        return novelty(days, self.options.level)

    def spill_over(self, goal: Metric, arm: int, refits: Sequence[int]) -> SpillOver:
        """By days of the experiment."""
        daily = self.users.daily
        return spill_over([] if daily is None else day_effects(goal, daily.of_day, arm, self.options), refits)

    def _result(self, metric: Metric, arm: int) -> MetricResult:
        samples = [self._sample(metric, place, self.options.cuped) for place in (0, arm)]
        name = self.users.arms[arm]
        if not all(each.measured for each in samples):
            return MetricResult(metric, name, None, None, None, [], math.nan, self._unmeasured(metric))
        arms = pair(*samples)
        told = effect(arms, self.options, metric.wanted)
        plain = told
        if metric.covariates:
            bare = pair(*(self._sample(metric, place, False) for place in (0, arm)))
            plain = effect(bare, self.options, metric.wanted)
        control, treatment = self.replicates[0], self.replicates[arm]
        drawn = None
        if columns_of([metric]) and control is not None and treatment is not None and told is not None:
            drawn = bootstrap_interval(metric, control, treatment, arms, self.options.level)
        daily = self.users.daily
        days = looks(metric, daily.to_date, arm, self.options) if daily is not None else []
        p = math.nan if told is None else told.p
        note = "" if told is not None else self._unmeasured(metric)
        return MetricResult(metric, name, told, plain, drawn, days, p, note)

    def _sample(self, metric: Metric, arm: int, cuped: bool) -> Sample:
        if metric.kind == "coverage":
            return coverage_sample(_covered(self.users, arm))
        if metric.robust == "trimmed":
            return trimmed_sample(self.by_arm[arm].column(metric.numerator), self.options.trim)
        return sample(metric, self.moments[arm], cuped and self.options.cuped)

    def _unmeasured(self, metric: Metric) -> str:
        if metric.kind == "coverage":
            if self.users.items is not None and self.users.items.covered:
                return "not measured: each random group of users was shown the same number of items"
            return "not measured: the log holds no items of random groups of users"
        return "not measured: nothing varies between users, or an arm has fewer than two"


def _covered(users: Users, arm: int) -> Array:
    """Distinct items shown to each random group of an arm's users; none where the log was not read for it."""
    covered = users.items.covered if users.items is not None else ()
    return covered[arm] if covered else np.empty(0)


def _of(results: list[MetricResult], arm: str, metric: Metric) -> MetricResult:
    return next(each for each in results if each.arm == arm and each.metric.name == metric.name)


def _size(goal: MetricResult) -> float:
    """The relative effect, turned so that up is better; 0 where there is none."""
    told = goal.effect
    if told is None or not math.isfinite(told.estimate):
        return 0.0
    return told.estimate if goal.metric.wanted == "up" else -told.estimate


def _verdict(
    users: Users, results: list[MetricResult], arm: int, schedule: Schedule, options: AnalysisOptions
) -> Verdict:
    """On one treatment."""
    of_arm = [each for each in results if each.arm == users.arms[arm]]
    goal = next(each for each in of_arm if each.metric.role == "goal")
    rails = [each for each in of_arm if each.metric.role == "guardrail"]
    clock = Clock(users.days, schedule.planned_days, growth(goal.looks))
    return verdict(goal, rails, clock, options, len(users.arms) - 1)


def _last_drawn(users: Users) -> Users:
    """The users whom the plan's weights drew: those that it has now, where they were changed."""
    if users.weights is None or not len(users):
        return users
    return users.take(users.weights == users.weights.max())


def _stopped(
    users: Users, by_arm: list[Users], ratio: SampleRatio, goal: Metric, options: AnalysisOptions
) -> Result:
    """Of an experiment whose arms have the wrong number of users: nothing but that."""
    arms = [ArmResult(name, len(each), {}) for name, each in zip(users.arms, by_arm, strict=True)]
    told = no_verdict(goal.name, users.arms[1], ratio.words)
    return Result(ratio, arms, [], {}, {}, {}, told, users.days, options, users.counts.as_dict())
