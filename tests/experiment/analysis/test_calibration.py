"""A small version of benchmarks/experiment_calibration.py: intervals cover the truth as often as they say."""

import numpy as np

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import effect
from isotherm.experiment.analysis.samples import ArmMoments, columns_of, sample, values_of
from isotherm.experiment.metrics import by_name
from tests.experiment.analysis.people import people

NAMES = ("ctr", "clicks_per_user", "watch_per_user_winsorised")
EXPERIMENTS = 250


def test_intervals_cover_the_truth_of_a_population():
    """250 experiments of 1,000 users of an arm; at 95%, fewer than 91% would be one in 400."""
    metrics = [by_name(name) for name in NAMES]
    columns = columns_of(metrics)
    users = people(40_000, effect=0.1)
    worlds = [values_of(users.take(users.arm == arm), columns) for arm in (0, 1)]
    whole = [ArmMoments.of(columns, world) for world in worlds]
    rng, covered = np.random.default_rng(0), dict.fromkeys(NAMES, 0)
    truth = {
        metric.name: sample(metric, whole[1], False).value / sample(metric, whole[0], False).value - 1
        for metric in metrics
    }
    for _ in range(EXPERIMENTS):
        drawn = [world[rng.integers(len(world), size=1000)] for world in worlds]
        moments = [ArmMoments.of(columns, each) for each in drawn]
        for metric in metrics:
            told = effect(pair(*(sample(metric, each, False) for each in moments)), AnalysisOptions())
            covered[metric.name] += told.relative.low <= truth[metric.name] <= told.relative.high
    assert all(0.91 <= n / EXPERIMENTS <= 0.985 for n in covered.values()), covered
