"""The rank of a click within its user's, or its item's."""

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data.click_ranks import item_click_ranks, user_click_ranks

MATRIX = csr_array(np.array([[1, 1, 0], [1, 1, 1]]))


def test_ranks_go_by_time():
    times = pl.Series([30, 10, 5, 20, 1])  # of the clicks, user by user
    assert user_click_ranks(MATRIX, np.random.default_rng(0), times).tolist() == [1, 0, 1, 2, 0]
    assert item_click_ranks(MATRIX, np.random.default_rng(0), times).tolist() == [1, 0, 0, 1, 0]


def test_ranks_are_drawn_where_there_are_no_times():
    drawn = {tuple(user_click_ranks(MATRIX, np.random.default_rng(seed))) for seed in range(40)}
    assert {ranks[:2] for ranks in drawn} == {(0, 1), (1, 0)}
    assert all(sorted(ranks[2:]) == [0, 1, 2] for ranks in drawn)
    same = user_click_ranks(MATRIX, np.random.default_rng(3), pl.Series([7] * 5))
    assert same.tolist() == user_click_ranks(MATRIX, np.random.default_rng(3)).tolist()
