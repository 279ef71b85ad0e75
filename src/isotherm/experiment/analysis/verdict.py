"""Ship, stop or wait: what follows from an experiment, in plain words.

Before the day that was planned, and after it, the confidence sequence decides, as people look when they like.
On the planned day the interval of that one look decides. A treatment without any effect ships by each of the
two with a chance of (1 − level) / 2 at most, so with 1 − level at most by either. Several treatments share
that chance (Bonferroni).

ship   the goal is better, and every guardrail that is measured loses less than its margin
stop   the goal is worse; or a guardrail is known to lose more than its margin; or the goal gains less than is
       worth having
wait   otherwise, for the days until intervals are narrow enough; where nobody would wait so long, it is
       undecided, and the words say so
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from isotherm.experiment.analysis.effects import Effect, Interval
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.sequences import Look, around, reach

if TYPE_CHECKING:
    from isotherm.experiment.analysis.result import MetricResult

Action = Literal["ship", "stop", "wait", "invalid"]
_YEARS = 730  # days, from which on they are told as years
_RATE = (0.25, 1.0)  # of information with days: information ~ days^rate
_NONE = (
    "Wait: no effect on {} can be measured yet, as the log holds nothing of it that varies between the users "
    "of each arm."
)


@dataclass(frozen=True)
class Verdict:
    """What to do.  action: «invalid» where the sample ratio is wrong."""

    action: Action
    metric: str  #: the goal that it is about
    arm: str  #: the treatment that it is about
    wait_days: int | None  #: to wait; None unless the action is wait
    words: list[str]


@dataclass(frozen=True)
class Clock:
    """Where an experiment is in time."""

    day: int  #: last one of the log, counted from 1
    planned: int | None = None  #: the last day that was planned
    growth: float = 1.0  #: rate of information with days

    @property
    def planned_look(self) -> bool:
        """Whether this is the one look that was planned."""
        return self.planned is not None and self.day == self.planned

    @property
    def interval(self) -> str:
        """Which interval decides today, in words."""
        if self.planned_look:
            return "interval of the planned look"
        return "confidence sequence, valid however often one looks"

    def days_until(self, ratio: float) -> int:
        """Days until information is ``ratio`` times what it is; at least to the day that was planned."""
        needed: float = self.day * (max(ratio, 1.0) ** (1 / self.growth) - 1)
        left = max(0, self.planned - self.day) if self.planned is not None else 0
        return max(1, left, math.ceil(min(needed, 1e6)))


def growth(looks: Sequence[Look]) -> float:
    """How information grows with days, from the second half of the looks: information ~ days^rate."""
    late = looks[len(looks) // 2 :]
    if len(late) < 3:
        return 1.0
    days = np.log([look.day for look in late])
    return float(np.clip(np.polyfit(days, [-2 * math.log(look.error) for look in late], 1)[0], *_RATE))


def verdict(
    goal: "MetricResult",
    guardrails: Sequence["MetricResult"],
    clock: Clock,
    options: AnalysisOptions,
    arms: int = 1,
) -> Verdict:
    """The verdict on one treatment.  arms: how many treatments there are."""
    level = 1 - (1 - options.level) / arms
    told = goal.effect
    if told is None or not math.isfinite(told.error) or told.error <= 0:
        return Verdict(
            "wait", goal.metric.name, goal.arm, clock.days_until(1.0), [_NONE.format(goal.metric.name)]
        )
    sign = 1 if goal.metric.wanted == "up" else -1
    interval = _deciding(told, clock, options, level, sign)
    opened = _opened(goal, interval, sign, clock)
    rails = [_guardrail(each, level) for each in guardrails]
    unknown = [each.words for each in rails if each.state == "unknown"]
    broken = [each.words for each in rails if each.state == "broken"]
    action, why = _decided(interval, rails, options)
    if action != "wait":
        return Verdict(action, goal.metric.name, goal.arm, None, [*opened, why, *broken, *unknown])
    days = max([_goal_days(told, interval, clock, options, sign), *(each.days(clock) for each in rails)])
    open_rails = [each.words for each in rails if each.state == "open"]
    words = waiting(days, options.longest, "the intervals are still too wide to say")
    return Verdict("wait", goal.metric.name, goal.arm, days, [*opened, words, *open_rails])


def waiting(days: int, longest: int, why: str) -> str:
    """What to do while nothing is known: wait, or see that waiting alone does not help."""
    if days <= longest:
        return f"Wait {days:,} more day{'s' * (days > 1)}: {why}."
    how_long = f"about {days:,} days more" if days <= _YEARS else "years"
    return (
        f"Undecided: {why}, and to know would take {how_long}, longer than {longest} days. "
        "Give the arms more users, try a larger change, or end it and keep what was there."
    )


def no_verdict(metric: str, arm: str, words: str) -> Verdict:
    """Of an experiment whose arms have the wrong number of users."""
    return Verdict("invalid", metric, arm, None, [words])


def best(verdicts: Sequence[Verdict], estimates: Sequence[float]) -> Verdict:
    """Of several treatments: one to ship, else to wait for, else to stop; of these the largest effect."""
    rank = {"ship": 2, "wait": 1, "stop": 0, "invalid": 0}
    order = [(rank[each.action], value) for each, value in zip(verdicts, estimates, strict=True)]
    first = max(range(len(verdicts)), key=order.__getitem__)
    others = [line for n, each in enumerate(verdicts) if n != first for line in each.words]
    chosen = verdicts[first]
    return Verdict(chosen.action, chosen.metric, chosen.arm, chosen.wait_days, [*chosen.words, *others])


@dataclass(frozen=True)
class _Rail:
    """A guardrail; «unknown» where it is not measured.  ratio: how much more information would tell."""

    state: Literal["kept", "broken", "open", "unknown"]
    ratio: float
    words: str

    def days(self, clock: Clock) -> int:
        """Until it is known."""
        return clock.days_until(self.ratio) if self.state == "open" else 0


def _deciding(told: Effect, clock: Clock, options: AnalysisOptions, level: float, sign: int) -> Interval:
    """The interval that decides today, turned so that up is better."""
    if not clock.planned_look:
        found = around(told.log_ratio, reach(told.log_error, options.prior_scale, level))
    elif level == options.level:
        found = told.relative
    else:
        found = around(told.log_ratio, float(stats.norm.ppf((1 + level) / 2)) * told.log_error)
    return found if sign > 0 else Interval(-found.high, -found.low)


def _decided(interval: Interval, rails: Sequence[_Rail], options: AnalysisOptions) -> tuple[Action, str]:
    """What to do, and the reason."""
    if any(each.state == "broken" for each in rails):
        return "stop", "Stop: a guardrail loses more than its margin."
    if interval.high < 0:
        return "stop", "Stop: the treatment is worse."
    if interval.low > 0 and not any(each.state == "open" for each in rails):
        return "ship", "Ship: the treatment is better, and no measured guardrail loses more than its margin."
    if interval.high < options.worth:
        return "stop", f"Stop: the gain is less than the {options.worth:.1%} that is worth having."
    return "wait", ""


def _guardrail(rail: "MetricResult", level: float) -> _Rail:
    """Whether a guardrail loses less than its margin, by the interval of one look."""
    told, margin, name = rail.effect, rail.metric.margin, rail.metric.name
    if told is None or not math.isfinite(told.error):
        return _Rail("unknown", 1.0, f"Guardrail {name} is not measured: see to it in another way.")
    sign = 1 if rail.metric.wanted == "up" else -1
    ends = sorted((sign * told.relative.low, sign * told.relative.high))
    words = f"Guardrail {name}: {told.estimate:+.1%} [{told.relative.low:+.1%}, {told.relative.high:+.1%}]"
    words += f", margin {margin:.1%}."
    if ends[0] > -margin:
        return _Rail("kept", 1.0, words)
    if ends[1] < -margin:
        return _Rail("broken", 1.0, words)
    distance = max(abs(sign * told.estimate + margin), margin / 2, 1e-6)
    half = float(stats.norm.ppf((1 + level) / 2)) * told.error
    return _Rail("open", (half / distance) ** 2, words)


def _goal_days(told: Effect, interval: Interval, clock: Clock, options: AnalysisOptions, sign: int) -> int:
    """Days until the interval would leave out 0, or what is worth having, if the effect is as believed."""
    if interval.low > 0:
        return 0  # guardrails alone are waited for
    believed = sign * told.posterior.mean
    target = max(believed, options.worth - believed, options.worth / 2)
    half = (interval.high - interval.low) / 2
    return clock.days_until((half / target) ** 2)


def _opened(goal: "MetricResult", interval: Interval, sign: int, clock: Clock) -> list[str]:
    """What the goal did, in a sentence."""
    assert goal.effect is not None
    told = goal.effect
    low, high = sorted((sign * interval.low, sign * interval.high))
    return [
        f"{goal.arm} changes {goal.metric.name} by {told.estimate:+.2%} [{low:+.2%}, {high:+.2%}] "
        f"({clock.interval}); with a prior N(0, {told.posterior.prior_scale:g}²) it is better with "
        f"probability {told.posterior.probability_better:.1%}."
    ]
