"""Estimates against literal formulas, known answers, what must hold of them, and simulation."""

import numpy as np
import polars as pl
import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.offpolicy import (
    ActionTable,
    Column,
    OffPolicyOptions,
    OverlapRules,
    Predictions,
    estimate,
    given_table,
    log_of,
)
from tests.reference import offpolicy as reference

LOOSE = OverlapRules(least_size=2, most_share=1, most_missing=1)


def drawn_log(rng, n, logged, taste, n_users=None):
    """Single actions of a policy that knows no context, clicked with the taste of each item."""
    actions = rng.choice(len(logged), size=n, p=logged)
    rewards = (rng.random(n) < np.asarray(taste)[actions]).astype(float)
    users = rng.integers(n_users or n, size=n)
    frame = pl.DataFrame(
        {"user_id": users, "item_id": actions, "reward": rewards, "propensity": np.asarray(logged)[actions]}
    )
    return log_of(frame), actions


def by_row(log, policy):
    """A policy over items 0, 1, … as a table over the rows of ``log.items``."""
    return np.asarray(policy)[log.items.to_numpy()][:, None]


LOGGED, NEW = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])
TASTE = np.array([0.1, 0.3, 0.5])


def test_estimates_and_errors_are_those_of_the_papers():
    rng = np.random.default_rng(0)
    log, actions = drawn_log(rng, 300, LOGGED, TASTE, n_users=60)
    table = rng.random((3, 1))
    predicted = given_table(log, ActionTable(by_row(log, NEW)), table)
    options = OffPolicyOptions(threshold=2.0, rules=LOOSE)
    found = estimate(log, ActionTable(by_row(log, NEW)), options, predicted)
    target = NEW[actions]
    in_rows = [list(by_row(log, NEW)[:, 0])] * 300, [list(table[:, 0])] * 300
    rows = (log.rewards, log.actions, in_rows[0], log.propensities, in_rows[1])
    expected = {
        "ips": reference.ips(log.rewards, target, log.propensities),
        "snips": reference.snips(log.rewards, target, log.propensities),
        "doubly-robust": reference.doubly_robust(*rows),
        "switch": reference.switch_dr(*rows, 2.0),
    }
    assert found.method == "doubly-robust"
    for name, value in expected.items():
        assert found.estimates[name].estimate == pytest.approx(value, rel=1e-12), name
    terms = target / log.propensities * log.rewards
    error = reference.standard_error(log.users, terms, expected["ips"])
    assert found.estimates["ips"].error == pytest.approx(error, rel=1e-12)
    assert found.overlap.size == pytest.approx(reference.kish(target / log.propensities))


