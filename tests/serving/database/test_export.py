"""Events as Parquet files: each event once, whatever cut an export off."""

import json
import os
from datetime import UTC, datetime

import polars as pl
import pytest

from isotherm import Interactions
from isotherm.errors import InteractionsError, OutputError
from isotherm.serving.database import Assigned, Database, Event, Exposure, export

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def events(numbers, user=int):
    """Clicks of odd numbers; the others are watched."""
    odd, even = ("click", None), ("watch", 1.5)
    kinds = [odd if n % 2 else even for n in numbers]
    return [
        Event(n, type_, user(n % 3), f"🎬{n}", NOON, value)
        for n, (type_, value) in zip(numbers, kinds, strict=True)
    ]


def test_all_events_come_once_over_several_exports(database, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_PAGE", 3)
    out = tmp_path / "events"
    database.add_events(events(range(10)))
    assert database.export_events(out, rows_per_file=4) == 10
    assert len(list(out.glob("events-*.parquet"))) == 3
    assert database.export_events(out) == 0
    database.add_events(events(range(7, 15)))
    assert database.export_events(out) == 5
    frame = pl.read_parquet(out / "*.parquet")
    assert frame["event_id"].to_list() == list(range(15))
    assert frame.drop("received").row(4, named=True) == {
        "event_id": 4, "user_id": 1, "item_id": "🎬4", "type": "watch", "timestamp": NOON,
        "value": 1.5, "late": True, "future": False,
    }  # fmt: skip
    assert Interactions.read(out / "*.parquet").n_clicks == 7


def test_the_events_of_an_export_are_read_alone(database, tmp_path):
    out = tmp_path / "out"
    database.log_swap("folder", "model")
    assert database.export_events(out) == 0  # of nothing, which does not tell what ids will be
    database.experiments.assign(7, [Assigned("films", "new", "hash")])
    database.export_events(tmp_path / "early")
    with pytest.raises(InteractionsError, match="this export holds no event yet; export again"):
        Interactions.read(tmp_path / "early")
    database.add_events(events(range(10)))
    database.log_exposures([Exposure("r", 7, ["🎬1"], [], "m", NOON)])
    database.export_events(out, rows_per_file=4)
    assert {"assignments", "exposures", "model_swaps"} <= {each.name for each in out.iterdir()}
    assert Interactions.read(out).n_clicks == 5
    (out / "events.json").write_text('{"by": "another program"}')  # then it is any folder of Parquet
    with pytest.raises(InteractionsError, match=r"model_swaps.*user_id"):
        Interactions.read(out)


def test_types_of_ids_are_told_by_the_first_rows_that_hold_one(database, tmp_path):
    out = tmp_path / "out"
    database.log_exposures([Exposure("r1", 7, [], [], "m", NOON)])
    assert database.export_events(out) == 0
    assert json.loads((out / "events.json").read_text())["ids"] == {"user": "integer"}
    database.log_exposures([Exposure("r2", 7, ["🎬1"], [], "m", NOON)])
    assert database.export_events(out) == 0
    lists = pl.read_parquet(out / "exposures" / "*.parquet")
    assert lists.select("user_id", "items").rows() == [(7, []), (7, ["🎬1"])]
    database.add_events([Event(1, "click", 7, "🎬1", NOON)])
    assert database.export_events(out) == 1
    kept = pl.read_parquet(out / "*.parquet")
    assert kept.select("event_id", "user_id", "item_id").rows() == [(1, 7, "🎬1")]


def test_an_export_that_was_cut_off_goes_on(database, tmp_path, monkeypatch):
    database.add_events(events(range(20)))
    monkeypatch.setattr(export, "_PAGE", 2)
    pages, table = [], export.ExportedTable.arrow

    def cut_off(of, rows, kinds):
        if rows:
            pages.append(rows)
        if len(pages) == 5:
            raise KeyboardInterrupt
        return table(of, rows, kinds)

    monkeypatch.setattr(export.ExportedTable, "arrow", cut_off)
    with pytest.raises(KeyboardInterrupt):
        database.export_events(tmp_path / "events", rows_per_file=6)
    monkeypatch.setattr(export.ExportedTable, "arrow", table)
    assert [file.name for file in (tmp_path / "events").glob("*.parquet")] == [
        f"events-{0:018}-{6:018}.parquet"
    ]
    assert database.export_events(tmp_path / "events", rows_per_file=6) == 14
    assert pl.read_parquet(tmp_path / "events" / "*.parquet")["event_id"].sort().to_list() == list(range(20))


def test_one_and_text_one_stay_two(database, tmp_path):
    database.add_events([Event(n, "click", user, 7) for n, user in enumerate([1, "1"])])
    database.export_events(tmp_path / "events")
    frame = pl.read_parquet(tmp_path / "events" / "*.parquet").sort("event_id")
    assert frame.select("user_id", "user_is_number", "item_id").rows() == [("1", True, 7), ("1", False, 7)]


def test_an_id_of_another_type_later_is_told(database, tmp_path):
    database.add_events(events([1]))
    database.export_events(tmp_path / "events")
    database.add_events(events([2], user=str))
    with pytest.raises(OutputError, match=r"user_id '2' is no integer.*new folder"):
        database.export_events(tmp_path / "events")
    assert len(os.listdir(tmp_path / "events")) == 2


def test_folders_of_others_are_left_alone(database, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"holds a\.txt already"):
        database.export_events(tmp_path / "letters")
    database.export_events(tmp_path / "events")
    with (
        Database.open(f"sqlite:///{tmp_path}/other.db") as other,
        pytest.raises(OutputError, match="another database"),
    ):
        other.export_events(tmp_path / "events")
    (tmp_path / "events" / "events.json").write_text("{}")
    with pytest.raises(OutputError, match="damaged"):
        database.export_events(tmp_path / "events")
