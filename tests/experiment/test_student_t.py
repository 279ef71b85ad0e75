"""Intervals and p over users: SciPy's t-test, and the sign test where all users are alike."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from isotherm.experiment.student_t import student_t


def test_it_is_the_t_test_of_a_mean():
    values = np.random.default_rng(0).normal(0.3, 1, 12)
    test = ttest_1samp(values, 0.0)
    low, high = test.confidence_interval(0.95)
    half, p = student_t(values.mean(), values.std(ddof=1) / math.sqrt(12), 12)
    assert (p, values.mean() - half, values.mean() + half) == pytest.approx((test.pvalue, low, high))


@pytest.mark.parametrize(
    ("value", "n_users", "half", "p"),
    [(2.0, 1, math.inf, 1.0), (2.0, 5, math.inf, 0.0625), (-2.0, 6, 0.0, 0.03125), (0.0, 6, 0.0, 1.0)],
)
def test_users_who_are_alike_are_as_sure_as_their_signs(value, n_users, half, p):
    assert student_t(value, 0.0, n_users) == (half, p)
