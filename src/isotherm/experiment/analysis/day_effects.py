"""The effect day by day, from moments by day and arm."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import relative_difference
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.samples import CAPPED, ArmMoments, columns_of, sample
from isotherm.experiment.log import Moments
from isotherm.experiment.metrics import Metric


@dataclass(frozen=True)
class DayEffect:
    """The relative difference on one day."""

    day: int  #: counted from 0
    users: int  #: of both arms
    estimate: float
    error: float  #: standard error of log(treatment / control)


def day_effects(metric: Metric, moments: Moments, arm: int, options: AnalysisOptions) -> list[DayEffect]:
    """The effect on each day that has ``fewest`` users in both arms; none where moments do not tell the
    metric. Days without a relative difference, or where nothing varies, are left out.

    moments: of what users did on each day, or to its end.  arm: place of the treatment.
    """
    if not readable(metric, moments.columns):
        return []
    found = []
    for day in range(len(moments.n)):
        users = [int(moments.n[day, place]) for place in (0, arm)]
        if min(users) < options.fewest:
            continue
        arms = pair(*(sample(metric, ArmMoments.at(moments, day, each), options.cuped) for each in (0, arm)))
        estimate, error = relative_difference(arms)
        if arms.variance > 0 and estimate > -1 and math.isfinite(error) and error > 0:
            found.append(DayEffect(day, sum(users), estimate, error / (1 + estimate)))
    return found


def readable(metric: Metric, columns: Sequence[str]) -> bool:
    """Whether moments of these columns tell a metric."""
    needed = columns_of([metric])
    return bool(needed) and all(name in columns and not name.endswith(CAPPED) for name in needed)
