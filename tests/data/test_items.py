"""Item tables: inferred and declared kinds, missing values, and clear errors."""

from datetime import date, time, timedelta

import numpy as np
import polars as pl
import pytest

from isotherm import Items
from isotherm.data import IdMap
from isotherm.errors import ItemsError


def test_declared_kinds_win_and_delimited_strings_are_split():
    frame = pl.DataFrame(
        {"item_id": [1, 2], "tags": ["a; b", None], "code": [7, 8], "clip": ["1,2", "[3 4]"]}
    )
    items = Items.from_frame(frame, kinds={"tags": "categories", "code": "categories", "clip": "vector"})
    assert items.column("tags").to_list() == [["a", "b"], []]
    assert items.column("code").to_list() == [["7"], ["8"]]
    assert items.column("clip").to_list() == [[1.0, 2.0], [3.0, 4.0]]


def test_missing_values_are_counted():
    frame = pl.DataFrame(
        {
            "item_id": [1, 2],
            "year": [None, 1.0],
            "plot": ["", "x"],
            "tags": [[], ["a"]],
            "clip": [None, [0.5]],
        }
    )
    items = Items.from_frame(frame, kinds={"plot": "text", "tags": "categories"})
    assert items.missing() == {"year": 0.5, "plot": 0.5, "tags": 0.5, "clip": 0.5}


def test_formats_read_alike(tmp_path):
    frame = pl.DataFrame({"item_id": [1, 2, 3], "genre": ["a|b", "a", "b"], "year": [1990.0, None, 2001.0]})
    frame.write_csv(tmp_path / "items.csv")
    frame.write_ndjson(tmp_path / "items.jsonl")
    frame.write_parquet(tmp_path / "items.parquet")
    expected = Items.from_frame(frame).to_frame()
    for name in ("items.csv", "items.jsonl", "items.parquet"):
        assert Items.read(tmp_path / name).to_frame().equals(expected), name


BAD = [
    ({"id": [1]}, None, "column 'item_id' is missing; the columns are id"),
    ({"item_id": [1, None]}, None, r"column 'item_id', row 2: no value"),
    ({"item_id": [1, 2, 1]}, None, r"item 1 stands in rows 1, 3; keep one row per item"),
    (
        {"item_id": [1], "x": ["a"]},
        {"x": "labels"},
        "kind 'labels' is not one of categories, tags, text, number, vector",
    ),
    ({"item_id": [1], "x": ["a"]}, {"y": "text"}, "column 'y' is missing"),
    (
        {"item_id": [1, 2], "x": ["1", "old"]},
        {"x": "number"},
        r"'x', row 2 \(item 2\): 'old' is not a finite",
    ),
    ({"item_id": [1, 2], "x": [1.0, float("inf")]}, None, r"'x', row 2 \(item 2\): inf is not a finite"),
    (
        {"item_id": [1, 2, 3], "v": [[1.0, 2.0], [1.0], [3.0, 4.0]]},
        None,
        r"'v', row 2 \(item 2\): a vector of length 1 where the others have 2",
    ),
    (
        {"item_id": [1, 2], "v": [[1.0], [float("nan")]]},
        None,
        r"'v', row 2 \(item 2\): the vector holds a value",
    ),
    ({"item_id": [1], "v": [3]}, {"v": "vector"}, "a vector column holds lists of numbers, not Int64"),
    ({"item_id": [], "x": []}, None, "the item table has no rows"),
    ({"item_id": [1], "x": [[["a"]]]}, None, r"'x': List\(List\(String\)\) holds no plain values"),
    ({"item_id": [1], "x": ["a|b:1e16"]}, {"x": "tags"}, r"tag 'b' has the weight '1e16'; .* <= 1e\+15"),
    ({"item_id": [1], "x": [[["a"]]]}, {"x": "text"}, r"'x': .*List\(List.* cannot be read as text"),
    ({"item_id": [1], "x": [[{"a": "b", "c": 1.0}]]}, {"x": "vector"}, "Struct.* cannot be read as vector"),
    (
        {"item_id": [1], "x": [timedelta(days=1)]},
        {"x": "categories"},
        "Duration.* cannot be read as categories",
    ),
    (
        {"item_id": [1], "x": [1]},
        {"item_id": "text"},
        "'item_id': holds the items' ids, which are of no kind",
    ),
]


@pytest.mark.parametrize(("data", "kinds", "words"), BAD)
def test_bad_tables_name_the_column_the_row_and_the_item(data, kinds, words):
    with pytest.raises(ItemsError, match=words):
        Items.from_frame(pl.DataFrame(data), kinds=kinds)


def test_a_vector_field_may_hold_nothing_at_all():
    items = Items.from_frame(pl.DataFrame({"item_id": [1, 2], "v": [None, None]}), {"v": "vector"})
    assert items.column("v").dtype == pl.List(pl.Float32)
    assert items.missing() == {"v": 1.0}


def test_dates_durations_and_times_of_day_are_numbers():
    day, hour = timedelta(days=1), time(1)
    frame = pl.DataFrame(
        {
            "item_id": [1, 2],
            "born": [date(2020, 1, 1), date(2020, 1, 3)],
            "runs": [day, 3 * day],
            "at": [hour, None],
        }
    )
    items = Items.from_frame(frame)
    assert set(items.kinds.values()) == {"number"}
    assert np.diff(items.column("born").to_numpy()) == [2]
    assert items.column("runs")[1] == 3 * items.column("runs")[0]
    assert items.missing()["at"] == 0.5