@pytest.mark.parametrize("per", ["impression", "list"])
@pytest.mark.parametrize("lists", ["item-position", "cascade", "list"])
def test_a_policy_on_its_own_log_gets_what_was_logged(per, lists):
    rng = np.random.default_rng(1)
    n = 400
    frame = pl.DataFrame(
        {
            "user_id": np.repeat(rng.integers(50, size=n // 4), 4),
            "request_id": np.repeat(np.arange(n // 4), 4),
            "position": np.tile([1, 2, 3, 4], n // 4),
            "item_id": rng.integers(9, size=n),
            "reward": rng.random(n),
            "propensity": rng.uniform(0.1, 1, n),
        }
    )
    log = log_of(frame)
    options = OffPolicyOptions(lists=lists, per=per, method="snips")
    found = estimate(log, Column(log.propensities), options)
    mean = log.rewards.sum() / (n if per == "impression" else n // 4)
    for name in ("ips", "snips"):
        assert found.estimates[name].estimate == pytest.approx(mean, rel=1e-12)
        assert found.estimates[name].error == pytest.approx(found.logged.error, rel=1e-9)
    assert (found.verdict, found.difference.estimate) == ("undecided", pytest.approx(0, abs=1e-12))
    assert found.overlap.size == pytest.approx(n)


def test_a_number_added_to_rewards_is_added_to_snips():
    rng = np.random.default_rng(2)
    log, actions = drawn_log(rng, 500, LOGGED, TASTE)
    frame = pl.DataFrame(
        {"item_id": actions, "propensity": log.propensities, "position": rng.integers(1, 4, 500)}
    )
    one = log_of(frame.with_columns(reward=pl.Series(log.rewards)))
    more = log_of(frame.with_columns(reward=pl.Series(log.rewards + 7)))
    target = Column(NEW[actions])
    before, after = (estimate(each, target, OffPolicyOptions(rules=LOOSE)).estimates for each in (one, more))
    assert after["snips"].estimate == pytest.approx(before["snips"].estimate + 7, rel=1e-12)
    assert after["snips"].error == pytest.approx(before["snips"].error, rel=1e-9)
    assert abs(after["ips"].estimate - before["ips"].estimate - 7) > 0.01


def test_doubly_robust_with_a_perfect_model_is_exact_without_variance():
    rng = np.random.default_rng(3)
    actions = rng.choice(3, size=200, p=LOGGED)
    log = log_of(pl.DataFrame({"item_id": actions, "reward": TASTE[actions], "propensity": LOGGED[actions]}))
    target = ActionTable(by_row(log, NEW))
    predicted = given_table(log, target, by_row(log, TASTE))
    found = estimate(log, target, OffPolicyOptions(rules=LOOSE, threshold=1e-9), predicted).estimates
    for name in ("doubly-robust", "switch"):
        assert found[name].estimate == pytest.approx(NEW @ TASTE, rel=1e-12)
        assert found[name].error == pytest.approx(0, abs=1e-12)
    assert found["ips"].error > 0.01


def test_switch_is_the_model_alone_or_doubly_robust_at_its_ends():
    log, _ = drawn_log(np.random.default_rng(4), 300, LOGGED, TASTE)
    target = ActionTable(by_row(log, NEW))
    predicted = given_table(log, target, np.full((3, 1), 0.2))

    def switched(threshold):
        options = OffPolicyOptions(rules=LOOSE, threshold=threshold)
        return estimate(log, target, options, predicted)

    assert switched(1e-9).estimates["switch"].estimate == pytest.approx(0.2)
    all_of_it = switched(1e9)
    assert all_of_it.estimates["switch"] == all_of_it.estimates["doubly-robust"]
    chosen = switched("auto")
    assert chosen.threshold is None or chosen.threshold > 0


def test_switch_leaves_out_rare_huge_weights_where_that_lessens_the_error():
    """One list in a thousand has a weight of 50: what it adds to the variance is more than the bias."""
    rng = np.random.default_rng(5)
    logged, new = np.array([0.999, 0.001]), np.array([0.95, 0.05])
    rewards = rng.normal(0, 1, 4000)
    actions = (rng.random(4000) < logged[1]).astype(int)
    log = log_of(pl.DataFrame({"item_id": actions, "reward": rewards, "propensity": logged[actions]}))
    target = ActionTable(by_row(log, new))
    options = OffPolicyOptions(rules=LOOSE)
    found = estimate(log, target, options, given_table(log, target, np.zeros((2, 1))))
    switched, robust = found.estimates["switch"], found.estimates["doubly-robust"]
    assert switched.error <= robust.error
    with_large = OffPolicyOptions(rules=LOOSE, threshold=10.0)
    assert estimate(log, target, with_large, Predictions(np.zeros(4000), np.zeros(4000))).threshold == 10.0


def test_over_simulations_estimates_are_unbiased_and_intervals_cover():
    rng = np.random.default_rng(6)
    truth, runs = NEW @ TASTE, 150
    values = {name: np.zeros((runs, 3)) for name in ("ips", "snips", "doubly-robust", "switch")}
    for run in range(runs):
        log, _ = drawn_log(rng, 600, LOGGED, TASTE, n_users=200)
        found = estimate(log, ActionTable(by_row(log, NEW)), OffPolicyOptions(rules=LOOSE)).estimates
        for name, rows in values.items():
            rows[run] = found[name].estimate, found[name].low, found[name].high
    for name, rows in values.items():
        of_mean = rows[:, 0].std() / np.sqrt(runs)
        assert abs(rows[:, 0].mean() - truth) < 4 * of_mean + 0.003, name
        covered = ((rows[:, 1] <= truth) & (truth <= rows[:, 2])).mean()
        assert 0.9 <= covered <= 0.99, name
    assert values["doubly-robust"][:, 0].std() < values["ips"][:, 0].std()


def test_users_with_a_taste_of_their_own_widen_the_interval_and_both_methods_agree():
    rng = np.random.default_rng(7)
    users = np.repeat(np.arange(150), 20)
    actions = rng.choice(3, size=len(users), p=LOGGED)
    rewards = (rng.random(len(users)) < rng.beta(0.5, 2, 150)[users]).astype(float)
    frame = {"item_id": actions, "reward": rewards, "propensity": LOGGED[actions]}
    target = Column(NEW[actions])
    clustered, alone = (log_of(pl.DataFrame(each)) for each in ({**frame, "user_id": users}, frame))
    by_user, by_row_alone = (estimate(each, target).estimates["snips"] for each in (clustered, alone))
    assert by_user.estimate == pytest.approx(by_row_alone.estimate, rel=1e-12)
    assert by_user.error > 1.5 * by_row_alone.error
    drawn = estimate(clustered, target, OffPolicyOptions(interval="bootstrap")).estimates["snips"]
    assert drawn.error == pytest.approx(by_user.error, rel=0.12)
    assert (drawn.low, drawn.high) == pytest.approx((by_user.low, by_user.high), rel=0.08)


def test_a_column_alone_has_no_model_of_rewards():
    log, actions = drawn_log(np.random.default_rng(8), 300, LOGGED, TASTE)
    assert set(estimate(log, Column(NEW[actions])).estimates) == {"ips", "snips"}
    with pytest.raises(ParameterError, match="give a model as the target, or take ips or snips"):
        estimate(log, Column(NEW[actions]), OffPolicyOptions(method="switch"))
    with pytest.raises(ParameterError, match="299 target propensities for 300 rows"):
        estimate(log, Column(NEW[actions][1:]))
    for bad in ({"lists": "both"}, {"clip": 0}, {"threshold": -1}, {"per": "day"}, {"interval": "jackknife"}):
        with pytest.raises(ParameterError, match=next(iter(bad))):
            OffPolicyOptions(**bad)


def test_clipping_is_told_and_pulls_down():
    log, actions = drawn_log(np.random.default_rng(9), 500, LOGGED, TASTE)
    free = estimate(log, Column(NEW[actions]))
    clipped = estimate(log, Column(NEW[actions]), OffPolicyOptions(clip=1.5))
    assert clipped.overlap.clipped == pytest.approx((actions == 2).mean())
    assert clipped.overlap.largest == 1.5
    assert clipped.overlap.mean_weight == pytest.approx(free.overlap.mean_weight)
    assert f"clipping took {clipped.overlap.lost:.0%} of the weight" in clipped.words
    assert clipped.estimates["ips"].estimate < free.estimates["ips"].estimate
    assert clipped.to_dict()["options"]["clip"] == 1.5
