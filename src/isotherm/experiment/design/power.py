"""How small an effect an experiment of so many days tells, and how many days an effect needs.

Each day of the log is an experiment that ends there: it has the users who came by then, who are fewer than
days times users a day, since people come back; and what each did by then, whose variance grows with days,
too. Beyond the log, the least effect that can be told goes on as a power of days. Power is tea-tasting's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isotherm.experiment.analysis.coverage import coverage_sample
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.day_effects import readable
from isotherm.experiment.analysis.samples import (
    ArmMoments,
    Sample,
    columns_of,
    sample,
    trimmed_sample,
    values_of,
)
from isotherm.experiment.design.options import TRIM, DesignOptions
from isotherm.experiment.extra import tea_tasting
from isotherm.experiment.log import Users
from isotherm.experiment.metrics import Metric

_FEWEST = 20  # users, from which a variance says something
_RATE = (0.1, 1.0)  # of information with days


@dataclass(frozen=True)
class Horizon:
    """An experiment of so many days."""

    days: int
    users: float  #: that take part, all arms together
    detectable: float  #: least relative effect that is told with the wanted power
    beyond: bool  #: whether the log is shorter


@dataclass(frozen=True)
class MetricDesign:
    """What an experiment on one metric needs."""

    metric: Metric
    value: float  #: base rate: over all days of the log's experiment
    deviation: float  #: between users, of one user's influence value, without CUPED
    variance_kept: float  #: share of the variance that CUPED leaves
    horizons: list[Horizon]
    days: int | None  #: that the wanted effect needs; None where they are more than the longest
    users: int | None  #: that these days bring
    note: str = ""


def metric_design(users: Users, metric: Metric, options: DesignOptions) -> MetricDesign:
    """Of one metric on a site's users, who are all in one arm."""
    of_all = _whole(users, metric, options)
    if not of_all.measured or of_all.value <= 0 or of_all.variance <= 0:
        note = "not measured: nothing varies between users" if metric.kind != "coverage" else _COVERAGE
        return MetricDesign(metric, of_all.value, math.nan, 1.0, [], None, None, note)
    known = _known(users, metric, of_all, options)
    horizons = known + _beyond(known, options)
    needed = next((each for each in horizons if each.detectable <= options.effect), None)
    kept = pair(of_all, of_all).variance_kept
    shown = [each for each in horizons if each.days in _SHOWN or not each.beyond or each is needed]
    return MetricDesign(
        metric,
        of_all.value,
        of_all.variance**0.5,
        kept,
        shown,
        None if needed is None else needed.days,
        None if needed is None else round(needed.users),
    )


_COVERAGE = "not measured: coverage has no variance between users"
_SHOWN = (7, 14, 21, 28, 42, 56, 84)


def detectable(of_all: Sample, n_users: float, options: DesignOptions) -> float:
    """Least relative effect that so many users tell, both arms together."""
    tea = tea_tasting()
    unit = pair(of_all, of_all).control.unit
    metric = tea.Mean(
        "value",
        alpha=1 - options.level,
        power=options.power,
        ratio=options.treated / (1 - options.treated),
        n_obs=max(round(n_users), 4),
        equal_var=False,
    )
    told = tea.aggr.Aggregates(count_=of_all.n, mean_={"value": of_all.value}, var_={"value": unit})
    return float(metric.solve_power_from_aggregates(told, "rel_effect_size")[0].rel_effect_size)


def _whole(users: Users, metric: Metric, options: DesignOptions) -> Sample:
    """The metric over all days."""
    kept = users.kept
    if metric.kind == "coverage":
        return coverage_sample(np.empty(0))
    if metric.robust == "trimmed":
        return trimmed_sample(kept.column(metric.numerator), TRIM)
    columns = columns_of([metric])
    return sample(metric, ArmMoments.of(columns, values_of(kept, columns)), options.cuped)


def _known(users: Users, metric: Metric, of_all: Sample, options: DesignOptions) -> list[Horizon]:
    """Experiments that end on a day of the log; those of metrics that days do not tell, on the last alone."""
    daily = users.daily
    if daily is None or not readable(metric, daily.to_date.columns):
        n = of_all.n * options.traffic
        return [Horizon(users.days, n, detectable(of_all, n, options), False)]
    by_day = [
        (day + 1, sample(metric, ArmMoments.at(daily.to_date, day, 0), options.cuped))
        for day in range(len(daily.to_date.n))
    ]
    told = [(day, each) for day, each in by_day if each.n >= _FEWEST and each.measured and _spread(each) > 0]
    if not told:
        return []
    last = told[-1][1]
    errors = detectable(last, last.n * options.traffic, options) / _spread(last)
    return [Horizon(day, each.n * options.traffic, errors * _spread(each), False) for day, each in told]


def _spread(told: Sample) -> float:
    """Standard error of the relative value of a site, less what CUPED takes off; 0 where there is none."""
    return float(pair(told, told).control.variance ** 0.5 / told.value) if told.value > 0 else 0.0


def _beyond(known: Sequence[Horizon], options: DesignOptions) -> list[Horizon]:
    """Longer experiments: users and the least effect go on as in the second half of the log."""
    if not known:
        return []
    last = known[-1]
    late = [each for each in known if 2 * each.days >= last.days]
    information, growth = 0.5, 0.5  # of one day alone nothing can be read: as if half of the users came back
    if len(late) > 2:
        days = np.log([each.days for each in late])
        information = -2 * float(np.polyfit(days, np.log([each.detectable for each in late]), 1)[0])
        growth = float(np.polyfit(days, np.log([each.users for each in late]), 1)[0])
    information, growth = (float(np.clip(each, *_RATE)) for each in (information, growth))
    return [
        Horizon(
            days,
            last.users * (days / last.days) ** growth,
            last.detectable * (days / last.days) ** (-information / 2),
            True,
        )
        for days in range(last.days + 1, options.longest + 1)
    ]
