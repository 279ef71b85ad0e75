import numpy as np
import pytest
from scipy import stats

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis.coverage import coverage_sample
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import effect


def test_groups_of_users_have_welchs_interval():
    few, many = np.array([100, 110, 95, 104]), np.array([120, 131, 118, 125, 122])
    told = effect(pair(coverage_sample(few), coverage_sample(many)), AnalysisOptions())
    assert told.control == pytest.approx(few.mean())
    assert told.p == pytest.approx(stats.ttest_ind(many, few, equal_var=False).pvalue, abs=1e-9)


def test_one_group_says_nothing_of_how_it_varies():
    assert not coverage_sample(np.array([100])).measured
    assert not coverage_sample(np.empty(0)).measured