@pytest.mark.parametrize(
    "others",
    [[3, 4], [0.5, None], [timedelta(days=1)] * 2, [time(1), None]],
    ids=["whole", "broken", "durations", "hours"],
)
def test_dates_in_one_file_never_stand_beside_other_measures_in_the_next(tmp_path, others):
    days = [date(2020, 1, 1), date(2020, 1, 3)]
    pl.DataFrame({"item_id": [1, 2], "born": days}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"item_id": [3, 4], "born": others}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(ItemsError, match=r"column 'born' is of different types: Date in .*a\.parquet, "):
        Items.read(tmp_path)
    later = pl.Series([date(2020, 1, 4), None]).cast(pl.Datetime("ms"))
    pl.DataFrame({"item_id": [3, 4], "born": later}).write_parquet(tmp_path / "b.parquet")
    assert Items.read(tmp_path).column("born").to_list() == [18262.0, 18264.0, 18265.0, None]


def test_lists_of_dicts_are_tables_too():
    rows = [{"item_id": 1, "year": "1999", "genres": ("a", "b")}, {"item_id": 2, "year": 2001}]
    items = Items.from_frame(rows)
    assert items.kinds == {"year": "number", "genres": "categories"}
    assert items.to_frame().rows() == [(1, 1999.0, ["a", "b"]), (2, 2001.0, [])]
    with pytest.raises(ItemsError, match=r"column 'genres', row 2: 'a' is of another type"):
        Items.from_frame([{"item_id": 1, "genres": ["a"]}, {"item_id": 2, "genres": "a"}])
    with pytest.raises(ItemsError, match="column 'item_id' is missing"):
        Items.from_frame([{"id": 1}])


def test_the_printed_line_has_an_example_of_each_field():
    frame = pl.DataFrame(
        {
            "item_id": [1, 2],
            "title": [None, "Alien\n" + "x" * 60],
            "genres": [["war"], ["drama", "war", "noir"]],
            "tags": [[{"value": "space", "weight": 0.5}], []],
            "clip": [[0.25, 1.0, 2.0], None],
            "out": [date(1999, 5, 1), None],
            "nothing": [None, None],
        }
    )
    assert repr(Items.from_frame(frame)) == (
        "Items(2 items; title: text, e.g. Alien " + "x" * 33 + "…; genres: categories, e.g. drama, war; "
        "tags: tags, e.g. space:0.5; clip: vector, e.g. 0.25, 1, … (3 numbers); "
        "out: number, e.g. 1999-05-01; nothing: text)"
    )


def test_fields_are_read_as_those_of_another_table():
    known = Items.from_frame(
        pl.DataFrame({"item_id": [1, 2], "title": ["A", "B"], "year": [1999, 2001], "genres": ["a|b", "b"]})
    )
    new = pl.DataFrame({"item_id": [3], "title": [1984], "year": ["2,001"], "studio": ["x"]})
    for items in (Items.from_frame(new), Items.from_frame(new, like=known.schema)):
        read = items.read_as(known.schema)
        assert read.to_frame().rows() == [(3, "1984", 2001.0, [])]
        assert items.columns == ["title", "year", "studio"]
    assert items.kinds == {"title": "text", "year": "number"}
    last = Items.from_frame(
        pl.concat([new, new.with_columns(item_id=pl.lit(4, dtype=pl.Int64), year=pl.lit("soon"))])
    )
    assert last.take(np.array([0])).read_as(known.schema).column("year").to_list() == [2001.0]
    with pytest.raises(ItemsError, match=r"'year', row 2 \(item 4\): 'soon' is not a finite number"):
        last.take(np.array([1])).read_as(known.schema)


def test_inferred_kinds_give_way_to_known_ones_and_declared_ones_do_not():
    known = Items.from_frame(pl.DataFrame({"item_id": [1, 2], "code": ["x y", "y z"]}))
    assert known.kinds == {"code": "text"}
    new = pl.DataFrame({"item_id": [1, 2], "code": ["x", "x"], "more": [1, 2]})
    assert Items.from_frame(new).kinds["code"] == "categories"
    again = Items.from_frame(new).with_kinds_of(known.schema)
    assert again.kinds == {"code": "text", "more": "number"}
    assert again.column("code").to_list() == ["x", "x"]
    declared = Items.from_frame(new, kinds={"code": "categories"})
    assert declared.with_kinds_of(known.schema).kinds["code"] == "categories"


def test_bad_files_name_the_file(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,year\n1,1990\n2,soon\n3,1\n")
    with pytest.raises(ItemsError, match=r"items.csv: column 'year', data row 2 \(item 2\): 'soon'"):
        Items.read(tmp_path / "items.csv", kinds={"year": "number"})


def test_items_of_a_catalogue_are_in_its_order():
    items = Items.from_frame(pl.DataFrame({"item_id": [1, 2, 3], "x": [10.0, 20.0, 30.0]}))
    assert items.of(IdMap(pl.Series([3, 1]))).column("x").to_list() == [30.0, 10.0]
    with pytest.raises(ItemsError, match="2 item_ids in clicks are missing from items: 7, 8; add their rows"):
        items.of(IdMap(pl.Series([7, 1, 8])))
    with pytest.raises(ItemsError, match="give clicks and items ids of one type"):
        items.of(IdMap(pl.Series([date(2020, 1, 1)])))


def test_take_and_only():
    items = Items.from_frame(pl.DataFrame({"item_id": [1, 2], "x": [1.0, 2.0], "y": [["a"], ["b"]]}))
    assert items.take(np.array([1])).only(["y"]).to_frame().to_dicts() == [{"item_id": 2, "y": ["b"]}]
    with pytest.raises(ItemsError, match="there is no field 'z'; the fields are x, y"):
        items.only(["z"])
