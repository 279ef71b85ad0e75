"""What a fitted model keeps of the item table: which field is the title, and what two items share."""

import polars as pl
import pytest

from isotherm import Items
from isotherm.data.item_labels import ItemLabels
from isotherm.errors import ItemsError


def table(**columns):
    return Items.from_frame(pl.DataFrame({"item_id": [1, 2, 3], **columns}))


WORDS = ["Alien ship", "A war at sea", "The river"]


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ({"label": WORDS, "name": WORDS, "title": WORDS}, "title"),
        ({"label": WORDS, "name": WORDS}, "name"),
        ({"Title": WORDS}, "Title"),
        ({"Movie Title": WORDS, "plot": WORDS}, "Movie Title"),
        ({"original_title": WORDS, "label": WORDS}, "label"),
        ({"brand_name": WORDS, "subtitle": WORDS}, None),
        ({"title": [[1.0, 2.0]] * 3}, None),
        ({}, None),
    ],
)
def test_the_title_is_known_by_its_name(columns, field):
    assert table(**columns).title_field == field


def test_the_title_may_be_named():
    frame = pl.DataFrame({"item_id": [1, 2], "film": WORDS[:2], "title": ["x", "y"], "clip": [[0.5], [1.0]]})
    items = Items.from_frame(frame, kinds={"film": "text"}, title="film")
    assert items.titles().to_list() == WORDS[:2]
    for same in (items.take([1, 0]), items.only(["film"]), items.of(items.ids)):
        assert same.title_field == "film"
    assert items.only(["title"]).title_field == "title"
    with pytest.raises(ItemsError, match=r"title='clip': a title is of kind text or .*, not vector"):
        Items.from_frame(frame, title="clip")
    with pytest.raises(ItemsError, match="column 'movie' is missing"):
        Items.from_frame(frame, title="movie")


def test_titles_of_any_kind_are_text_and_missing_ones_null():
    kinds = {"title": "categories"}
    frame = pl.DataFrame({"item_id": [1, 2, 3], "title": ["Good, the Bad", None, "B"]})
    items = Items.from_frame(frame, kinds=kinds)
    assert items.titles().to_list() == ["Good, the Bad", None, "B"]
    assert [items.title(row) for row in range(3)] == ["Good, the Bad", "2", "B"]
    assert table(name=[1984.0, None, 2.5]).titles().to_list() == ["1984", None, "2.5"]
    assert table().titles().to_list() == [None] * 3


def test_new_items_keep_the_fields_of_the_first():
    items = table(film=WORDS, genres=[["war"], ["love", "war"], []])
    labels = ItemLabels.of(Items(items.ids, items.schema, items.to_frame(), "film"), ["genres", "film"])
    assert list(labels.values) == ["genres"]
    both = labels.appended(table(film=["x y", "y z", None], title=["a b", "b c", "c d"]))
    assert both.titles.to_list() == [*WORDS, "x y", "y z", None]
    assert both.values["genres"].to_list() == [["war"], ["love", "war"], [], [], [], []]
    assert len(both) == 6
    later = ItemLabels.none(2).appended(table(title=WORDS))
    assert (later.titles.to_list(), later.title_field) == ([None, None, *WORDS], "title")


def test_numbers_are_kept_with_what_is_not_known():
    items = table(year=[1999, None, 2001], released=["2026-01-31", "2026-02-01", None], plot=WORDS)
    labels = ItemLabels.of(items, ["year", "released", "plot"])
    assert (sorted(labels.numbers), labels.dates, list(labels.values)) == (
        ["released", "year"],
        {"released"},
        [],
    )
    both = labels.appended(table(year=[7, 8, 9], plot=WORDS)).take([5, 0, 1])
    assert both.numbers["year"].to_list() == [9.0, 1999.0, None]
    assert both.numbers["released"].to_list() == [None, 20484.0, 20485.0]
    assert both.dates == {"released"}


def test_values_in_common_are_those_of_the_heaviest_first():
    genres = [["war", "love", "sea"], ["love"], ["sea", "war"]]
    labels = ItemLabels.of(table(genres=genres), ["genres"])
    assert labels.in_common("genres", 0, [1, 2], [3.0, 1.0]) == ["love", "war", "sea"]
    assert labels.in_common("genres", 0, [1, 2], [1.0, 3.0]) == ["war", "sea", "love"]
    assert labels.in_common("genres", 1, [2], [1.0]) == []
    assert labels.in_common("year", 0, [1], [1.0]) == []
    tags = pl.Series(
        [[("dark", 0.5)], [("dark", 2.0), ("fun", 1.0)], None],
        dtype=pl.List(pl.Struct({"value": pl.String, "weight": pl.Float64})),
    )
    assert ItemLabels.of(table(tags=tags), ["tags"]).in_common("tags", 0, [1, 2], [1, 1]) == ["dark"]
