import numpy as np
import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.log import GROUPS, ItemSums, Users, group_of


def users():
    return Users.of(
        ("control", "new"),
        [0, 1, 1, 0],
        conversions=[0, 2, 0, 1],
        watch_seconds=[10, 20, 900, 0],
        before_clicks=[0, 7, 70, 700],
        bot=[False, False, True, False],
        several_arms=[True, False, False, False],
        caps={"watch_seconds": 100.0},
    )


def test_flagged_users_are_left_out():
    kept = users().kept
    np.testing.assert_array_equal(kept.arm, [1, 0])
    assert kept.ids.to_list() == [1, 3]
    assert kept.arms == ("control", "new")


def test_rows_may_be_taken_repeatedly():
    np.testing.assert_array_equal(users().take([3, 3, 0]).conversions, [1, 1, 0])


def test_a_column_is_capped_where_it_has_a_cap():
    np.testing.assert_array_equal(users().capped("watch_seconds"), [10, 20, 100, 0])
    np.testing.assert_array_equal(users().capped("conversions"), [0, 2, 0, 1])


def test_converted_follows_from_conversions():
    np.testing.assert_array_equal(users().column("converted"), [0, 1, 0, 1])


def test_other_columns_are_refused():
    with pytest.raises(ParameterError, match="'arm' is no column; they are impressions"):
        users().column("arm")
    with pytest.raises(ParameterError, match="'wach' is no column of users"):
        Users.of(("a",), [0], wach=[1])


def test_groups_follow_from_the_clicks_before():
    assert [GROUPS[place] for place in users().clicks_before_group] == ["fewer", "5-10", "51-100", "100+"]
    assert [GROUPS[place] for place in group_of([4, 10, 11, 100])] == ["fewer", "5-10", "11-50", "51-100"]


def test_coverage_counts_distinct_items_of_an_arm():
    shown = np.array([[1.0, 0.0], [2.0, 3.0], [0.0, 0.0]])
    cold = np.array([[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    items = ItemSums(users().ids, shown, shown, cold, cold)
    np.testing.assert_array_equal(items.coverage, [2, 1])
    np.testing.assert_array_equal(items.cold, [False, True, False])
