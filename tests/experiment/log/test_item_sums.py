import numpy as np
import pytest

from isotherm.experiment.log import EventLog, Window, read_users
from isotherm.experiment.log.item_sums import random_groups
from tests.experiment.log.logs import assignment, event, write

pytest.importorskip("duckdb")


def test_groups_are_random_and_all_of_one_size():
    arm = np.repeat([0, 1, 0], [200, 570, 250])
    groups = random_groups(arm, 2)
    np.testing.assert_array_equal(np.bincount(groups[arm == 0] + 1), [10] + [22] * 20)
    np.testing.assert_array_equal(np.bincount(groups[arm == 1] + 1), [20] + [22] * 25)
    np.testing.assert_array_equal(groups, random_groups(arm, 2))
    assert np.abs(np.corrcoef(np.arange(450), groups[arm == 0])[0, 1]) < 0.2


def test_groups_of_large_arms_are_as_small_as_a_thousand_users():
    arm = np.repeat([0, 1], [30_500, 250_000])
    groups = random_groups(arm, 2)
    np.testing.assert_array_equal(np.bincount(groups[arm == 0] + 1), [500] + [1_000] * 30)
    np.testing.assert_array_equal(np.bincount(groups[arm == 1] + 1), [150_000] + [1_000] * 100)


def test_there_are_no_groups_of_too_few_users():
    assert random_groups(np.repeat([0, 1], [100, 19]), 2).tolist() == [-1] * 119


def test_items_shown_to_each_group_are_counted(tmp_path):
    given = [assignment(user, "ab"[user % 2]) for user in range(80)]
    # each user is shown an item alone; those of arm b the item 1000, too
    seen = [event(user, user, "impression", 1, item=user) for user in range(80)]
    seen += [event(100 + user, user, "impression", 1, item=1000) for user in range(1, 80, 2)]
    folder = write(tmp_path, seen, given)
    users = read_users(EventLog.of_folder(folder), Window("x", ("a", "b")))
    control, treatment = users.items.covered
    np.testing.assert_array_equal(control, np.full(20, 2))
    np.testing.assert_array_equal(treatment, np.full(20, 3))
    np.testing.assert_array_equal(users.items.coverage, [40, 41])
