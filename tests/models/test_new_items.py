"""New items: their fields are read as the catalogue's were, and what is not known of them is told."""

import logging

import numpy as np
import pandas as pd
import polars as pl
import pytest

import isotherm
from isotherm import MMR, ContentKNN, Encoding, Items, KernelRidge, MARec
from isotherm.errors import ItemsError, ParameterError

MODELS = {
    "content-knn": ContentKNN,
    "marec": lambda: MARec(beta=1.0),
    "kernel-ridge": lambda: KernelRidge(steps=3),
    "mmr": lambda: MMR(model=ContentKNN()),
}
NEW = pl.DataFrame(
    {"item_id": ["n1", "n2", "n3"], "genres": [["war"], ["drama", "war"], []], "year": [1999, 2001, None]}
)


@pytest.fixture
def table(item_frame):
    """Titles, separated genres and dates beside what the other tests have."""
    return item_frame.drop("clip").with_columns(
        title=pl.format("The {} of {}", "item_id", "item_id"), genres=pl.col("genres").list.join("|")
    )


def added(model, new):
    """Scores of the new items for some histories."""
    model.add_items(new)
    asked = model.recommend_for([["i00", "i03"], ["i07"]], k=3, candidates=["n1", "n2", "n3"])
    return asked.sort("user_id", "item_id")


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_all_ways_to_write_new_items_give_the_same_scores(clicks, table, tmp_path, make):
    kinds = {"plot": "text"}
    make().fit(clicks, Items.from_frame(table, kinds=kinds)).save(tmp_path / "model")
    joined = NEW.with_columns(pl.col("genres").list.join("|"), pl.col("year").cast(pl.String))
    joined.write_csv(tmp_path / "new.csv")
    NEW.write_parquet(tmp_path / "new.parquet")
    with_nulls = NEW.with_columns(plot=pl.lit(None, dtype=pl.String), title=pl.lit("N/A"))
    ways = [
        NEW,
        joined,
        NEW.to_pandas(),
        NEW.to_arrow(),
        NEW.to_dicts(),
        joined.to_dicts(),
        with_nulls,
        Items.from_frame(joined),
        Items.read(tmp_path / "new.csv"),
        Items.read(tmp_path / "new.parquet"),
        joined.with_columns(genres=pl.col("genres").str.replace_all("|", "; ", literal=True), budget=7),
    ]
    scores = [added(isotherm.load(tmp_path / "model"), way) for way in ways]
    assert scores[0].height == 6
    assert all(each.equals(scores[0]) for each in scores)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_new_items_together_score_as_one_after_the_other(clicks, table, make):
    items = Items.from_frame(table, kinds={"plot": "text"})
    together, singly = make().fit(clicks, items), make().fit(clicks, items)
    for row in range(2):
        singly.add_items(NEW[row])
    scores = added(together, NEW)
    np.testing.assert_allclose(added(singly, NEW[2])["score"], scores["score"], rtol=1e-4, atol=1e-6)


def test_what_is_not_known_is_told_in_one_line(clicks, table, caplog):
    model = ContentKNN().fit(clicks, Items.from_frame(table, kinds={"plot": "text"}))
    with caplog.at_level(logging.INFO, "isotherm"):
        model.add_items(NEW.with_columns(Plots=pl.lit("a river"), studio=pl.lit("A")))
        row = {"item_id": "n4", "genres": "war", "year": 1999, "plot": "a river", "title": "x"}
        model.add_items([row])
    told = [(each.levelname, each.message) for each in caplog.records if each.name.endswith("new_items")]
    assert told == [
        (
            "WARNING",
            "3 new items: plot (is Plots meant?), title not given (nothing known), "
            "genres, year missing for 1, 2 columns ignored (Plots, studio)",
        ),
        ("INFO", "1 new item: all fields given"),
    ]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"year": "soon"}, "column 'year', row 2 (item 'n2'): 'soon' is not a finite number; mend it"),
        ({"year": "3,5"}, "'3,5' is not a finite number; write 3,5 as 3.5"),
        ({"year": "1999-05-01"}, "'1999-05-01' is a date, and the model was fitted with numbers"),
        (
            {"out": "2001"},
            "column 'out', row 2 (item 'n2'): '2001' is no date; the model was fitted",
        ),
        ({"out": "01/02/2026"}, "'01/02/2026' has the day or the month first"),
        ({"out": 2001}, "2001 is no date; the model was fitted with dates, as 2026-01-31"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(clicks, table, row, words):
    dated = table.with_columns(out=pl.date(2000, 1, 1) + pl.duration(days=pl.int_range(30)))
    model = ContentKNN().fit(clicks, Items.from_frame(dated, kinds={"plot": "text"}))
    for new in ([{"item_id": "n1"}, {"item_id": "n2", **row}],):
        with pytest.raises(ItemsError) as refused:
            model.add_items(new)
        assert words in str(refused.value)
        with pytest.raises(ItemsError):
            model.add_items(Items.from_frame(new))
    assert model.n_items == 30


def test_dates_are_dates_whoever_writes_them(clicks, table):
    dated = table.with_columns(out=pl.date(2000, 1, 1) + pl.duration(days=pl.int_range(30)))
    items = Items.from_frame(dated, kinds={"plot": "text"})
    one, other = ContentKNN().fit(clicks, items), ContentKNN().fit(clicks, items)
    days = pl.Series("out", ["2000-01-05", "2000-01-20", None])
    assert added(one, NEW.with_columns(days)).equals(added(other, NEW.with_columns(days.str.to_date())))


def test_what_is_no_table_is_refused(clicks, items):
    model = ContentKNN().fit(clicks, items)
    with pytest.raises(ParameterError, match="new items must be Items, not Interactions"):
        model.add_items(clicks)
    with pytest.raises(TypeError, match=r"a polars, pandas or Arrow frame is needed, not builtins\.str"):
        model.add_items("new.csv")
    with pytest.raises(ItemsError, match="column 'item_id' is missing; the columns are id"):
        model.add_items(pd.DataFrame({"id": ["n1"]}))
    with pytest.raises(ItemsError, match="the model knows 1 of these items already: 'i00'"):
        model.add_items([{"item_id": "i00"}])


def test_titles_come_with_new_items_though_no_field_of_the_model(clicks, table):
    model = ContentKNN(encoding=Encoding(fields=["genres"]))
    model.fit(clicks, Items.from_frame(table, kinds={"plot": "text"}))
    model.add_items(NEW.with_columns(title=pl.Series(["Alien", None, "1984"])))
    model.add_items([{"item_id": "n4", "genres": "war", "title": "Heat"}])
    assert model.labels_.titles.tail(4).to_list() == ["Alien", None, "1984", "Heat"]
    assert list(model.item_schema) == ["genres"]


def test_a_refit_keeps_kinds(clicks, table):
    """Values that come again would make the same field categories on a later day."""
    model = MARec(beta=1.0).fit(clicks, Items.from_frame(table, kinds={"plot": "text"}))
    assert model.item_schema["plot"].kind == "text"
    later = table.with_columns(plot=pl.lit("a river"), title=pl.lit("x"))
    assert Items.from_frame(later).kinds["plot"] == "categories"
    assert model.refit(clicks, Items.from_frame(later)).item_schema["plot"].kind == "text"
