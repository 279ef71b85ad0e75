"""The model of rewards: shrunk means, and never on the rows that it scores."""

import numpy as np
import polars as pl
import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.offpolicy import ActionTable, cross_fitted, given_table, log_of
from isotherm.experiment.offpolicy.rewards import reward_table, user_folds


def small_log(seed=0, n=200):
    rng = np.random.default_rng(seed)
    return log_of(
        pl.DataFrame(
            {
                "user_id": rng.integers(20, size=n),
                "item_id": rng.integers(4, size=n),
                "position": rng.integers(1, 3, size=n),
                "reward": rng.random(n),
                "propensity": 0.25,
            }
        )
    )


def test_means_are_drawn_to_item_and_position():
    log = log_of(
        pl.DataFrame(
            {"item_id": ["a", "a", "b"], "position": [1, 1, 2], "reward": [1.0, 1.0, 0.0], "propensity": 0.5}
        )
    )
    table = reward_table(log, np.ones(3, dtype=bool), shrinkage=1.0)
    mean = 2 / 3
    of_items, of_positions = ((2 + mean) / 3, (0 + mean) / 2), ((2 + mean) / 3, (0 + mean) / 2)
    assert table[0, 0] == pytest.approx((2 + of_items[0] * of_positions[0] / mean) / 3)
    assert table[0, 1] == pytest.approx(of_items[0] * of_positions[1] / mean)
    assert not reward_table(log, np.array([False, False, True]), 1.0).any()


def test_a_users_rows_never_say_what_is_predicted_of_them():
    log = small_log()
    target = ActionTable(np.full((4, 2), 0.25))
    before = cross_fitted(log, target)
    folds = user_folds(len(log.user_ids), 5, 0)[log.users]
    changed = log.rewards.copy()
    changed[folds == 2] += 100
    after = cross_fitted(
        type(log)(
            log.users,
            log.lists,
            log.positions,
            log.actions,
            changed,
            log.propensities,
            log.user_ids,
            log.items,
        ),
        target,
    )
    same = folds == 2
    np.testing.assert_array_equal(after.logged[same], before.logged[same])
    np.testing.assert_array_equal(after.expected[same], before.expected[same])
    assert (after.logged[~same] != before.logged[~same]).all()
    assert len({*folds[log.users == 3]}) == 1


def test_expected_rewards_are_those_of_the_policy():
    log = small_log()
    policy = np.array([[0.7, 0.1], [0.1, 0.2], [0.1, 0.3], [0.1, 0.4]])
    table = np.random.default_rng(1).random((4, 2))
    found = given_table(log, ActionTable(policy), table)
    np.testing.assert_allclose(found.expected, (policy * table).sum(axis=0)[log.positions - 1])
    np.testing.assert_allclose(found.logged, table[log.actions, log.positions - 1])
    with pytest.raises(ParameterError, match=r"is \(3, 2\), and \(4, 2\) is needed"):
        given_table(log, ActionTable(policy), table[:3])
    with pytest.raises(ParameterError, match="20 users make no 30 folds"):
        cross_fitted(log, ActionTable(policy), folds=30)
