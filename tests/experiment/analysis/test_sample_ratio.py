import numpy as np
import pytest
from scipy import stats

from isotherm.errors import ParameterError
from isotherm.experiment.analysis.sample_ratio import power_of_mismatch, sample_ratio


def test_it_is_pearsons_chi_square_with_the_plans_weights():
    told = sample_ratio("abc", (510, 240, 250), (2, 1, 1))
    assert told.p == pytest.approx(stats.chisquare([510, 240, 250], [500, 250, 250]).pvalue, abs=1e-12)
    assert told.expected == (500, 250, 250)
    assert not told.mismatch
    assert "a 510 (expected 500)" in told.words


def test_lost_users_are_told():
    told = sample_ratio("ab", (10_000, 9_400), (1, 1))
    assert told.mismatch
    assert "mismatch" in told.words


def test_its_power_is_that_of_a_simulation():
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(1000):
        control = rng.binomial(10_000, 0.5)
        found += sample_ratio("ab", (control, rng.binomial(10_000 - control, 0.92)), (1, 1)).mismatch
    assert found / 1000 == pytest.approx(power_of_mismatch(10_000, (1, 1), 0.08), abs=0.04)
    assert power_of_mismatch(10_000, (1, 1), 0.0) == pytest.approx(0.001, rel=1e-6)


def test_weights_that_are_none_are_refused_and_nobody_is_no_mismatch():
    with pytest.raises(ParameterError, match="weights must be 2 numbers of at least 0"):
        sample_ratio("ab", (1, 2), (1, -1))
    with pytest.raises(ParameterError):
        sample_ratio("ab", (1, 2), (1,))
    assert not sample_ratio("ab", (0, 0), (1, 1)).mismatch


def test_an_arm_that_takes_no_new_users_is_left_out():
    told = sample_ratio("abc", (500, 500, 90), (1, 1, 0))
    assert told.p == 1.0
    assert told.expected == (500, 500, 90)
    assert sample_ratio("abc", (500, 300, 90), (1, 1, 0)).mismatch
