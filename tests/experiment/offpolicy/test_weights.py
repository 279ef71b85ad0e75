"""Weights of lists, effective sample size, and when a log says too little."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isotherm.errors import OverlapError, ParameterError
from isotherm.experiment.offpolicy import (
    Column,
    OffPolicyOptions,
    OverlapRules,
    estimate,
    importance_weights,
    log_of,
    measure_overlap,
)
from tests.reference import offpolicy as reference


def shuffled_lists(lengths, rng):
    """A log of lists whose rows stand in any order, and the target's probabilities."""
    lists = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.concatenate([np.arange(1, n + 1) for n in lengths])
    order = rng.permutation(len(lists))
    n = len(lists)
    frame = pl.DataFrame(
        {
            "request_id": lists[order],
            "user_id": (lists // 2)[order],
            "position": positions[order],
            "item_id": rng.integers(5, size=n),
            "reward": rng.random(n),
            "propensity": rng.uniform(0.2, 1, n),
        }
    )
    return log_of(frame), rng.uniform(0, 1, n)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.integers(0, 2**31))
def test_weights_of_lists_are_those_of_the_paper(lengths, seed):
    log, target = shuffled_lists(lengths, np.random.default_rng(seed))
    ratios = target / log.propensities
    cascade = importance_weights(log, target, "cascade")
    whole = importance_weights(log, target, "list")
    assert importance_weights(log, target).rows == pytest.approx(ratios)
    for row in range(len(log)):
        of_list = np.flatnonzero(log.lists == log.lists[row])
        of_list = of_list[np.argsort(log.positions[of_list])]
        place = int(np.flatnonzero(of_list == row)[0])
        weights = list(ratios[of_list])
        assert cascade.rows[row] == pytest.approx(reference.cascade_weight(weights, place))
        assert cascade.before[row] == pytest.approx(reference.cascade_weight(weights, place - 1))
        assert whole.rows[row] == pytest.approx(reference.cascade_weight(weights, len(weights) - 1))
    overlap = measure_overlap(log, cascade)
    assert overlap.size == pytest.approx(reference.kish(cascade.rows))
    assert overlap.largest_share == pytest.approx(cascade.rows.max() / cascade.rows.sum())


def actions_log(n, propensity, reward=1.0):
    return log_of(pl.DataFrame({"item_id": np.arange(n) % 7, "reward": reward, "propensity": propensity}))


def test_too_few_effective_rows_are_refused():
    with pytest.raises(
        OverlapError, match=r"its 60 rows are worth 60\.0 .* and 100 are needed; log more lists"
    ):
        estimate(actions_log(60, 0.5), Column(np.full(60, 0.5)))
    assert estimate(
        actions_log(60, 0.5), Column(np.full(60, 0.5)), OffPolicyOptions(rules=OverlapRules(least_size=50))
    ).overlap.size == pytest.approx(60)


def test_one_row_that_carries_too_much_is_refused():
    propensities = np.where(np.arange(2000) == 0, 0.004, 0.5)
    with pytest.raises(OverlapError, match=r"one row carries .* of all weight, and 5\.0% is the most"):
        estimate(actions_log(2000, propensities), Column(np.full(2000, 0.5)))


def test_what_the_log_never_shows_is_found_by_the_mean_weight():
    """A log without exploration shows one item always; the new policy would show it in three of ten lists."""
    with pytest.raises(OverlapError, match="never shows about 70% of what the new policy would"):
        estimate(actions_log(500, 1.0), Column(np.full(500, 0.3)))


def test_propensities_of_another_thing_are_found_by_the_mean_weight():
    with pytest.raises(OverlapError, match=r"the mean weight is 2\.000, and 1 where propensities are right"):
        estimate(actions_log(500, 0.25), Column(np.full(500, 0.5)))


def test_a_position_without_weight_is_refused():
    n = 400
    log = log_of(
        pl.DataFrame(
            {
                "item_id": np.arange(n) % 5,
                "reward": 1.0,
                "propensity": 0.5,
                "position": np.where(np.arange(n) % 40 == 0, 2, 1),
            }
        )
    )
    with pytest.raises(OverlapError, match="at position 2 the log shows nothing"):
        estimate(log, Column(np.where(log.positions == 2, 0.0, 0.5)))


def test_a_policy_that_nothing_was_logged_of_is_refused():
    with pytest.raises(OverlapError, match=r"worth 0\.0"):
        estimate(actions_log(500, 0.5), Column(np.zeros(500)))


def test_rules_are_checked():
    for bad in ({"least_size": 0}, {"most_share": 0}, {"most_missing": 2}):
        with pytest.raises(ParameterError, match=next(iter(bad))):
            OverlapRules(**bad)


def test_cascade_weights_find_the_value_of_lists_that_the_first_place_decides():
    """The second place is clicked only where the first was; a ratio of its own place alone is then biased."""
    rng = np.random.default_rng(0)
    logged, new, n = np.array([0.5, 0.5]), np.array([0.9, 0.1]), 6000
    first = rng.choice(2, size=n, p=logged)
    second = rng.choice(2, size=n, p=logged)
    reward = np.stack([np.zeros(n), (first == 0) * (second == 0)], axis=1).astype(float)
    actions = np.stack([first, second], axis=1).ravel()
    log = log_of(
        pl.DataFrame(
            {
                "request_id": np.repeat(np.arange(n), 2),
                "position": np.tile([1, 2], n),
                "item_id": actions,
                "reward": reward.ravel(),
                "propensity": 0.5,
            }
        )
    )
    found = {
        lists: estimate(log, Column(new[actions]), OffPolicyOptions(lists=lists, per="list")).estimates["ips"]
        for lists in ("item-position", "cascade", "list")
    }
    assert found["cascade"].low <= 0.81 <= found["cascade"].high
    assert found["list"].low <= 0.81 <= found["list"].high
    assert found["item-position"].high < 0.6
