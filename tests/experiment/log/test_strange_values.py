"""What stands in files of one table by mistake, or in another type than in the first of them."""

import time

import polars as pl
import pytest

from isotherm.errors import EventLogError
from isotherm.experiment.log import EventLog, Window, read_users
from tests.experiment.log.logs import ASSIGNMENT, EVENT, HOUR, assignment, event, frame, write

pytest.importorskip("duckdb")

WINDOW = Window("x", ("a", "b"))
ASSIGNMENTS = [assignment(1, "a", 1.0), assignment(2, "b", 1.0)]


def users_of(folder, window=WINDOW):
    return read_users(EventLog.of_folder(folder), window)


def two_files(folder, first, second):
    """A log whose events are in two files."""
    write(folder, [], ASSIGNMENTS)
    (folder / "events.parquet").unlink()
    first.write_parquet(folder / "events-1.parquet")
    second.write_parquet(folder / "events-2.parquet")


@pytest.mark.parametrize("zoned_first", [False, True])
def test_times_without_a_zone_are_utc_beside_others_wherever_the_machine_is(
    tmp_path, monkeypatch, zoned_first
):
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        plain = frame([event(1, 1, "impression", 2.0)], EVENT | {"timestamp": pl.Datetime("us")})
        zoned = frame([event(2, 2, "impression", 2.0)], EVENT)
        two_files(tmp_path, *((zoned, plain) if zoned_first else (plain, zoned)))
        assert users_of(tmp_path).impressions.tolist() == [1, 1]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_narrow_numbers_in_the_first_file_do_not_narrow_those_of_the_others(tmp_path):
    small = EVENT | {"item_id": pl.Int8, "value": pl.Int64}
    first = frame([event(1, 1, "watch", 2.0, 7, 3)], small)
    second = frame([event(2, 2, "watch", 2.0, 10**9, 0.4)], EVENT)
    two_files(tmp_path, first, second)
    users = users_of(tmp_path)
    assert users.watch_seconds.tolist() == [3.0, 0.4]
    assert users.counts.measured == 2


@pytest.mark.parametrize("type_", ["watch", "impression"])
def test_a_value_that_is_no_number_is_refused_with_its_row(tmp_path, type_):
    events = [event(1, 1, "watch", 2.0, value=1.0), event(2, 1, type_, 2.0, value=float("nan"))]
    write(tmp_path, events, ASSIGNMENTS)
    with pytest.raises(
        EventLogError, match=r"events.parquet: column 'value', row 2: nan is no number from 0"
    ):
        users_of(tmp_path)


def test_an_assignment_of_the_year_1000_is_refused_with_its_row(tmp_path):
    write(tmp_path, [], [*ASSIGNMENTS, assignment(3, "a", -970 * 365.25 * 24)])
    with pytest.raises(EventLogError, match=r"column 'timestamp', row 3: .* is before the year 1900"):
        users_of(tmp_path)


@pytest.mark.parametrize("version", [float("nan"), float("inf"), 1e12, 0.5, -1.0])
def test_weights_that_are_no_count_are_refused_with_their_row(tmp_path, version):
    write(tmp_path, [], ASSIGNMENTS)
    rows = [row | {"weights": value} for row, value in zip(ASSIGNMENTS, (1.0, version), strict=True)]
    frame(rows, ASSIGNMENT | {"weights": pl.Float64}).write_parquet(tmp_path / "assignments.parquet")
    with pytest.raises(EventLogError, match=r"column 'weights', row 2: .* is no number of times"):
        users_of(tmp_path)


@pytest.mark.parametrize("name", ["{table}", "'{table}'", "{", "$1 %s"])
def test_names_of_arms_and_experiments_are_text_whatever_they_hold(tmp_path, name):
    window = Window(f"of {name}", (name, "b"))
    assignments = [assignment(1, name, experiment=window.name), assignment(2, "b", experiment=window.name)]
    folder = tmp_path / name.strip("'")
    write(folder, [event(1, 1, "impression", HOUR / HOUR)], assignments, [])
    users = users_of(folder, window)
    assert users.arm.tolist() == [0, 1]
    assert users.impressions.tolist() == [1, 0]
