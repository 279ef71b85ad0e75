"""The share of new items: factors that reach a share, what is expected and bearable."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.models.cold_start.calibration import WarmAndCold, surely_at_least, user_ndcgs
from isotherm.models.cold_start.new_item_share import (
    CutInTime,
    ShareGoal,
    UserLists,
    bearable_share,
    expected_share,
    learned_goal,
    lists_by,
    most_share,
    settled_scale,
    told_share,
)
from isotherm.ranking.topk import TopK

N_USERS = 400


def user_lists(exponent=0.5, seed=0):
    """Ten warm and ten cold items each; cold scores grow with the history's length, but for noise."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(5, 200, N_USERS)
    warm = np.sort(rng.uniform(1, 2, (N_USERS, 10)).astype(np.float32))[:, ::-1]
    cold = np.sort(rng.uniform(0.2, 0.4, (N_USERS, 10)).astype(np.float32))[:, ::-1]
    cold = cold * (lengths[:, None] / 50.0).astype(np.float32) ** np.float32(exponent)
    columns = np.tile(np.arange(10, dtype=np.int32), (N_USERS, 1))
    return UserLists(WarmAndCold(TopK(columns, warm), TopK(columns + 10, cold)), lengths)


def test_the_scaling_of_users_is_found():
    lists = user_lists(exponent=0.5)
    scaling = lists.user_scaling()
    assert scaling.exponent == pytest.approx(0.5, abs=0.05)
    assert scaling.mean_clicks == lists.lengths.mean()
    logs = np.log(lists.lists.warm.scores[:, -1] / lists.lists.cold.scores[:, 0])
    assert scaling.typical == pytest.approx(np.exp(logs.mean()), rel=1e-5)
    assert user_lists(exponent=-0.5).user_scaling().exponent == 0
    assert user_lists(exponent=3.0).user_scaling().exponent == 1


def test_users_without_scores_above_zero_are_all_scaled_alike():
    lists = user_lists()
    below = WarmAndCold(lists.lists.warm, TopK(lists.lists.cold.columns, -lists.lists.cold.scores))
    assert UserLists(below, lists.lengths).user_scaling().changes_nothing


def test_a_share_carries_over_to_users_whose_scores_are_higher():
    fitted = user_lists()
    scaling = fitted.user_scaling()
    factor = fitted.scaled(scaling).factor_for(0.2)
    higher = WarmAndCold(TopK(fitted.lists.warm.columns, 1.5 * fitted.lists.warm.scores), fitted.lists.cold)
    assert UserLists(higher, fitted.lengths).share_at(fitted.factor_for(0.2)) < 0.1
    assert UserLists(higher, fitted.lengths).scaled(scaling).share_at(factor) > 0.12


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.9])
def test_the_factor_gives_new_items_their_share(share):
    lists = user_lists()
    factor = lists.factor_for(share)
    assert lists.lists.scaled(np.float32(factor)).cold_share() == pytest.approx(share, abs=1e-3)
    above = lists.lists.scaled(np.float32(factor * 1.01)).cold_share()
    assert above > share


def cut(n_new, share, worth):
    """Targets among the warm items, and on cold ones for a ``worth`` of the users."""
    lists, rng = user_lists(), np.random.default_rng(n_new)
    targets = np.zeros((N_USERS, 20), dtype=np.float32)
    targets[:, :3] = 1
    targets[rng.random(N_USERS) < worth, 10] = 1
    targets = csr_array(targets)
    reference = user_ndcgs(lists.lists.warm.columns, targets)
    return CutInTime(lists, lists, targets, reference, n_new, share)


def test_more_new_items_are_expected_to_get_more():
    cuts = [cut(40, 0.2, 0), cut(10, 0.1, 0)]
    shares = [expected_share(cuts, n) for n in (0, 5, 10, 25, 40, 1000)]
    assert shares == pytest.approx([0, 0.05, 0.1, 0.1, 0.1, 0.1])  # the mean, 0.15, less its error, 0.05
    assert expected_share([cut(40, 0.2, 0)], 100) == pytest.approx(0.2)


