"""Logs from frames, files, and the tables of a server; what cannot be used is refused with its place."""

import polars as pl
import pytest

from isotherm.errors import InteractionsError
from isotherm.experiment.offpolicy import LogColumns, log_of, read_log, read_serving_log, serving_log_of

ROWS = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "bob"],
        "request_id": [7, 7, 8],
        "position": [2, 1, 1],
        "item_id": ["é", "b", "é"],
        "reward": [1.0, 0.0, 1.0],
        "propensity": [0.5, 0.25, 1.0],
        "other": [0.1, 0.0, 1.0],
    }
)


def test_a_frame_is_read_as_it_stands():
    log = log_of(ROWS)
    assert log.users.tolist() == [0, 0, 1]
    assert log.user_ids.to_list() == ["ann", "bob"]
    assert log.actions.tolist() == [0, 1, 0]
    assert log.order.tolist() == [1, 0, 2]
    assert log.places.tolist() == [1, 0, 0]
    renamed = log_of(ROWS.rename({"reward": "click"}).to_pandas(), LogColumns(reward="click"))
    assert renamed.rewards.tolist() == [1, 0, 1]
    flags = log_of(ROWS.with_columns(pl.col("reward") > 0))
    assert flags.rewards.tolist() == [1, 0, 1]


def test_columns_that_may_be_absent():
    alone = log_of(ROWS.select("item_id", "reward", "propensity"))
    assert (alone.users.tolist(), alone.lists.tolist()) == ([0, 1, 2], [0, 1, 2])
    assert alone.positions.tolist() == [1, 1, 1]
    assert log_of(ROWS.drop("user_id")).users.tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_are_read_with_the_targets_column(tmp_path, kind):
    file = tmp_path / f"log.{kind}"
    getattr(ROWS, f"write_{kind}")(file)
    log, target = read_log(file, target="other")
    assert (log.rewards.tolist(), target.tolist()) == ([1, 0, 1], [0.1, 0.0, 1.0])
    with pytest.raises(InteractionsError, match=rf"log\.{kind}: column 'new' is missing"):
        read_log(file, target="new")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("propensity", 0.0, r"'propensity', row 2: what was shown had a probability above 0"),
        ("propensity", 1.5, r"'propensity', row 2: 1\.5 is no probability"),
        ("propensity", None, r"'propensity', row 2: no value"),
        ("reward", float("nan"), r"'reward', row 2: nan is not a finite number"),
        ("position", 0, r"'position', row 2: 0 is no position; count from 1"),
        ("position", 2, r"two items at one position"),
        ("user_id", "bob", r"a list has two users"),
        ("item_id", None, r"'item_id', row 2: no value"),
    ],
)
def test_what_cannot_be_used_is_refused(column, value, words):
    changed = pl.Series(column, [ROWS[column][0], value, ROWS[column][2]], dtype=ROWS[column].dtype)
    with pytest.raises(InteractionsError, match=words):
        log_of(ROWS.with_columns(changed))


def test_files_of_a_log_have_the_same_columns(tmp_path):
    ROWS.write_parquet(tmp_path / "1.parquet")
    turned = ROWS.select(reversed(ROWS.columns)).with_columns(pl.lit("x").alias("more"))
    turned.with_columns(pl.col("user_id") + "2", pl.col("request_id") + 2).write_parquet(
        tmp_path / "2.parquet"
    )
    log, target = read_log(tmp_path / "*.parquet", target="other")
    assert (log.rewards.tolist(), target.tolist()) == ([1, 0, 1] * 2, [0.1, 0.0, 1.0] * 2)
    ROWS.drop("position").write_parquet(tmp_path / "3.parquet")
    missing = (
        r"3\.parquet: column 'position' is missing; .*2\.parquet has it; give it to all files or to none"
    )
    with pytest.raises(InteractionsError, match=missing):
        read_log(tmp_path / "*.parquet")
    ROWS.with_columns(reward=pl.lit([1.0])).write_parquet(tmp_path / "3.parquet")
    with pytest.raises(InteractionsError, match=r"a column is of another type in some files \(.*write all"):
        read_log(tmp_path / "*.parquet")


EXPOSURES = pl.DataFrame(
    {
        "request_id": ["r1", "r1", "r2", "r3"],
        "user_id": [1, 1, 2, None],
        "experiment": ["a", "b", "a", "a"],
        "timestamp": [100, 100, 100, 100],
        "items": [[5, 6], [5, 6], [6, 5], [5]],
        "propensities": [[1.0, 0.5], [1.0, 0.5], None, [1.0]],
        "other": [[0.5, 0.5], [0.5, 0.5], [0.5, 0.5], [0.5]],
    },
    schema_overrides={"propensities": pl.List(pl.Float64)},
)
EVENTS = pl.DataFrame(
    {
        "event_id": [1, 1, 2, 3],
        "user_id": [1, 1, 1, 2],
        "item_id": [6, 6, 5, 6],
        "type": ["click", "click", "watch", "click"],
        "timestamp": [150, 150, 160, 150],
        "value": [None, None, 30.0, None],
    }
)


def test_a_servers_tables_are_joined(tmp_path):
    EXPOSURES.write_parquet(tmp_path / "exposures-1.parquet")
    EVENTS.write_parquet(tmp_path / "events-1.parquet")
    found = read_serving_log(tmp_path, target="other")
    assert found.log.items.to_list() == [5, 6]
    assert found.log.rewards.tolist() == [0, 1]
    assert found.log.propensities.tolist() == [1.0, 0.5]
    assert found.target.tolist() == [0.5, 0.5]
    assert found.counts == {"without_propensities": 1, "without_user": 1, "repeated": 1, "unmatched": 1}
    watched = serving_log_of(EXPOSURES, EVENTS, event="watch")
    assert watched.log.rewards.tolist() == [30, 0]
    with pytest.raises(InteractionsError, match=r"holds no exposures\*\.parquet; export the tables"):
        read_serving_log(tmp_path / "nowhere")


def test_a_broken_file_is_named(tmp_path):
    EXPOSURES.write_parquet(tmp_path / "exposures.parquet")
    (tmp_path / "events.parquet").write_bytes(b"none")
    with pytest.raises(InteractionsError, match=r"events\.parquet: cannot be read as parquet"):
        read_serving_log(tmp_path)


def test_lists_without_propensities_are_refused():
    with pytest.raises(
        InteractionsError, match="'propensities' is missing; give the experiment's plan an explor"
    ):
        serving_log_of(EXPOSURES.drop("propensities"), EVENTS)
    with pytest.raises(InteractionsError, match="no list has propensities; give the experiment's plan"):
        serving_log_of(EXPOSURES.filter(pl.col("request_id") == "r2"), EVENTS)
    bad = EXPOSURES.with_columns(propensities=pl.lit([1.0, 0.0])).filter(pl.col("request_id") == "r1")
    with pytest.raises(InteractionsError, match=r"'propensities': 0\.0 is no probability above 0"):
        serving_log_of(bad, EVENTS)
