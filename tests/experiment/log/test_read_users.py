"""What reading a log makes of single cases; test_reading.py holds it to a literal reading of random ones."""

import tempfile

import numpy as np
import polars as pl
import pytest

from isotherm.errors import EventLogError
from isotherm.experiment.log import EventLog, Rules, Window, read_users
from tests.experiment.log.logs import ASSIGNMENT, EVENT, assignment, event, exposure, frame, write

pytest.importorskip("duckdb")

WINDOW = Window("x", ("a", "b"), 0.0, 48 * 3600.0)
SHOWN = [event(1, 1, "impression", 2), event(2, 1, "click", 3), event(3, 1, "watch", 4, value=60.0)]


def read(folder, events, assignments, exposures=None, rules=None):
    return read_users(EventLog.of_folder(write(folder, events, assignments, exposures)), WINDOW, rules)


@pytest.mark.parametrize("events", [[], SHOWN[1:2]], ids=["no events", "no impressions"])
@pytest.mark.parametrize("assignments", [[], [assignment(1)]], ids=["no users", "one user"])
@pytest.mark.parametrize("exposures", [None, []], ids=["no lists", "empty lists"])
def test_nearly_empty_logs_survive(tmp_path, events, assignments, exposures):
    users = read(tmp_path, events, assignments, exposures)
    assert len(users) == len(assignments)
    assert users.clicks.sum() == len(events) * len(assignments)
    assert users.counts.unattributed_clicks == len(events) * len(assignments)
    assert users.daily.to_date.n.sum() == len(users) * users.days
    np.testing.assert_array_equal(users.items.coverage, [0, 0])


def test_names_hold_any_character(tmp_path):
    where = {"experiment": "x's {new}", "arm": "{a}"}
    lists = [exposure(1, 1, 1, [1], [True], **where)]
    folder = write(tmp_path, SHOWN[1:2], [assignment(1, hour=1, **where)], lists)
    users = read_users(EventLog.of_folder(folder), Window(where["experiment"], (where["arm"],)))
    assert (users.cold_impressions.tolist(), users.cold_clicks.tolist()) == ([1], [1])


def test_ids_may_be_text_on_one_side(tmp_path):
    write(tmp_path, SHOWN, [assignment(1)])
    rows = frame(SHOWN, EVENT).with_columns(pl.col("user_id", "event_id", "item_id").cast(pl.String))
    rows.write_parquet(tmp_path / "events.parquet")
    users = read_users(EventLog.of_folder(tmp_path), WINDOW)
    assert (users.ids.to_list(), users.clicks_on_shown.tolist()) == (["1"], [1])
    assert users.items.ids.to_list() == ["1"]


def test_ids_that_are_numbers_and_text_are_kept_apart(tmp_path):
    write(tmp_path, [], [])
    rows = frame([SHOWN[1], SHOWN[1] | {"event_id": 9}], EVENT).with_columns(
        pl.col("user_id").cast(pl.String), user_id_is_number=pl.Series([True, False])
    )
    rows.write_parquet(tmp_path / "events.parquet")
    given = frame([assignment(1), assignment(1, "b")], ASSIGNMENT)
    given.with_columns(
        pl.col("user_id").cast(pl.String), user_id_is_number=pl.Series([True, False])
    ).write_parquet(tmp_path / "assignments.parquet")
    users = read_users(EventLog.of_folder(tmp_path), WINDOW)
    assert (users.ids.to_list(), users.clicks.tolist(), users.arm.tolist()) == (["n1", "t1"], [1, 1], [0, 1])


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_may_be_numbers(tmp_path, unit):
    day = 20_000 * 24
    moved = [
        event(each["event_id"], 1, each["type"], day + 2 + place, value=5.0)
        for place, each in enumerate(SHOWN)
    ]
    write(tmp_path, moved, [assignment(1, hour=day + 1)])
    rows = frame(moved, EVENT).with_columns(pl.col("timestamp", "received").dt.epoch(unit))
    rows.write_parquet(tmp_path / "events.parquet")
    users = read_users(EventLog.of_folder(tmp_path), Window("x", ("a",), day * 3600.0))
    assert (users.clicks_on_shown.tolist(), users.first.tolist(), users.days) == ([1], [0], 1)