def test_a_share_that_costs_the_ranking_is_lowered_and_one_that_helps_is_not():
    harmful = bearable_share([cut(40, 0.2, 0.0)], 0.5)
    assert harmful < 0.5
    reference, ndcgs = cut(40, 0.2, 0.0).reference, cut(40, 0.2, 0.0).ndcgs(harmful)
    assert ndcgs.mean() >= 0.995 * reference.mean()
    assert bearable_share([cut(40, 0.2, 1.0)], 0.1) == 0.1


def test_a_goal_says_what_it_follows_from():
    goal = learned_goal([cut(40, 0.2, 1.0), cut(30, 0.1, 1.0)], 35, None)
    assert (goal.expected, goal.share) == (pytest.approx(0.1), pytest.approx(0.1, abs=0.06))
    assert "20.0%, 10.0% of the latest clicks" in str(goal)
    assert learned_goal([cut(40, 0.2, 1.0), cut(30, 0.1, 1.0)], 0, None).expected == pytest.approx(0.1)


def test_only_what_new_items_change_is_uncertain():
    """A trend that changes every ranking does not make their cost less certain."""
    plain = cut(40, 0.2, 1.0)
    reference = plain.reference + np.where(np.arange(N_USERS) % 2, 0.3, -0.3)
    assert bearable_share([replace(plain, reference=reference)], 0.1) == bearable_share([plain], 0.1) == 0.1


def test_what_new_items_get_is_told():
    scale = settled_scale(user_lists(), ShareGoal(0.1))
    assert told_share(None, replace(scale, factor=1.0)) == str(replace(scale, factor=1.0))
    assert told_share(ShareGoal(0.1), scale) == "new items get 10.0% of the lists"
    assert told_share(ShareGoal(0.1, at_cuts=[0.1], expected=0.1), scale) == (
        "new items get 10.0% of the lists; they had 10.0% of the latest clicks, "
        "and at least 10.0% are expected"
    )


def test_surely_holds_back_two_standard_errors():
    reference = np.full(100, 0.5)
    assert surely_at_least(reference, reference, 1.0)
    noisy = reference + np.tile([0.1, -0.08], 50)
    assert not surely_at_least(noisy, reference, 1.0)
    assert surely_at_least(reference + 0.01, reference, 1.0)


def test_lists_leave_out_what_is_seen():
    scores = np.array([[5, 4, 3, 2], [1, 2, 3, 4]], dtype=np.float32)
    histories = csr_array(np.array([[1, 0, 0, 1], [0, 1, 1, 0]], dtype=np.float32))
    lists = lists_by(lambda block: scores.copy(), histories, np.array([0, 1]), np.array([2, 3]))
    assert lists.lists.warm.columns.tolist() == [[1, -1], [0, -1]]
    assert lists.lists.cold.columns.tolist() == [[2, -1], [3, -1]]
    assert lists.lengths.tolist() == [1, 1]


def test_without_times_new_items_get_no_more_than_twice_their_share_of_the_catalogue():
    clicks = Interactions.from_csr(csr_array(np.ones((4, 50), dtype=np.float32)))
    assert most_share(clicks, 5).share == pytest.approx(0.2)
    assert most_share(clicks, 40).share == 1
    assert most_share(replace(clicks, hidden_at_random=True), 5).share == 1
    lists = user_lists()
    freely = lists.share_at(4.0)
    lists = UserLists(lists.lists.scaled(np.float32(4)), lists.lengths)
    assert freely > 0.1
    held = settled_scale(lists, None, ShareGoal(0.1))
    assert held.share == pytest.approx(0.1, abs=1e-3)
    assert "10.0% of the lists" in told_share(None, held)
    assert "twice their share of the catalogue" in told_share(None, held)
    assert settled_scale(lists, None, ShareGoal(freely + 0.01)).factor == 1
