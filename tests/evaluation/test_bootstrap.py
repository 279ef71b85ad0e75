"""Intervals of means, checked by simulation."""

import numpy as np
import pytest

from isotherm.evaluation.bootstrap import intervals


@pytest.mark.parametrize("skewed", [False, True])
def test_interval_covers_the_true_mean_about_95_times_in_100(skewed):
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(400):
        values = rng.random(300) < 0.1 if skewed else rng.random(300)
        low_high = intervals(values[:, None].astype(float), seed=trial)[0]
        covered += low_high.low <= (0.1 if skewed else 0.5) <= low_high.high
    assert 0.92 <= covered / 400 <= 0.98


def test_interval_of_few_users_is_no_illusion():
    """Hits of one user in ten: four of twenty users are often all without one."""
    rng = np.random.default_rng(3)
    drawn = [intervals((rng.random(20) < 0.1)[:, None].astype(float), seed=trial)[0] for trial in range(300)]
    possible = 1 - 0.9**20  # that there is a hit at all
    assert np.mean([each.low <= 0.1 <= each.high for each in drawn]) > 0.95 * possible


def test_interval_is_seeded_and_holds_its_mean():
    values = np.random.default_rng(1).random((50, 2))
    one, again, other = intervals(values, 3), intervals(values, 3), intervals(values, 4)
    assert one == again != other
    for column, interval in zip(values.T, one, strict=True):
        assert interval.mean == pytest.approx(column.mean())
        assert interval.low <= interval.mean <= interval.high


def test_single_user_has_a_point_for_an_interval():
    interval = intervals(np.array([[0.25]]))[0]
    assert (interval.low, interval.mean, interval.high) == (0.25, 0.25, 0.25)