def test_numbers_that_are_no_times_are_refused(tmp_path):
    write(tmp_path, SHOWN, [assignment(1)])
    frame(SHOWN, EVENT).with_columns(timestamp=pl.lit(77)).write_parquet(tmp_path / "events.parquet")
    with pytest.raises(
        EventLogError, match=r"events\.parquet: column 'timestamp' of events holds numbers from 77 to 77"
    ):
        read_users(EventLog.of_folder(tmp_path), WINDOW)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user_id": None}, "column 'user_id', row 2: no value (null) where there must be one; drop or fill"),
        ({"timestamp": None}, "column 'timestamp', row 2: no value (null)"),
        ({"type": None}, "column 'type', row 2: no value (null)"),
        ({"value": -1.0}, "column 'value', row 2: -1.0 is no number from 0 to 1e+09; mend or drop"),
        ({"value": float("nan")}, "column 'value', row 2: nan is no number"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path, change, message):
    write(tmp_path, SHOWN, [assignment(1)])
    frame(SHOWN, EVENT).write_parquet(tmp_path / "events-1.parquet")
    frame([SHOWN[0], SHOWN[1] | change], EVENT).write_parquet(tmp_path / "events-2.parquet")
    (tmp_path / "events.parquet").unlink()
    with pytest.raises(EventLogError) as caught:
        read_users(EventLog.of_folder(tmp_path), WINDOW)
    assert str(caught.value).startswith(f"{tmp_path}/events-2.parquet: {message}")


def test_arms_of_another_plan_are_refused(tmp_path):
    with pytest.raises(
        EventLogError, match=r"assignments\.parquet: column 'arm', row 2: 'c' is no arm of x; its arms"
    ):
        read(tmp_path, [], [assignment(1), assignment(2, "c")])


def test_types_that_are_all_unknown_are_refused(tmp_path):
    with pytest.raises(EventLogError, match="column 'type' holds none of impression, click"):
        read(tmp_path, [event(1, 1, "Klick", 1)], [assignment(1)])
    users = read(tmp_path, [event(1, 1, "dislike", 1)], [assignment(1)])
    assert users.counts.other_types == 1


def test_lists_stand_for_impressions_where_there_are_none(tmp_path):
    lists = [exposure(1, 1, 2, [7, 8], [True, False]), exposure(1, 1, 5, [7, 9], [True, True])]
    users = read(tmp_path, [event(1, 1, "click", 3, item=7)], [assignment(1)], lists)
    assert (users.impressions.tolist(), users.cold_impressions.tolist()) == (
        [2],
        [1],
    )  # one request counts once
    assert (users.clicks_on_shown.tolist(), users.cold_clicks.tolist()) == ([1], [1])
    assert users.counts.rows == users.counts.measured == 1


def test_cold_items_of_a_list_may_be_told_by_their_ranks(tmp_path):
    write(tmp_path, [], [assignment(1)], [])
    lists = pl.DataFrame(
        {
            "request_id": [1],
            "user_id": [1],
            "experiment": ["x"],
            "arm": ["a"],
            "items": [[7, 8, 9]],
            "cold": [[1, 3]],
        }
    ).with_columns(timestamp=pl.lit(7200 * 10**6).cast(pl.Datetime("us")))
    lists.write_parquet(tmp_path / "exposures.parquet")
    users = read_users(EventLog.of_folder(tmp_path), WINDOW)
    assert users.items.ids.to_list() == [7, 8, 9]
    np.testing.assert_array_equal(users.items.cold, [True, False, True])


def test_an_item_is_cold_until_a_list_of_its_arm_calls_it_warm(tmp_path):
    lists = [exposure(1, 1, 1, [5], [True]), exposure(2, 1, 6, [5], [False]), exposure(3, 1, 9, [5], [False])]
    seen = [event(hour, 1, "impression", hour, item=5) for hour in (2, 5, 7, 10)]
    users = read(tmp_path, [*seen, event(90, 1, "click", 5.5, item=5)], [assignment(1)], lists)
    assert (users.impressions.tolist(), users.cold_impressions.tolist()) == ([4], [2])
    assert users.cold_clicks.tolist() == [1]


def test_events_may_say_themselves_what_is_cold(tmp_path):
    write(tmp_path, SHOWN, [assignment(1)])
    frame(SHOWN, EVENT).with_columns(cold=pl.lit(True)).write_parquet(tmp_path / "events.parquet")
    users = read_users(EventLog.of_folder(tmp_path), WINDOW)
    assert (users.cold_impressions.tolist(), users.cold_clicks.tolist()) == ([1], [1])


def test_a_click_counts_for_an_impression_of_the_same_moment(tmp_path):
    clicks = [event(number, 1, "click", 2, item=number) for number in range(50)]
    seen = [event(100 + number, 1, "impression", 2, item=number) for number in range(50)]
    users = read(tmp_path, clicks + seen, [assignment(1)])
    assert (users.clicks_on_shown.tolist(), users.counts.unattributed_clicks) == ([50], 0)


