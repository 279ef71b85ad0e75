"""Splits in time: nothing of the future is known, and everything that comes next is asked for."""

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isotherm import Interactions
from isotherm.data.splits import rolling, temporal
from isotherm.errors import ParameterError, SplitError
from tests.conftest import random_clicks


def log(seed=0, moments=40, n_users=40, n_items=25):
    """Users who come one after the other; several clicks of a moment."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(random_clicks(rng, n_users, n_items))
    first = rng.integers(0, moments, n_users)[users]
    times = rng.integers(first, moments)
    return Interactions.from_frame(pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times}))


def days(rows):
    """A log of (user, item, day of January 2018)."""
    table = pl.DataFrame(rows, schema=["user_id", "item_id", "day"], orient="row")
    times = pl.date(2018, 1, pl.col("day")).cast(pl.Datetime("us"))
    return Interactions.from_frame(table.select("user_id", "item_id", timestamp=times))


def clicks_of(matrix, users):
    """(user, item) pairs."""
    rows, columns = matrix.nonzero()
    return set(zip(users.take(rows).to_list(), columns.tolist(), strict=True))


def histories_of(split):
    return clicks_of(split.histories.matrix, split.histories.users)


def targets_of(split):
    return clicks_of(split.targets, split.histories.users)


def moments_of(clicks):
    """(user, item) -> time."""
    frame = clicks.to_frame()
    return dict(zip(zip(frame["user_id"], frame["item_id"], strict=True), frame["timestamp"], strict=True))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 0.2, 0.5]), st.sampled_from([0.2, 0.5, 0.8]))
def test_nothing_of_the_future_is_known_and_all_that_comes_next_is_asked_for(seed, holdout, fold_in):
    clicks = log(seed)
    split = temporal(clicks, holdout, seed, fold_in=fold_in)
    at, cut = moments_of(clicks), int(split.settings["cut"])
    assert {at[click] < cut for click in clicks_of(split.train.matrix, split.train.users)} == {True}
    assert split.train.n_clicks == sum(moment < cut for moment in at.values())
    known, asked = histories_of(split), targets_of(split)
    assert all(at[click] >= cut for click in asked)
    assert not known & asked
    users = split.histories.users.values.to_list()
    trained = {user for user, _ in clicks_of(split.train.matrix, split.train.users)}
    assert split.returning.tolist() == [user in trained for user in users]
    for user in users:
        times = [[at[click] for click in clicks if click[0] == user] for clicks in (known, asked)]
        assert max(times[0]) < min(times[1])
        of_user = [click for click in at if click[0] == user]
        assert len(times[0]) + len(times[1]) == len(of_user)
        if user in trained:
            assert max(times[0]) < cut
    lost = set(at) - known - asked - clicks_of(split.train.matrix, split.train.users)
    assert len(lost) <= sum(split.dropped.values())
    assert {user for user, _ in lost}.isdisjoint(users)
    later = {user for (user, _), moment in at.items() if moment >= cut}
    assert later - set(users) <= {user for user, _ in lost}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 5))
def test_periods_are_consecutive_and_all_before_each_is_trained_on(seed, cuts):
    clicks = log(seed, moments=100)
    folds = rolling(clicks, cuts, 0.4, fold_in=0.5)
    assert len(folds) == len(list(folds)) == cuts
    at = np.sort(clicks.click_times())
    assert [split.settings["fold"] for split in folds] == list(range(1, cuts + 1))
    starts = [int(split.settings["cut"]) for split in folds]
    ends = [int(split.settings["end"]) for split in folds[:-1]]
    assert starts == sorted(set(starts))
    assert starts[1:] == ends
    assert "end" not in folds[-1].settings
    seen = set()
    moments = moments_of(clicks)
    for split, start, end in zip(folds, starts, [*ends, 100], strict=True):
        assert split.train.n_clicks == np.searchsorted(at, start)
        asked = targets_of(split)
        assert all(start <= moments[click] < end for click in asked)
        assert all(moments[click] < end for click in histories_of(split))
        assert not asked & seen
        seen |= asked


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 4))
def test_the_next_clicks_are_so_many_and_no_later_ones_come_first(seed, next_k):
    clicks = log(seed)
    whole, some = temporal(clicks, 0.4), temporal(clicks, 0.4, next_k=next_k)
    n_all, n_some = np.diff(whole.targets.indptr), np.diff(some.targets.indptr)
    np.testing.assert_array_equal(n_some, np.minimum(n_all, next_k))
    assert (whole.histories.matrix != some.histories.matrix).nnz == 0
    at = moments_of(clicks)
    for user in some.histories.users.values:
        kept = [at[click] for click in targets_of(some) if click[0] == user]
        left = [at[click] for click in targets_of(whole) - targets_of(some) if click[0] == user]
        assert not left or max(kept) <= min(left)
    reason = f"clicks after the next {next_k} of their users"
    assert some.dropped.get(reason, 0) == n_all.sum() - n_some.sum()


def test_by_hand_with_a_horizon():
    """ann returns, bob and eve are new, dan comes once, fay at one moment, kim after the horizon."""
    clicks = days(
        [
            ("ann", 1, 1), ("ann", 2, 2), ("ann", 3, 12), ("ann", 4, 25),
            ("zoe", 1, 3), ("zoe", 2, 4),
            ("bob", 1, 11), ("bob", 3, 12), ("bob", 5, 13),
            ("eve", 2, 10), ("eve", 3, 10), ("eve", 1, 14),
            ("dan", 1, 12),
            ("fay", 1, 12), ("fay", 2, 12),
            ("kim", 6, 25), ("kim", 1, 26),
        ]
    )  # fmt: skip
    split = temporal(clicks, cut="2018-01-10", horizon="10d", fold_in=0.5)
    assert split.histories.users.values.to_list() == ["ann", "bob", "eve"]
    assert split.returning.tolist() == [True, False, False]
    items = [[0, 1], [0, 1], [1, 2]]
    matrix = split.histories.matrix
    assert matrix[[0]].nonzero()[1].tolist() == items[0]
    assert [each.tolist() for each in np.split(matrix.indices, matrix.indptr[1:-1])] == [
        [0, 1],
        [0, 2],
        [1, 2],
    ]
    asked = [each.tolist() for each in np.split(split.targets.indices, split.targets.indptr[1:-1])]
    assert asked == [[2], [4], [0]]
    assert split.dropped == {
        "new users with a single click: there is no earlier one to recommend by": 1,
        "new users whose clicks all came at one moment: there is no earlier one to recommend by": 1,
        "clicks of these new users": 3,
        "clicks after the horizon, 2018-01-20 00:00:00": 3,
    }
    assert split.settings["cut"] == "2018-01-10 00:00:00"
    assert split.settings["end"] == "2018-01-20 00:00:00"
    assert split.existing.clicked.tolist() == [True, True, True, False, True, False]
    assert split.describe()["items"] == 4
    assert split.describe()["cold_items"] == 2


@pytest.mark.parametrize(
    ("cut", "horizon"),
    [
        ("2018-01-10", "10d"),
        (date(2018, 1, 10), timedelta(days=10)),
        (datetime(2018, 1, 10), 10),
        (np.datetime64("2018-01-10"), "2018-01-20"),
        ("2018-01-10T00:00:00", "240h"),
        ("2018/01/10", date(2018, 1, 20)),
    ],
)
@pytest.mark.parametrize("kind", ["datetimes", "dates", "seconds", "milliseconds", "text"])
def test_dates_and_durations_mean_the_same_in_every_log(cut, horizon, kind):
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((20, 12)) < 0.5)
    made = pl.DataFrame({"user_id": users, "item_id": items, "day": rng.integers(1, 31, len(users))})
    at = pl.date(2018, 1, pl.col("day"))
    forms = {
        "datetimes": at.cast(pl.Datetime("ns")),
        "dates": at,
        "seconds": at.cast(pl.Datetime("us")).dt.epoch("s"),
        "milliseconds": at.cast(pl.Datetime("us")).dt.epoch("ms"),
        "text": at.cast(pl.String),
    }
    clicks = Interactions.from_frame(made.select("user_id", "item_id", timestamp=forms[kind]))
    split = temporal(clicks, cut=cut, horizon=horizon)
    day = moments_of(Interactions.from_frame(made.rename({"day": "timestamp"})))
    assert {click for click, number in day.items() if number < 10} == clicks_of(
        split.train.matrix, split.train.users
    )
    assert {day[click] for click in targets_of(split)} <= set(range(10, 20))
    assert 19 in {day[click] for click in targets_of(split)}
    shown = split.settings["cut_date" if kind in ("seconds", "milliseconds") else "cut"]
    assert shown.startswith("2018-01-10")


def test_periods_of_one_length_end_with_the_log_or_start_at_the_cut():
    clicks = days([(user, item, 1 + (user + 2 * item) % 31) for user in range(31) for item in range(12)])
    late = rolling(clicks, 3, horizon="5d")
    assert [split.settings["cut"][:10] for split in late] == ["2018-01-17", "2018-01-22", "2018-01-27"]
    early = rolling(clicks, 2, cut="2018-01-05", horizon="1w")
    assert [split.settings["cut"][:10] for split in early] == ["2018-01-05", "2018-01-12"]
    assert [split.settings["end"][:10] for split in early] == ["2018-01-12", "2018-01-19"]
    assert "clicks after the horizon, 2018-01-19 00:00:00" not in early[0].dropped
    assert early[1].dropped["clicks after the horizon, 2018-01-19 00:00:00"] == 13 * 12
    until = rolling(clicks, 2, 0.5, horizon="2018-01-29")
    assert until[1].settings["end"][:10] == "2018-01-29"


def test_cut_may_be_a_share_of_the_clicks():
    clicks = log()
    by_cut, by_holdout = temporal(clicks, cut=0.7), temporal(clicks, 0.3)
    assert (by_cut.targets != by_holdout.targets).nnz == 0
    assert temporal(clicks, cut="0.7").settings["train_share"] == 0.7


def test_all_clicks_of_the_moment_of_a_cut_come_after_it():
    clicks = days([(user, item, 1 if item < 2 else 9) for user in range(9) for item in range(6)])
    for holdout in (0.05, 0.5, 0.9):
        split = temporal(clicks, holdout)
        assert split.train.n_clicks == 18
        assert split.targets.nnz == 36


NO_DATES = Interactions.from_frame(
    pl.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [1, 2, 1, 2], "timestamp": [1, 50, 2, 70]})
)
DATED = days([(1, 1, 1), (1, 2, 5), (2, 1, 2), (2, 2, 7), (3, 1, 2), (3, 3, 7)])


@pytest.mark.parametrize(
    ("clicks", "asked", "error", "says"),
    [
        (DATED, {"cut": "2017-01-01"}, SplitError, "came from 2018-01-01 00:00:00 to 2018-01-07 00:00:00"),
        (DATED, {"cut": "2019-01-01"}, SplitError, "cut '2019-01-01' leaves all clicks on one side"),
        (DATED, {"cut": "2018-01-01"}, SplitError, "leaves all clicks on one side"),
        (DATED, {"cut": "01/02/2018"}, SplitError, "cut must be a date such as 2018-03-01"),
        (DATED, {"cut": "yesterday"}, SplitError, "cut must be a date such as 2018-03-01"),
        (DATED, {"cut": 1.5}, SplitError, "cut must be a date such as"),
        (DATED, {"cut": True}, SplitError, "cut must be a date such as"),
        (DATED, {"cut": float("nan")}, SplitError, "cut must be a date such as"),
        (NO_DATES, {"cut": "2018-01-01"}, SplitError, "cut must be a number such as the log's own times"),
        (NO_DATES, {"cut": 10, "horizon": "3d"}, SplitError, "times are in no known unit; give a number"),
        (DATED, {"cut": "2018-01-04", "holdout": 0.2}, SplitError, "holdout and cut both say where"),
        (
            DATED,
            {"cut": "2018-01-04", "horizon": "2018-01-03"},
            SplitError,
            "is not after the cut, 2018-01-04",
        ),
        (
            DATED,
            {"horizon": "-3d"},
            SplitError,
            "horizon must be a duration such as 30d, 4w or 12h, or a date",
        ),
        (DATED, {"horizon": 0}, SplitError, "horizon must be a duration"),
        (DATED, {"horizon": "3 moons"}, SplitError, "horizon must be a duration"),
        (DATED, {"horizon": float("inf")}, SplitError, "horizon must be a duration"),
        (DATED, {"horizon": [3]}, SplitError, "horizon must be a duration"),
        (DATED, {"next_k": 0}, ParameterError, "next_k must be a whole number >= 1"),
        (DATED, {"fold_in": 1}, SplitError, "fold_in must be between 0 and 1"),
        (DATED, {"seed": -1}, ParameterError, "seed must be a whole number"),
        (DATED, {"holdout": 1.5}, SplitError, "holdout must be between 0 and 1"),
        (DATED, {"cut": "2018-01-03", "horizon": "1d"}, SplitError, "no user with both a history and"),
        (days([(1, 1, 5), (1, 2, 5), (2, 1, 5)]), {}, SplitError, "all clicks came at one moment"),
        (days([(1, 1, 5)]), {}, SplitError, "all clicks came at one moment"),
        (Interactions.from_csr(np.eye(3)), {}, SplitError, "needs timestamps; name their column with --time"),
        (DATED.to_frame(), {}, ParameterError, "clicks must be Interactions"),
    ],
)
def test_what_cannot_be_split_in_time_is_refused(clicks, asked, error, says):
    with pytest.raises(error, match=says):
        temporal(clicks, **asked)


@pytest.mark.parametrize(
    ("asked", "error", "says"),
    [
        ({"cuts": 0}, ParameterError, "cuts must be a whole number >= 1"),
        ({"cuts": 2.5}, ParameterError, "cuts must be a whole number"),
        (
            {"cuts": 50},
            SplitError,
            "50 test periods need so many moments, and the log has 1 there; ask for fewer",
        ),
        ({"cuts": 4, "horizon": "2d"}, SplitError, "4 periods of '2d': longer than the log"),
        (
            {"cuts": 3, "cut": "2018-01-05", "horizon": "3d"},
            SplitError,
            "beyond the log, which ends 2018-01-07",
        ),
        ({"cuts": 2, "cut": "2018-01-02", "horizon": "2018-01-01"}, SplitError, "is not after the cut"),
    ],
)
def test_what_cannot_be_rolled_is_refused(asked, error, says):
    with pytest.raises(error, match=says):
        rolling(DATED, **asked)


def test_cut_that_leaves_nobody_is_named():
    folds = rolling(days([(1, 1, 1), (1, 2, 5), (2, 2, 7), (2, 3, 7), (1, 4, 5)]), 2, 0.6)
    with pytest.raises(
        SplitError, match=r"cut 2 of 2 \(2018-01-07 00:00:00\): the temporal split leaves no user"
    ):
        folds[1]
    with pytest.raises(IndexError):
        folds[2]


def test_periods_are_parted_where_many_clicks_are_of_one_moment():
    rows = [(user, item, 1) for user in range(20) for item in range(3)]
    rows += [(user, 3 + item, 5) for user in range(20) for item in range(5)]
    rows += [(user, 8, 6) for user in range(9)] + [(user, 9, 7) for user in range(9)]
    folds = rolling(days(rows), 3, cut="2018-01-05")
    assert [split.settings["cut"][:10] for split in folds] == ["2018-01-05", "2018-01-06", "2018-01-07"]
    assert [split.targets.nnz for split in folds] == [100, 9, 9]
