"""Which items may be shown: for all, or one list per user."""

import numpy as np
import polars as pl
import pytest

from isotherm.data import IdMap
from isotherm.errors import ParameterError, UnknownIdError
from isotherm.models.requests.item_filter import ItemFilter

ITEMS = IdMap(["a", "b", "c", "d"])


def shown(item_filter, n_users=2):
    """Flags (n_users, n_items) of what is left."""
    scores = np.ones((n_users, 4), dtype=np.float32)
    item_filter.hide_others(scores, slice(0, n_users))
    flags = np.isfinite(scores)
    return flags if item_filter.for_all is None else flags & item_filter.for_all


@pytest.mark.parametrize(
    ("candidates", "exclude", "expected"),
    [
        (None, None, ["abcd", "abcd"]),
        (["a", "c"], None, ["ac", "ac"]),
        (["a", "c"], ["c", "x"], ["a", "a"]),
        ([["a"], []], ["a"], ["", ""]),
        ([["a", "b"], ["d"]], [["b"], ["a"]], ["a", "d"]),
        (None, pl.Series([["a", "b", "c"], []]), ["d", "abcd"]),
    ],
)
def test_candidates_are_kept_and_excluded_items_hidden(candidates, exclude, expected):
    flags = shown(ItemFilter.of(ITEMS, 2, candidates, exclude, "error"))
    assert ["".join(np.array(list("abcd"))[row]) for row in flags] == expected


def test_lists_follow_the_users_that_are_taken():
    taken = ItemFilter.of(ITEMS, 3, [["a"], ["b"], ["c"]], None, "error").take(np.array([2, 0]))
    np.testing.assert_array_equal(shown(taken), [[0, 0, 1, 0], [1, 0, 0, 0]])


def test_unknown_candidates_and_lists_of_another_number_are_refused():
    with pytest.raises(UnknownIdError, match="'x'"):
        ItemFilter.of(ITEMS, 2, ["x"], None, "error")
    assert not shown(ItemFilter.of(ITEMS, 2, ["x"], None, "skip")).any()
    with pytest.raises(ParameterError, match="candidates holds 3 lists, and there are 2 users"):
        ItemFilter.of(ITEMS, 2, [["a"], ["b"], ["c"]], None, "error")