def test_users_put_in_by_hand_are_left_out(tmp_path):
    users = read(tmp_path, SHOWN, [assignment(1, reason="override"), assignment(2)])
    assert (users.ids.to_list(), users.counts.overridden, users.counts.without_exposure) == ([2], 1, 3)


def test_a_cap_is_one_for_all_arms_and_bots_have_no_say(tmp_path):
    given = [assignment(user, "ab"[user % 2]) for user in range(1, 6)]
    watched = [event(user, user, "watch", 1, value=10.0 * user) for user in range(1, 5)]
    clicks = [event(100 + each, 5, "click", 1) for each in range(40)] + [event(200, 5, "watch", 1, value=9e6)]
    users = read(tmp_path, watched + clicks, given, rules=Rules(cap_quantile=1.0))
    assert users.bot.tolist() == [False, False, False, False, True]
    assert users.caps["watch_seconds"] == 40.0
    assert users.outlier.tolist() == [False, False, False, False, True]
    assert (users.counts.bots_by_clicks, users.counts.bots, users.counts.outliers) == (1, 1, 1)


def test_order_of_files_and_rows_and_little_memory_change_nothing(tmp_path):
    rng = np.random.default_rng(0)
    events = [
        event(int(rng.integers(3000)), int(rng.integers(1, 40)), "click" if n % 3 else "impression", n / 100)
        for n in range(4000)
    ]
    given = [assignment(user, "ab"[user % 2]) for user in range(1, 40)]
    users = read(tmp_path / "one", events, given)
    other = write(tmp_path / "two", [], given[::-1])
    (other / "events.parquet").unlink()
    for number, rows in enumerate(np.array_split(np.array(events)[rng.permutation(len(events))], 3)):
        frame(list(rows), EVENT).write_parquet(other / f"events-{number}.parquet")
    again = read_users(EventLog.of_folder(other), WINDOW, memory=20_000)
    assert again.counts == users.counts
    for name in ("impressions", "clicks", "clicks_on_shown"):
        np.testing.assert_array_equal(getattr(again, name), getattr(users, name))
    np.testing.assert_array_equal(again.daily.to_date.products, users.daily.to_date.products)


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    read(tmp_path, SHOWN, [assignment(1)])
    with pytest.raises(EventLogError):
        read(tmp_path, SHOWN, [assignment(1, "c")])
    assert not list((tmp_path / "scratch").iterdir())


def test_names_of_files_that_look_like_patterns(tmp_path):
    odd = tmp_path / "o'clock [1]"
    write(odd, SHOWN, [assignment(1)])
    users = read_users(EventLog.of(odd / "events.parquet", odd / "assignments.parquet"), WINDOW)
    assert users.clicks.tolist() == [1]


def test_the_version_of_the_weights_that_drew_a_user_is_told(tmp_path):
    rows = [assignment(1, "a"), assignment(2, "b"), assignment(2, "b", 1)]
    folder = write(tmp_path, [event(1, 1, "click", 2)], rows)
    log = EventLog.of_folder(folder)
    assert read_users(log, Window("x", ("a", "b"))).weights is None
    told = frame(rows, ASSIGNMENT).with_columns(weights=pl.Series([1, 2, 3]))
    told.write_parquet(folder / "assignments.parquet")
    users = read_users(EventLog.of_folder(folder), Window("x", ("a", "b")))
    np.testing.assert_array_equal(users.weights, [1, 2])
    told.with_columns(weights=pl.Series([None, 2, 3], dtype=pl.Int64)).write_parquet(
        folder / "assignments.parquet"
    )
    some = read_users(EventLog.of_folder(folder), Window("x", ("a", "b")))
    np.testing.assert_array_equal(some.weights, [-1, 2])  # not known: before those that are


def test_times_of_a_wrong_clock_are_named_unless_receipt_corrects_them(tmp_path):
    far = 24 * 365 * 400
    with pytest.raises(
        EventLogError, match=r"events.parquet: column 'timestamp', row 2: .* after the year 2200"
    ):
        read(tmp_path, [event(1, 1, "click", 2), event(2, 1, "click", far)], [assignment(1, "a")])
    with pytest.raises(
        EventLogError, match=r"assignments.parquet: column 'timestamp', row 1: .*mend its clock"
    ):
        read(tmp_path, [event(1, 1, "click", 2)], [assignment(1, "a", far)])
    users = read(tmp_path, [event(1, 1, "click", far, delay=2 - far)], [assignment(1, "a")])
    assert users.counts.future == users.counts.measured == 1
