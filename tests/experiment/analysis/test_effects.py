import math

import numpy as np
import pytest
from scipy import stats

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import effect, fieller
from isotherm.experiment.analysis.samples import Sample, trimmed_sample
from tests.experiment.analysis.people import people

OPTIONS = AnalysisOptions()


def of(values):
    return Sample(len(values), values.mean(), np.array([[values.var(ddof=1)]]), np.empty(0))


@pytest.fixture(scope="module")
def arms():
    users = people(900, effect=0.1)
    return [users.watch_seconds[users.arm == arm] for arm in (0, 1)]


def test_p_and_interval_are_welchs_in_scipy_and_statsmodels(arms):
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    told = effect(pair(*map(of, arms)), OPTIONS)
    test = stats.ttest_ind(arms[1], arms[0], equal_var=False)
    assert told.p == pytest.approx(test.pvalue, abs=1e-9)
    interval = test.confidence_interval(0.95)
    assert (told.absolute.low, told.absolute.high) == pytest.approx((interval.low, interval.high), abs=1e-9)
    compared = weightstats.CompareMeans(*map(weightstats.DescrStatsW, arms[::-1]))
    assert told.p == pytest.approx(compared.ttest_ind(usevar="unequal")[1], abs=1e-9)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_trimmed_means_have_yuens_test(arms, share):
    told = effect(pair(*(trimmed_sample(each, share) for each in arms)), OPTIONS)
    test = stats.ttest_ind(arms[1], arms[0], equal_var=False, trim=share)
    assert told.p == pytest.approx(test.pvalue, abs=1e-9)
    assert told.absolute.low == pytest.approx(test.confidence_interval().low, abs=1e-9)


def test_the_relative_interval_leaves_out_0_exactly_where_p_is_small():
    rng = np.random.default_rng(1)
    for _ in range(200):
        found = effect(pair(of(rng.lognormal(0, 1, 40)), of(rng.lognormal(0.3, 1, 50))), OPTIONS)
        assert (found.p < 0.05) == (not found.relative.low <= 0 <= found.relative.high)
        assert found.relative.low <= found.estimate <= found.relative.high


def test_fiellers_ends_are_the_ratios_that_are_just_rejected(arms):
    both = pair(*map(of, arms))
    interval = fieller(both, 2.0)
    for end in (interval.low, interval.high):
        ratio = 1 + end
        gap = both.treatment.value - ratio * both.control.value
        spread = both.covariance[1, 1] + ratio**2 * both.covariance[0, 0]
        assert gap**2 == pytest.approx(4 * spread, rel=1e-9)
    noise = pair(of(np.array([-5.0, 6.0, 0.1])), of(np.array([1.0, 2.0, 3.0])))
    assert fieller(noise, 2.0).width == math.inf


def test_nothing_that_varies_is_no_effect_and_no_control_is_no_ratio():
    assert effect(pair(of(np.ones(10)), of(np.ones(10))), OPTIONS) is None
    told = effect(pair(of(np.zeros(100)), of(np.arange(100.0))), OPTIONS)
    assert math.isnan(told.estimate)
    assert told.p < 1e-9
    assert told.relative.width == math.inf
    assert told.posterior.probability_better == 0.5


def test_the_posterior_is_the_normal_one():
    told = effect(pair(of(np.arange(1.0, 101)), of(np.arange(3.0, 103))), AnalysisOptions(prior_scale=0.1))
    precision = 1 / 0.1**2 + 1 / told.error**2
    assert told.posterior.deviation == pytest.approx(precision**-0.5, rel=1e-12)
    assert told.posterior.mean == pytest.approx(told.estimate / told.error**2 / precision, rel=1e-12)
    chance = stats.norm.cdf(told.posterior.mean / told.posterior.deviation)
    assert told.posterior.probability_better == pytest.approx(chance, rel=1e-12)
    down = effect(pair(of(np.arange(1.0, 101)), of(np.arange(3.0, 103))), AnalysisOptions(), "down")
    assert down.posterior.probability_better < 0.5
