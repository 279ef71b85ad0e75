"""Tables of the experiment's page, from a Result."""

import math

from isotherm.experiment.analysis import Result
from isotherm.experiment.analysis.effects import Effect, Interval
from isotherm.experiment.analysis.groups import Heterogeneity
from isotherm.report.experiment.labels import COUNTS, metric_label
from isotherm.report.tables import Table, number, p_value

_MOST = 10.0  # relative difference that is told


def arms_table(result: Result) -> Table:
    """Users of each arm beside what the plan gives them."""
    ratio = result.sample_ratio
    rows = [
        [arm, f"{users:,}", f"{expected:,.0f}", number(users / expected - 1, "+.1%") if expected else ""]
        for arm, users, expected in zip(ratio.arms, ratio.users, ratio.expected, strict=True)
    ]
    return Table(["arm", "users", "by the plan", "apart"], rows)


def metrics_table(result: Result) -> Table:
    """A row for each metric and treatment."""
    several = len(result.arms) > 2
    rows = []
    for each in result.metrics:
        told = each.effect
        row = [metric_label(each.metric.name), each.metric.role, *([each.arm] if several else [])]
        if told is None:
            rows.append([*row, *[""] * 7])
            continue
        sequence = between(each.looks[-1].sequence) if each.looks else ""
        better = told.posterior.probability_better if math.isfinite(told.estimate) else None
        row += [_value(told.control), _value(told.treatment), change(told), sequence]
        rows.append([*row, p_value(told.p), p_or_none(each.p_adjusted), number(better, ".1%")])
    names = ["metric", "role", *(["arm"] if several else []), "control", "treatment", "relative difference"]
    return Table([*names, "at any look", "p", "p, corrected", "better"], rows, words=3 if several else 2)


def groups_table(groups: Heterogeneity) -> Table:
    """A row for each group."""
    rows = [
        [
            each.group,
            f"{each.users:,}",
            _value(each.effect.control),
            _value(each.effect.treatment),
            change(each.effect),
        ]
        for each in groups.groups
    ]
    return Table([groups.by, "users", "control", "treatment", "relative difference"], rows)


def looks_table(result: Result) -> Table:
    """The goal at the end of each day."""
    goal = result.goal
    rows = [
        [
            str(look.day),
            f"{look.users:,}",
            number(look.estimate, "+.1%"),
            between(look.fixed),
            between(look.sequence),
            p_value(look.p),
        ]
        for look in (goal.looks if goal is not None else [])
    ]
    return Table(["day", "users", "estimate", "this look alone", "at any look", "p, always valid"], rows)


def counts_table(result: Result) -> Table:
    """What the log held; zeros are left out."""
    rows = [
        [words, f"{result.counts[name]:,}"]
        for name, words in COUNTS.items()
        if result.counts.get(name) or (name == "rows" and name in result.counts)
    ]
    return Table(["of the log", "number"], rows)


def change(told: Effect) -> str:
    """The relative difference with its interval."""
    if not math.isfinite(told.estimate):
        return "none: the control's is 0"
    return f"{number(told.estimate, '+.1%')} {between(told.relative)}"


def between(interval: Interval) -> str:
    """[low, high] in per cent."""
    return f"[{_percent(interval.low)}, {_percent(interval.high)}]"


def _percent(value: float) -> str:
    """What is more than ten times as much tells nothing but that."""
    return "∞" if value > _MOST else number(value, "+.1%")


def _value(value: float) -> str:
    return number(value, ",.0f" if abs(value) >= 1000 else ".4g")


def p_or_none(value: float) -> str:
    """A p-value; empty where there is none."""
    return p_value(value) if math.isfinite(value) else ""
