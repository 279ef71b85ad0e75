"""Whether an effect wears off: by days since users' first exposure (novelty), and from refit to refit.

Effects of different days are of the same users, in part: their errors are correlated, and nearly always
positively. The tests take them as independent. A contrast between days then has a smaller error than it is
given, so a p below the level is at least as good as it says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from isotherm.experiment.analysis.day_effects import DayEffect

SHARED = (
    "Both arms' models learn from the clicks of both arms at a shared refit, so what one arm likes may "
    "reach the other, which draws the effect towards 0."
)


@dataclass(frozen=True)
class Novelty:
    """Effects by days since the first exposure, and their trend."""

    days: list[DayEffect]
    slope: float  #: of log(treatment / control) a day; NaN where fewer than three days tell
    error: float
    p: float  #: of no trend
    words: str


@dataclass(frozen=True)
class SpillOver:
    """Effects between shared refits, and whether they change from the first to the last."""

    measured: bool
    segments: list[DayEffect]  #: day: of the first of each
    change: float  #: of log(treatment / control), last minus first; NaN where it is not measured
    error: float
    p: float
    words: str


def novelty(days: list[DayEffect], level: float = 0.95) -> Novelty:
    """The trend of effects over days since the first exposure: weighted least squares."""
    if len(days) < 3:
        few = "Novelty is not measured: fewer than three days since users' first exposure tell of an effect."
        return Novelty(days, math.nan, math.nan, math.nan, few)
    at = np.array([each.day for each in days], dtype=float)
    value = np.log1p([each.estimate for each in days])
    weight = np.array([each.error for each in days]) ** -2.0
    at -= at @ weight / weight.sum()
    spread = float(weight @ at**2)
    slope, error = float((weight * at) @ value) / spread, spread**-0.5
    p = float(2 * stats.norm.sf(abs(slope / error)))
    return Novelty(days, slope, error, p, _trend_words(slope, p, level))


def spill_over(days: list[DayEffect], refits: Sequence[int]) -> SpillOver:
    """The effect after the last shared refit against that before the first.

    days: effects by day of the experiment.  refits: days on which shared models were refitted.
    """
    cuts = sorted({day for day in refits if day > 0})
    parts = [
        [each for each in days if start <= each.day < end]
        for start, end in zip([0, *cuts], [*cuts, math.inf], strict=True)
    ]
    parts = [part for part in parts if part]
    if len(cuts) < 2 or len(parts) < 3:
        words = (
            f"Spill-over is not measured: the log holds fewer than two refits within the experiment. {SHARED}"
        )
        return SpillOver(False, [], math.nan, math.nan, math.nan, words)
    segments = [_together(part) for part in parts]
    change = math.log1p(segments[-1].estimate) - math.log1p(segments[0].estimate)
    error = math.hypot(segments[-1].error, segments[0].error)
    p = float(2 * stats.norm.sf(abs(change / error)))
    words = (
        f"Over {len(cuts)} refits the relative effect went from {segments[0].estimate:+.1%} to "
        f"{segments[-1].estimate:+.1%} (p = {p:.2g}). {SHARED} Novelty may show in the same way."
    )
    return SpillOver(True, segments, change, error, p, words)


def _together(days: list[DayEffect]) -> DayEffect:
    """The effect of several days, weighted by precision."""
    weight = np.array([each.error for each in days]) ** -2.0
    value = float(weight @ np.log1p([each.estimate for each in days]) / weight.sum())
    return DayEffect(
        days[0].day, max(each.users for each in days), math.expm1(value), float(weight.sum() ** -0.5)
    )


def _trend_words(slope: float, p: float, level: float) -> str:
    if p >= 1 - level:
        return f"No sign of novelty: no trend of the effect since the first exposure (p = {p:.2g})."
    what = "falls" if slope < 0 else "grows"
    return (
        f"The effect {what} by {abs(math.expm1(slope)):.2%} a day since the first exposure (p = {p:.2g}): "
        "judge by the last days, not by the mean."
    )
