import math

import numpy as np

from isotherm.experiment.analysis import AnalysisOptions
from isotherm.experiment.analysis.groups import by_clicks, by_item
from isotherm.experiment.metrics import by_name
from tests.experiment.analysis.people import people

OPTIONS = AnalysisOptions()


def arms_of(users):
    return tuple(users.take(users.arm == arm) for arm in (0, 1))


def long_histories(**columns):
    """Users with clicks enough before to fill three groups."""
    return people(6000, before_clicks=6 * people(6000).before_clicks, **columns)


def clicks_where(users, boost, seed=0):
    """The users with more clicks in the treatment, where ``boost`` (n_users,) says."""
    rng = np.random.default_rng(seed)
    more = users.clicks + rng.binomial(users.impressions.astype(int), boost * (users.arm == 1))
    return np.minimum(more, users.impressions)


def test_groups_of_users_are_those_of_the_log_and_add_up():
    users = long_histories()
    told = by_clicks(by_name("ctr"), arms_of(users), OPTIONS)
    assert [each.group for each in told.groups] == ["fewer", "5-10", "11-50"]
    assert told.p > 0.001
    sizes = [int((users.clicks_before_group == place).sum()) for place in range(3)]
    assert [each.users for each in told.groups] == sizes


def test_an_effect_in_one_group_alone_is_told():
    users = long_histories()
    more = clicks_where(users, 0.08 * (users.clicks_before_group >= 2))
    changed = long_histories(clicks_on_shown=more)
    told = by_clicks(by_name("ctr"), arms_of(changed), OPTIONS)
    assert told.p < 0.001
    assert told.groups[2].effect.estimate > 0.3
    assert abs(told.groups[0].effect.estimate) < 0.2


def test_interaction_tests_are_seldom_wrong():
    alarms = np.zeros(2)
    for seed in range(100):
        arms = arms_of(people(1500, seed=seed))
        groups = by_clicks(by_name("ctr"), arms, AnalysisOptions(fewest=30)), by_item(arms, OPTIONS)
        alarms += [each.p < 0.05 for each in groups]
    assert (alarms <= 0.12 * 100).all()
    assert (alarms >= 0.01 * 100).all()


def test_cold_and_warm_items_have_their_effects_and_their_difference():
    users = people(6000)
    rng = np.random.default_rng(0)
    cold = np.minimum(users.cold_clicks + rng.binomial(1, 0.3, 6000) * users.arm, users.cold_impressions)
    changed = people(6000, cold_clicks=cold, clicks_on_shown=users.clicks_on_shown - users.cold_clicks + cold)
    told = by_item(arms_of(changed), OPTIONS)
    assert [each.group for each in told.groups] == ["cold", "warm"]
    assert told.groups[0].effect.estimate > 0.3
    assert abs(told.groups[1].effect.estimate) < 0.1
    assert told.p < 0.001


def test_without_cold_impressions_there_is_one_group_and_no_test():
    told = by_item(arms_of(people(500, cold_impressions=np.zeros(500), cold_clicks=np.zeros(500))), OPTIONS)
    assert [each.group for each in told.groups] == ["warm"]
    assert math.isnan(told.p)
    assert by_clicks(by_name("ctr"), arms_of(people(50)), OPTIONS).groups == []
    assert told.by == "item"
