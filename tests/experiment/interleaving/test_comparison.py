"""Preferences by users: known answers, SciPy, simulation, and beside an A/B test."""

import numpy as np
import pytest
from scipy.stats import norm, ttest_1samp

from isotherm.errors import InteractionsError, ParameterError
from isotherm.experiment.interleaving import FIRST, SECOND, Wins, compare, team_draft


def wins(users, first, second):
    return Wins(np.array(users), np.array(first, float), np.array(second, float))


def test_a_known_answer():
    found = compare(wins([0, 0, 0, 1, 2, 2], [0, 1, 2, 0, 1, 0], [1, 0, 2, 3, 0, 0]))
    assert found.won == (2, 2)
    assert (found.share, found.lists, found.users) == (0.5, 6, 3)
    assert found.click_share == pytest.approx(6 / 10)
    assert (found.p, found.low < 0.5 < found.high) == (1.0, True)


def test_with_one_list_a_user_it_is_the_t_test():
    rng = np.random.default_rng(0)
    second = (rng.random(80) < 0.62).astype(float)
    found = compare(wins(np.arange(80), 1 - second, second))
    test = ttest_1samp(second, 0.5)
    low, high = test.confidence_interval(0.95)
    np.testing.assert_allclose([found.p, found.low, found.high], [test.pvalue, low, high], rtol=1e-12)
    assert (found.p < 0.05) == (found.low > 0.5)


def test_the_order_of_the_models_only_turns_the_share_around():
    rng = np.random.default_rng(1)
    users, first, second = rng.integers(30, size=200), rng.integers(3, size=200), rng.integers(4, size=200)
    one, other = compare(wins(users, first, second)), compare(wins(users, second, first))
    assert other.share == pytest.approx(1 - one.share)
    assert (other.low, other.high, other.p) == pytest.approx((1 - one.high, 1 - one.low, one.p))


def test_users_who_all_agree_are_not_sure_by_themselves():
    assert compare(wins([0], [0], [1])).p == 1.0
    few = compare(wins([0, 1, 2], [0, 0, 0], [1, 1, 1]))
    assert (few.share, few.p, few.low, few.high) == (1.0, 0.25, 0.0, 1.0)
    many = compare(wins(np.arange(8), np.zeros(8), np.ones(8)))
    assert (many.p, many.low) == (2.0**-7, 1.0)
    with pytest.raises(InteractionsError, match="no interleaved list has a winner"):
        compare(wins([0, 1], [0, 1], [0, 1]))


def test_users_with_many_lists_count_once_each():
    """Equal models, users with a taste of their own: a test that took lists as units would cry wolf."""
    rng = np.random.default_rng(2)
    clustered, naive, runs = 0, 0, 400
    for _ in range(runs):
        taste = rng.beta(0.6, 0.6, 60)
        users = np.repeat(np.arange(60), rng.integers(5, 40, 60))
        second = (rng.random(len(users)) < taste[users]).astype(float)
        found = compare(wins(users, 1 - second, second))
        clustered += found.p < 0.05
        naive += 2 * norm.sf(abs(second.mean() - 0.5) / (0.5 / np.sqrt(len(users)))) < 0.05
    assert 0.02 <= clustered / runs <= 0.085
    assert naive / runs > 0.3


def test_how_many_users_it_takes():
    rng = np.random.default_rng(3)
    second = (rng.random(400) < 0.6).astype(float)
    pilot = compare(wins(np.arange(400), 1 - second, second))
    needed = pilot.users_needed(share=0.6)
    assert needed == pytest.approx(194, rel=0.05)  # (1.96 + 0.84)² · 0.6 · 0.4 / 0.1², or 0.25 / 0.1²
    draws = (rng.random((300, needed)) < 0.6).astype(float)
    power = np.mean([compare(wins(np.arange(needed), 1 - each, each)).p < 0.05 for each in draws])
    assert power == pytest.approx(0.8, abs=0.08)
    with pytest.raises(ParameterError, match=r"0\.5"):
        pilot.users_needed(share=0.5)


def test_it_takes_a_fraction_of_the_users_of_two_arms():
    """Users differ in how much they click, the models a little in what they show; three lists a user."""
    rng = np.random.default_rng(4)
    n, k, n_items = 700, 6, 40
    eager = rng.beta(1.0, 4.0, n)
    clicks = {arm: np.zeros(n) for arm in ("first", "second")}
    users, ours, theirs = [], [], []
    for user in range(n):
        value = rng.normal(size=n_items)
        first = np.argsort(-(value + rng.normal(0, 1.3, n_items)))
        second = np.argsort(-(value + rng.normal(0, 1.0, n_items)))
        likely = eager[user] / (1 + np.exp(1 - value))
        for _ in range(3):
            for name, shown in (("first", first), ("second", second)):
                clicks[name][user] += (rng.random(k) < likely[shown[:k]] / np.arange(1, k + 1) ** 0.5).sum()
            items, teams = team_draft(list(first), list(second), k, rng)
            clicked = rng.random(k) < likely[items] / np.arange(1, k + 1) ** 0.5
            users.append(user)
            theirs.append((clicked & (np.array(teams) == FIRST)).sum())
            ours.append((clicked & (np.array(teams) == SECOND)).sum())
    preference = compare(wins(users, theirs, ours))
    interleaved = preference.users_needed() * n / preference.users  # with the users who won nothing
    difference = clicks["second"].mean() - clicks["first"].mean()
    spread = clicks["second"].var(ddof=1) + clicks["first"].var(ddof=1)
    two_arms = 2 * (norm.ppf(0.975) + norm.ppf(0.8)) ** 2 * spread / difference**2
    assert preference.share > 0.5
    assert interleaved < two_arms / 3
