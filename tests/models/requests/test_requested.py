"""Whom to answer: ids and histories become rows."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.data import IdMap
from isotherm.errors import InteractionsError, UnknownIdError
from isotherm.models.requests.requested import known_histories, requested_histories, requested_users

USERS = IdMap(["ann", "bob"])
ITEMS = IdMap([1, 2, 3])


def test_users_keep_their_order_and_unknown_ones_have_no_row():
    ids, rows = requested_users(["bob", "eve", "ann", "bob"], USERS, "popular")
    assert ids.to_list() == ["bob", "eve", "ann", "bob"]
    assert rows.tolist() == [1, -1, 0, 1]
    assert requested_users(None, USERS, "error")[1].tolist() == [0, 1]
    with pytest.raises(UnknownIdError, match="eve"):
        requested_users(["eve"], USERS, "error")


def test_histories_count_an_item_once_or_add_up_its_weights():
    """An item may be named in two ways; with weights they add up, without it counts once."""
    requested = requested_histories([[2, "2", 1], {2: 1.5, "2": 1.0}, []], ITEMS, "error")
    np.testing.assert_array_equal(requested.histories.toarray(), [[1, 1, 0], [0, 2.5, 0], [0, 0, 0]])
    assert requested.ids.to_list() == [0, 1, 2]
    assert requested.histories.has_sorted_indices


@pytest.mark.parametrize(
    "history",
    [
        [3, 1],
        [3, 1, 3],
        {2: 0.5, 1: 2.0},
        [2, "2", 1],
        {2: 1.5, "2": 1.0},
        [9, 3, 1],
        {9: 1.0, 2: 3.0},
        [9],
        [],
    ],
)
def test_a_history_is_the_same_alone_and_among_others(history):
    """To the last bit: columns ascend, each is there once, and unknown items are left out and counted."""
    (alone, missing), (among, all_missing) = (
        known_histories(each, ITEMS, "popular") for each in ([history], [[1, 8], history, {3: 2.0}])
    )
    expected = among[[1]]
    np.testing.assert_array_equal(alone.indices, expected.indices)
    np.testing.assert_array_equal(alone.data, expected.data)
    assert (alone.shape, alone.indptr.tolist()) == (expected.shape, expected.indptr.tolist())
    assert (alone.dtype, alone.indices.dtype) == (np.float32, np.int32)
    assert all_missing.tolist() == [1, missing[0], 0]
    assert missing[0] == (9 in history)
    requested = requested_histories([history], ITEMS, "popular").histories
    np.testing.assert_array_equal(requested.toarray(), alone.toarray())


def test_skipped_histories_keep_the_positions_of_the_others():
    requested = requested_histories([[9], [], [3, 9]], ITEMS, "skip")
    assert requested.ids.to_list() == requested.positions.tolist() == [1, 2]
    assert requested.n_given == 3
    np.testing.assert_array_equal(requested.histories.toarray(), [[0, 0, 0], [0, 0, 1]])
    assert requested_histories([[9], [], [3, 9]], ITEMS, "popular").histories.shape == (3, 3)


def test_a_log_is_looked_up_by_its_clicked_items_alone():
    log = Interactions.from_csr(csr_array(np.float32([[0, 2, 0], [1, 0, 0]])), ["x", "y"], [3, 1, 99])
    requested = requested_histories(log, ITEMS, "error")  # 99 is not clicked
    np.testing.assert_array_equal(requested.histories.toarray(), [[2, 0, 0], [0, 0, 1]])
    assert requested.ids.to_list() == ["x", "y"]


def test_weights_beyond_float32_are_refused_when_added_up():
    with pytest.raises(InteractionsError, match="beyond float32 when added up"):
        requested_histories([{1: 3e38, "1": 3e38}], ITEMS, "error")
