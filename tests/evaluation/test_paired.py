"""Paired comparisons: interval and p are of one test, which keeps its level on differences like users'."""

import math

import numpy as np
import pytest

from isotherm.evaluation.bootstrap import Interval
from isotherm.evaluation.paired import Comparison, corrected, holm, paired_test

TRIALS, USERS = 2500, 150
DIFFERENCES = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "hits of two models, 85% alike": lambda rng, shape: rng.choice([-1.0, 0, 1], shape, p=[0.07, 0.85, 0.08]),
    "ranks, skewed, half alike": lambda rng, shape: (
        rng.choice([-0.5, 0, 1], shape, p=[0.2, 0.5, 0.3]) * rng.beta(1, 2, shape)
    ),
}


def samples(kind, n_users):
    """(TRIALS, n_users) differences, and their true mean."""
    rng = np.random.default_rng(7)
    drawn = DIFFERENCES[kind](rng, (TRIALS, n_users))
    return drawn, float(DIFFERENCES[kind](rng, 1_000_000).mean())


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_interval_covers_the_true_mean_95_times_in_100(kind):
    drawn, truth = samples(kind, USERS)
    covered = np.mean([low_high.low <= truth <= low_high.high for low_high, _ in map(paired_test, drawn)])
    assert 0.94 <= covered <= 0.96


@pytest.mark.parametrize("kind", DIFFERENCES)
def test_equal_models_are_told_apart_5_times_in_100(kind):
    """Equal models: each user's difference might as well have the other sign."""
    drawn, _ = samples(kind, USERS)
    signs = np.random.default_rng(8).choice([-1, 1], drawn.shape)
    assert 0.04 <= np.mean([p < 0.05 for _, p in map(paired_test, drawn * signs)]) <= 0.06


@pytest.mark.parametrize("n_users", [2, 3, 7, 50])
@pytest.mark.parametrize("kind", DIFFERENCES)
def test_interval_leaves_0_out_exactly_where_p_is_below_5_percent(kind, n_users):
    drawn, _ = samples(kind, n_users)
    shifts = np.random.default_rng(9).normal(scale=3 / np.sqrt(n_users), size=300)
    tested = [paired_test(row + shift) for row, shift in zip(drawn[:300], shifts, strict=True)]
    told_apart = [not each.low <= 0 <= each.high for each, _ in tested]
    assert told_apart == [p < 0.05 for _, p in tested]
    assert not all(told_apart)
    assert any(told_apart) or n_users == 2


@pytest.mark.parametrize("n_users", range(1, 9))
@pytest.mark.parametrize("value", [0.0, 0.3, -1.0, 1 / 3])
def test_users_who_all_differ_by_the_same_are_sure_only_where_they_are_many(n_users, value):
    difference, p = paired_test(np.full(n_users, value))
    assert p == (2.0 ** (1 - n_users) if value else 1.0)
    assert difference.mean == pytest.approx(value)
    reach = math.inf if n_users < 6 else 0.0
    assert (difference.low, difference.high) == pytest.approx((value - reach, value + reach))
    rounded = np.full(n_users, value) + np.linspace(0, 1e-16, n_users)
    assert paired_test(rounded)[1] == p


def test_test_is_that_of_the_textbook():
    """Mean 2, standard error √(2.5 / 5), t of 4 degrees of freedom at 97.5%: 2.7764."""
    difference, p = paired_test(np.array([0.0, 1, 2, 3, 4]))
    reach = 2.7764451 * math.sqrt(2.5 / 5)
    assert (difference.low, difference.high) == pytest.approx((2 - reach, 2 + reach))
    assert p == pytest.approx(0.0474207)


def test_nobody_is_not_compared():
    with pytest.raises(ValueError, match="there is no user to compare"):
        paired_test(np.array([]))


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_only_comparisons_shown_together_are_corrected_for():
    one, other, third = (
        Comparison("all", "hr@5", "a", name, 9, Interval(0.1, 0.0, 0.2), p, p)
        for name, p in (("b", 0.01), ("c", 0.02), ("d", 0.5))
    )
    together = corrected([one, other, third])
    assert [each.p_holm for each in together] == pytest.approx([0.03, 0.04, 0.5])
    assert [each.p_holm for each in corrected(together[1:])] == pytest.approx([0.04, 0.5])
