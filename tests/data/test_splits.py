"""Splits: nothing leaks, everything is seeded, and what was dropped is said."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.data import splits
from isotherm.errors import ParameterError, SplitError
from tests.conftest import random_clicks


def log(seed=0, n_users=40, n_items=25):
    x = random_clicks(np.random.default_rng(seed), n_users, n_items)
    users, items = np.nonzero(x)
    times = np.random.default_rng(seed + 1).permutation(len(users))
    return Interactions.from_frame(pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times}))


def pairs(matrix, users):
    return set(
        zip(
            users.take(np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))),
            matrix.indices,
            strict=True,
        )
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(list(splits.SPLITS)))
def test_train_and_targets_share_no_click_and_lose_none_unsaid(seed, protocol):
    clicks = log(seed)
    split = splits.SPLITS[protocol](clicks, seed=seed)
    train, targets = pairs(split.train.matrix, split.train.users), pairs(split.targets, split.histories.users)
    history = pairs(split.histories.matrix, split.histories.users)
    everything = pairs(clicks.matrix, clicks.users)
    assert not targets & train
    assert not targets & history
    assert targets | train | history <= everything
    lost = len(everything) - len(targets | train | history)
    assert lost <= sum(split.dropped.values())
    assert (np.diff(split.targets.indptr) > 0).all()
    assert (np.diff(split.histories.matrix.indptr) > 0).all()
    assert split.train.items.values.equals(clicks.items.values)


@pytest.mark.parametrize("protocol", list(splits.SPLITS))
def test_same_seed_same_split_other_seed_another(protocol):
    clicks = log()
    make = splits.SPLITS[protocol]
    one, again, other = make(clicks, seed=1), make(clicks, seed=1), make(clicks, seed=2)
    assert one.describe() == again.describe()
    assert (one.targets != again.targets).nnz == 0
    if protocol not in ("temporal", "leave-one-out"):  # times leave nothing to chance
        assert one.targets.shape != other.targets.shape or (one.targets != other.targets).nnz


def test_cold_items_hides_whole_items():
    split = splits.cold_items(log(), holdout=0.2, seed=3)
    assert split.cold.sum() == 5
    assert split.cold[split.targets.indices].all()
    assert not split.cold[split.train.matrix.indices].any()


def test_mixed_hides_whole_items_and_a_share_of_the_other_clicks():
    split = splits.mixed(log(n_users=400), holdout=0.2, seed=3)
    warm = ~split.cold[split.targets.indices]
    assert warm.sum() / (warm.sum() + split.train.n_clicks) == pytest.approx(0.1, abs=0.02)
    assert split.cold.sum() == 5


def test_strong_holds_out_users_and_folds_in_four_fifths():
    split = splits.strong(log(n_users=200), holdout=0.25, seed=0)
    assert split.histories.n_users + sum(split.dropped.values()) == 50
    train_users = np.flatnonzero(np.diff(split.train.matrix.indptr))
    assert not set(split.train.users.take(train_users)) & set(split.histories.users.values)
    history, target = np.diff(split.histories.matrix.indptr), np.diff(split.targets.indptr)
    np.testing.assert_array_equal(
        history, np.clip(np.rint(0.8 * (history + target)), 1, history + target - 1)
    )


def test_fold_in_by_time_takes_the_earlier_clicks_and_random_stays_as_published():
    clicks = log(n_users=200)
    split = splits.strong(clicks, holdout=0.25, seed=0, fold_in_order="time")
    targets = clicks.take_users(clicks.users.rows(split.histories.users.values))
    assert (targets.matrix != split.targets + split.histories.matrix).nnz == 0
    for row in range(split.histories.n_users):
        known = split.histories.take_users(np.array([row])).click_times()
        all_times = targets.take_users(np.array([row])).click_times()
        np.testing.assert_array_equal(np.sort(known), np.sort(all_times)[: len(known)])
        assert len(known) == np.clip(np.rint(0.8 * len(all_times)), 1, len(all_times) - 1)
    default, named = splits.strong(clicks, seed=3), splits.strong(clicks, seed=3, fold_in_order="random")
    assert (default.targets != named.targets).nnz == 0
    assert default.settings["fold_in_order"] == "random"
    with pytest.raises(SplitError, match="fold_in_order is time, which needs times; name their column"):
        splits.strong(Interactions.from_csr(np.ones((5, 5))), fold_in_order="time")
    with pytest.raises(ParameterError, match="fold_in_order must be one of 'random', 'time', not 'late'"):
        splits.strong(clicks, fold_in_order="late")


def test_given_new_users_are_folded_in_by_time_if_asked():
    rows = [(1, 10, 1), (1, 11, 2), (8, 10, 9), (8, 11, 3), (8, 12, 5), (9, 11, 4), (9, 10, 4)]
    made = pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    train, test = (
        Interactions.from_frame(made.filter(users))
        for users in (pl.col("user_id") < 5, pl.col("user_id") > 5)
    )
    split = splits.given(train, test, fold_in_order="time", fold_in=0.6)
    assert split.histories.users.values.to_list() == [8]
    assert split.histories.to_frame()["item_id"].to_list() == [11, 12]
    assert split.dropped == {
        "held-out users whose clicks all came at one moment: there is no earlier one to recommend by": 1,
        "clicks of these held-out users": 2,
    }


def test_leave_one_out_hides_the_last_click_of_each_user():
    clicks = Interactions.from_frame(
        pl.DataFrame(
            {"user_id": [1, 1, 1, 2, 2, 3], "item_id": [5, 6, 7, 5, 6, 7], "timestamp": [3, 9, 1, 4, 2, 1]}
        )
    )
    split = splits.leave_one_out(clicks)
    assert split.targets.toarray().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert split.dropped == {"users with a single click: there is no other one to recommend by": 1}


def test_negatives_were_never_clicked_and_are_distinct():
    clicks = log()
    split = splits.leave_one_out(clicks, negatives=4, seed=1)
    clicked = clicks.matrix.toarray()[clicks.users.rows(split.histories.users.values)] > 0
    for row, negatives in enumerate(split.negatives):
        assert len(set(negatives)) == 4
        assert not clicked[row, negatives].any()
    with pytest.raises(SplitError, match="ask for fewer than 25 negatives"):
        splits.leave_one_out(clicks, negatives=25)


def frame(rows):
    return Interactions.from_frame(pl.DataFrame(rows, schema=["user_id", "item_id"], orient="row"))


def test_given_split_unites_users_and_items_and_knows_cold_ones():
    split = splits.given(frame([(1, 10), (1, 11), (2, 10)]), frame([(1, 12), (2, 11), (2, 10), (3, 10)]))
    assert split.train.items.values.to_list() == [10, 11, 12]
    assert split.cold.tolist() == [False, False, True]
    assert split.histories.users.values.to_list() == [1, 2]
    assert split.targets.toarray().tolist() == [[0, 0, 1], [0, 1, 0]]
    assert split.dropped == {
        "users without a click in train: there is none to recommend by": 1,
        "hidden clicks of users without a click in train": 1,
        "test clicks that train holds too: they are known, not to be found": 1,
    }


def test_given_logs_need_ids_of_one_type():
    with pytest.raises(SplitError, match="train, test and valid need ids of one type each"):
        splits.given(frame([(1, 10)]), frame([(date(2020, 1, 1), 10)]))


def test_given_logs_of_numbers_and_text_are_one_split():
    train = frame([(1, 10), (2, 10), (2, 11)])
    split = splits.given(train, frame([("1", "11"), ("ann", "A40")]))
    assert split.histories.users.values.to_list() == ["1"]
    assert split.train.items.values.to_list() == ["10", "11", "A40"]
    assert split.targets.toarray().tolist() == [[0, 1, 0]]


def test_given_split_of_unseen_users_folds_in():
    train, test = frame([(1, 10), (1, 11)]), frame([(8, 10), (8, 11), (9, 10), (9, 11)])
    split = splits.given(train, test)
    assert split.protocol == "strong"
    assert split.histories.users.values.to_list() == [8, 9]
    assert np.diff(split.targets.indptr).tolist() == [1, 1]
    forced = splits.given(train, frame([(1, 10), (8, 10), (8, 11)]), strong=True)
    assert forced.dropped == {"returning users: this protocol tests new users only": 1}


@pytest.mark.parametrize("holdout", [0, 1, -0.1, 1.5])
def test_impossible_holdouts_are_refused(holdout):
    for protocol in ("cold-items", "mixed", "strong", "temporal"):
        with pytest.raises(SplitError, match="holdout must be between 0 and 1"):
            splits.SPLITS[protocol](log(), holdout=holdout)


def test_split_that_leaves_nothing_is_refused():
    with pytest.raises(SplitError, match="leaves none on one side"):
        splits.cold_items(frame([(1, 1), (2, 1)]), holdout=0.2)
    with pytest.raises(SplitError, match="no user with both a history and a hidden click"):
        splits.leave_one_out(frame([(1, 1), (2, 2)]))


def test_splits_that_hide_items_at_random_say_so_and_others_show_how_new_items_come():
    users, items = np.nonzero(np.random.default_rng(0).random((30, 20)) < 0.5)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": np.arange(len(users))})
    clicks = Interactions.from_frame(frame)
    np.testing.assert_array_equal(np.sort(clicks.click_times()), np.arange(len(users)))
    assert clicks.shows_new_items
    assert not Interactions.from_frame(frame.drop("timestamp")).shows_new_items
    shows = {name: split(clicks).train.shows_new_items for name, split in splits.SPLITS.items()}
    assert shows == dict.fromkeys(splits.SPLITS, True) | {"cold-items": False, "mixed": False}


def test_a_split_tells_itself_in_a_line():
    log = Interactions.from_csr(csr_array([[1, 1, 0], [1, 0, 1], [1, 1, 1]]))
    told = repr(splits.cold_items(log, 0.3))
    assert told == (
        "Split(cold-items; train: Interactions(3 users, 3 items, 5 clicks); 2 clicks of 2 users to find)"
    )
    assert repr(Interactions.from_csr(csr_array([[1]]))) == "Interactions(1 user, 1 item, 1 click)"
