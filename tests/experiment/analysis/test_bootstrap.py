import numpy as np
import pytest

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis import bootstrap as module
from isotherm.experiment.analysis.bootstrap import Replicates, bootstrap_interval
from isotherm.experiment.analysis.cuped import pair
from isotherm.experiment.analysis.effects import effect
from isotherm.experiment.analysis.samples import ArmMoments, columns_of, sample, values_of
from isotherm.experiment.metrics import by_name
from tests.experiment.analysis.people import people

OPTIONS = AnalysisOptions(replicates=2000)


@pytest.mark.parametrize("name", ["ctr", "clicks_per_user", "watch_per_user_winsorised", "conversion"])
@pytest.mark.parametrize("units", [4000, 800])
def test_it_agrees_with_the_delta_method(name, units, monkeypatch):
    monkeypatch.setattr(module, "UNITS", units)  # 800: of 3,000 users of an arm, groups are weighted
    metric = by_name(name)
    users = people(6000, effect=0.1)
    columns = columns_of([metric])
    values = [values_of(users.take(users.arm == arm), columns) for arm in (0, 1)]
    arms = pair(*(sample(metric, ArmMoments.of(columns, each)) for each in values))
    drawn = [Replicates.of(columns, each, OPTIONS, arm) for arm, each in enumerate(values)]
    interval, told = bootstrap_interval(metric, *drawn, arms, 0.95), effect(arms, OPTIONS)
    assert interval.width == pytest.approx(told.relative.width, rel=0.08)
    middle = (interval.low + interval.high - told.relative.low - told.relative.high) / 2
    assert abs(middle) < 0.06 * told.relative.width


def test_each_user_is_drawn_with_all_that_it_did():
    """Doubling what each user does changes nothing; splitting users in two would narrow the interval."""
    metric = by_name("ctr")
    users = people(1000)
    columns = columns_of([metric])
    values = values_of(users, columns)
    one = Replicates.of(columns, values, OPTIONS, 0)
    twice = Replicates.of(columns, 2 * values, OPTIONS, 0)
    assert twice.of_metric(metric)[0] == pytest.approx(one.of_metric(metric)[0], rel=1e-12)


def test_the_same_seed_draws_the_same_and_arms_differ():
    values = people(100).clicks[:, None]
    one, again, other = (Replicates.of(("clicks",), values, OPTIONS, arm).means for arm in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
