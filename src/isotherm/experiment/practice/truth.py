"""The truth: what each arm is worth to these viewers, from the chances of clicks, which no log holds.

All viewers live through all days in the one arm, and in the other, many times over, with other lots. What
counts are the chances of clicks and not the clicks: so only the way that a viewer takes is left to chance.
"""

import math
from dataclasses import dataclass

import numpy as np

from isotherm.experiment.practice.arms import Models
from isotherm.experiment.practice.days import MEAN_OF_SPREAD, Done, live
from isotherm.experiment.practice.own_lists import OwnLists
from isotherm.experiment.practice.titles import Titles
from isotherm.experiment.practice.viewers import Viewers
from isotherm.streams import stream_seed
from isotherm.types import Float64


@dataclass(frozen=True)
class Truth:
    """Of one metric: its values, and the relative difference with its standard error over draws."""

    control: float
    treatment: float
    estimate: float
    error: float


def truths(
    viewers: Viewers, titles: Titles, models: Models, days: int, k: int, draws: int, seed: int
) -> dict[str, Truth]:
    """Metric -> the truth.  draws: times that all viewers live through all days in either arm."""
    values: list[list[dict[str, float]]] = []
    for draw in range(draws):
        lots = stream_seed(seed, "truth", draw)
        comings = viewers.comings(days, lots)
        both = []
        for model in (models.control, models.treatment)[: 1 if models.same else 2]:
            lists = OwnLists(titles, [model], np.zeros(len(viewers), dtype=np.int64), k)
            both.append(_worth(live(viewers, titles, comings, lists, lots), viewers, titles))
        values.append([both[0], both[-1]])
    return {
        metric: _truth(np.array([[each[metric] for each in pair] for pair in values]))
        for metric in values[0][0]
    }


def _worth(done: Done, viewers: Viewers, titles: Titles) -> dict[str, float]:
    """Metric -> its value, of users who came at all."""
    n_shown, n_viewers = float((done.shown >= 0).sum()), len(np.unique(done.viewer))
    clicks = done.chances.sum()
    seconds = (done.chances.sum(axis=1) * viewers.seconds[done.viewer]).sum() * MEAN_OF_SPREAD
    new = ((titles.comes[done.shown] >= 0) & (done.shown >= 0)).sum()
    return {
        "ctr": clicks / n_shown,
        "clicks_per_user": clicks / n_viewers,
        "watch_per_user": seconds / n_viewers,
        "cold_share": new / n_shown,
    }


def _truth(values: Float64) -> Truth:
    """values: (draws, 2) of control and treatment."""
    control, treatment = values.mean(axis=0)
    if control == 0:
        return Truth(0.0, float(treatment), math.nan, math.nan)
    ratio = treatment / control
    spread = np.std(values[:, 1] - ratio * values[:, 0], ddof=1) if len(values) > 1 else math.nan
    return Truth(
        float(control), float(treatment), float(ratio - 1), float(spread / control / math.sqrt(len(values)))
    )
