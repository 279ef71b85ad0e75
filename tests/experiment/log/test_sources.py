import polars as pl
import pytest

from isotherm.errors import EventLogError
from isotherm.experiment.log import EventLog, sources
from tests.experiment.log.logs import ASSIGNMENT, EVENT, assignment, event, exposure, frame, write

ASSIGNED = [assignment(1)]


def opened(folder, **columns):
    """A log whose events have other columns: an expression for each, None to leave it out."""
    write(folder, [event(1, 1, "click", 1)], ASSIGNED, [exposure(1, 1, 1, [1], [True])])
    events = frame([event(1, 1, "click", 1)], EVENT)
    left_out = [name for name, expression in columns.items() if expression is None]
    events.with_columns(**{k: v for k, v in columns.items() if v is not None}).drop(left_out).write_parquet(
        folder / "events.parquet"
    )
    return EventLog.of_folder(folder)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"user_id": None},
            "column 'user_id' is missing; events have event_id, user_id, item_id, type, timestamp",
        ),
        ({"user_id": pl.lit(1.5)}, "column 'user_id' of events is 'double'; ids are int64 or text"),
        ({"item_id": pl.lit([1])}, "column 'item_id' of events is .*; ids are int64 or text"),
        ({"type": pl.lit(1)}, "column 'type' of events is 'int32'; it must be text"),
        (
            {"timestamp": pl.lit("2026-01-01")},
            "column 'timestamp' of events is .*; it must be a timestamp, or int64",
        ),
        ({"received": pl.lit(1.5)}, "column 'received' of events is 'double'"),
        ({"value": pl.lit("ten")}, "column 'value' of events is .*; it must be a number"),
        ({"cold": pl.lit(1)}, "column 'cold' of events is 'int32'; it must be bool"),
    ],
)
def test_columns_that_cannot_be_used_are_refused(tmp_path, columns, message):
    with pytest.raises(EventLogError, match=rf"events.parquet: {message}"):
        opened(tmp_path, **columns)


def test_what_may_be_missing_may_be_missing(tmp_path):
    log = opened(tmp_path, value=None, received=None)
    assert set(log.events.kinds) == {"event_id", "user_id", "item_id", "type", "timestamp"}
    assert log.events.rows == 1


def test_files_of_one_table_have_the_same_columns(tmp_path):
    rows = frame([event(1, 1, "click", 1)], EVENT)
    for name, more in (("a", rows), ("b", rows.with_columns(pl.col("user_id").cast(pl.String)))):
        more.write_parquet(tmp_path / f"events-{name}.parquet")
    frame(ASSIGNED, ASSIGNMENT).write_parquet(tmp_path / "assignments.parquet")
    with pytest.raises(
        EventLogError, match=r"events-b\.parquet: column 'user_id' is text where .* has integer"
    ):
        EventLog.of_folder(tmp_path)
    rows.drop("value").write_parquet(tmp_path / "events-b.parquet")
    with pytest.raises(
        EventLogError, match=r"events-b\.parquet: column 'value' is missing where .* has number"
    ):
        EventLog.of_folder(tmp_path)


def test_a_folder_names_its_tables_in_three_ways(tmp_path):
    rows, users = frame([event(1, 1, "click", 1)], EVENT), frame(ASSIGNED, ASSIGNMENT)
    (tmp_path / "events").mkdir()
    rows.write_parquet(tmp_path / "events" / "1.parquet")
    with pytest.raises(EventLogError, match="holds no assignments; there must be a folder assignments, or"):
        EventLog.of_folder(tmp_path)
    for name in ("assignments-1.parquet", "assignments-2.parquet"):
        users.write_parquet(tmp_path / name)
    log = EventLog.of_folder(tmp_path)
    assert (log.events.rows, log.assignments.rows, log.exposures) == (1, 2, None)


def test_the_name_of_a_folder_is_no_pattern(tmp_path):
    folder = write(tmp_path / "log[1]*", [event(1, 1, "click", 1)], ASSIGNED)
    (folder / "events.parquet").rename(folder / "events-1.parquet")
    assert EventLog.of_folder(folder).events.rows == 1


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    folder = write(tmp_path, [], ASSIGNED)
    (folder / "events.parquet").write_bytes(b"PAR1" + bytes(40) + b"PAR1")
    with pytest.raises(EventLogError, match=r"events\.parquet: cannot be read as Parquet"):
        EventLog.of_folder(folder)


def test_names_of_files_stand_for_themselves(tmp_path):
    assert sources.escaped([tmp_path / "a[1]*?.parquet"]) == [f"{tmp_path}/a[[]1][*][?].parquet"]
