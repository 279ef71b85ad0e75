"""The next model learns from the log of the saved one and from what the database says."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

pytest.importorskip("sqlalchemy", reason="the extra serve is not installed")

import isotherm
from isotherm import EASE, ContentKNN, Interactions, Items, MARec
from isotherm.data import IdMap
from isotherm.errors import DatabaseError, InteractionsError, ItemsError, OutputError
from isotherm.serving.database import Database, Event, StoredItem
from isotherm.serving.refit import next_data
from tests.cli.test_commands import invoke
from tests.conftest import random_clicks


def event(name, user, item, kind="click"):
    return Event(name, kind, user, item, "2026-03-01T12:00:00Z")


@pytest.fixture
def clicks():
    x = random_clicks(np.random.default_rng(2), 60, 25)
    return Interactions.from_csr(
        csr_array(x), [f"u{n:02}" for n in range(60)], [f"i{n:02}" for n in range(25)]
    )


@pytest.fixture
def database(tmp_path):
    with Database.open(f"sqlite:///{tmp_path}/live.db") as database:
        yield database


def pairs(clicks):
    return sorted(clicks.to_frame().rows())


LOG = csr_array(np.array([[3, 1, 0], [0, 1, 0], [0, 0, 0.5]]))


def test_logs_are_joined(database):
    model = EASE().fit(Interactions.from_csr(LOG))
    clicked = [event("a", 0, 0), event("b", 1, 0), event("c", 2, 2), event("e", 7, 9)]
    of_other_ids = [event("g", "1", 2), event("h", 8, "2"), event("i", 2**63, 2)]
    others = [event("d", 0, 1, "dislike"), event("f", 1, 0, "watch")]
    database.add_events([*clicked, *of_other_ids, *others])
    data = next_data(model, database)
    assert pairs(data.clicks) == [(0, 0, 3), (1, 0, 1), (1, 1, 1), (2, 2, 1), (7, 9, 1)]
    assert data.items is None
    assert dict(data.notes) == {
        "new_clicks": 2, "disliked": 1, "of_deleted_items": 0, "of_unknown_items": 0, "other_ids": 3,
    }  # fmt: skip
    again = next_data(EASE().fit(data.clicks), database)
    assert pairs(again.clicks) == pairs(data.clicks)
    assert again.notes["new_clicks"] == again.notes["disliked"] == 0


def test_deleted_items_are_gone(database):
    model = EASE().fit(Interactions.from_csr(LOG, ["a", "b", "c"], ["x", "y", "z"]))
    database.add_events([event(1, "a", "z")])
    database.delete(["y", "z"])
    data = next_data(model, database)
    assert pairs(data.clicks) == [("a", "x", 3)]
    assert (data.notes["of_deleted_items"], data.notes["new_clicks"]) == (3, 0)
    database.delete(["x"])
    with pytest.raises(InteractionsError, match="no click is left"):
        next_data(model, database)


def test_a_database_without_events_gives_the_same_model(database, clicks, items):
    model = MARec(backbone=EASE(l2=10.0), beta=2.0).fit(clicks, items)
    data = next_data(model, database, items)
    assert pairs(data.clicks) == pairs(clicks)
    again = MARec(backbone=EASE(l2=10.0), beta=2.0).fit(clicks, items).refit(data.clicks, data.items)
    lists = [each.recommend(k=5).sort("user_id", "rank") for each in (model, again)]
    assert lists[0]["item_id"].to_list() == lists[1]["item_id"].to_list()
    np.testing.assert_allclose(lists[0]["score"], lists[1]["score"], rtol=1e-4)


def test_the_database_describes_items(database, clicks, items, item_frame):
    model = ContentKNN().fit(clicks, items)
    fields = item_frame.columns[1:]
    rows = item_frame.rows(named=True)
    with pytest.raises(ItemsError, match=r"does not describe 30 items of the model.*give --items"):
        next_data(model, database)
    database.put_items([StoredItem(row["item_id"], {name: row[name] for name in fields}) for row in rows])
    changed = {**{name: rows[0][name] for name in fields}, "genres": ["western"], "beyond": 1}
    database.put_items([StoredItem("new", changed), StoredItem("i00", changed)])
    database.hide(["i01", "i02"])
    database.add_events(
        [event(1, "u00", "new"), event(2, "u00", "nobody knows"), event(3, "new user", "i03")]
    )
    data = next_data(model, database, items)
    assert len(data.items) == 31
    assert data.items.of(IdMap(["new", "i00", "i01"])).column("genres").to_list() == [
        ["western"], ["western"], rows[1]["genres"],
    ]  # fmt: skip
    assert (data.notes["new_clicks"], data.notes["of_unknown_items"]) == (2, 1)
    model.refit(data.clicks, data.items)
    assert model.recommend(["new user"], k=1).height == 1
    assert model.items_.known(["new"]).to_list() == ["new"]


def test_the_command_makes_the_next_model(database, tmp_path, clicks, items, item_frame):
    url, model, out = f"sqlite:///{tmp_path}/live.db", tmp_path / "model", tmp_path / "next"
    MARec(backbone=EASE(l2=10.0), beta=2.0).fit(clicks, items).save(model)
    item_frame.write_parquet(tmp_path / "items.parquet")
    database.add_events([event(n, "late comer", f"i{n:02}") for n in range(3)])
    table = ("--items", tmp_path / "items.parquet")
    told = invoke("refit", "--db", url, "--model", model, *table, "--out", out)
    assert "3 new clicks" in told
    assert (
        isotherm.load(out).recommend(["late comer"], k=3)["item_id"].is_in(["i00", "i01", "i02"]).sum() == 0
    )
    with pytest.raises(OutputError, match="is what --model reads"):
        invoke("refit", "--db", url, "--model", model, *table, "--out", model)
    told = invoke("events", "export", "--db", url, "--out", tmp_path / "events")
    assert "3 events written" in told
    assert pl.read_parquet(tmp_path / "events" / "*.parquet")["user_id"].unique().to_list() == ["late comer"]


def test_a_database_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(DatabaseError, match="there is no database"):
        invoke("events", "export", "--db", f"sqlite:///{tmp_path}/typo.db", "--out", tmp_path / "events")
    assert list(tmp_path.iterdir()) == []


def test_items_may_come_with_values_of_several_types(database):
    table = {"item_id": [7, 8], "headline": ["a", "b"], "genres": ["war|drama", "war"], "year": [1999, 2001]}
    items = Items.from_frame(pl.DataFrame(table), title="headline")
    model = ContentKNN().fit(Interactions.from_csr(csr_array(np.eye(2)), [1, 2], [7, 8]), items)
    database.put_items([StoredItem(7, {"genres": ["war"], "year": 1999, "headline": "A"})])
    database.put_items(
        [StoredItem(8, {"genres": "war|drama", "year": "2001"}), StoredItem(9, {"year": None})]
    )
    found = next_data(model, database).items.to_frame().sort("item_id")
    assert found["genres"].to_list() == [["war"], ["war", "drama"], []]
    assert found["year"].to_list() == [1999, 2001, None]
    assert found["headline"].to_list() == [["A"], [], []]
