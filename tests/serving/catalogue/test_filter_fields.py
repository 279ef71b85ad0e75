"""Items are filtered by values, numbers, dates and titles; a wrong filter is told which fields there are."""

import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isotherm import ContentKNN, Items, load
from isotherm.data.item_labels import ItemLabels
from isotherm.errors import ParameterError
from isotherm.serving.catalogue.filter_fields import Range, filter_fields, items_having
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.live.model import LiveModel
from isotherm.serving.live.requests import Asker, Rules
from tests.serving.conftest import N_ITEMS

YEARS = [None, 1984.0, 1990.0, 1999.5, 1999.0, 2001.0]
TABLE = pl.DataFrame(
    {
        "item_id": range(6),
        "title": ["Alien", "Heat", "Alien", None, "Up", "1984"],
        "genres": [["war", "sea"], ["war"], [], ["love"], ["sea"], None],
        "year": pl.Series(YEARS, dtype=pl.Float64),
        "seen": [["true"], ["false"], ["true"], [], [], ["true"]],
        "parts": [["3"], ["4"], ["3", "4"], [], ["5"], []],
        "released": [datetime.date(1990, 1, day) for day in range(1, 6)] + [None],
    }
)
FIELDS = ("genres", "year", "released", "seen", "parts")


@pytest.fixture(scope="module")
def fields():
    kinds = {"genres": "categories", "seen": "categories", "parts": "categories", "title": "text"}
    return filter_fields(ItemLabels.of(Items.from_frame(TABLE, kinds), FIELDS))


def rows(fields, **filters):
    return np.flatnonzero(items_having(fields, filters, len(TABLE))).tolist()


def test_conditions_of_each_kind(fields):
    assert rows(fields) == list(range(6))
    assert rows(fields, genres=["war", "love", "nothing"]) == [0, 1, 3]
    assert rows(fields, genres=[]) == []
    assert rows(fields, year=Range(1984, 1999)) == [1, 2, 4]
    assert rows(fields, year=Range(least=1999.5)) == [3, 5]
    assert rows(fields, year=Range(most=1989)) == [1]
    assert rows(fields, year=[1984, 2001.0, 5]) == [1, 5]
    assert rows(fields, released=Range("1990-01-02", "1990-01-03")) == [1, 2]
    assert rows(fields, released=Range(most="1990-01-01")) == [0]
    assert rows(fields, released=["1990-01-05", "1990-01-01"]) == [0, 4]
    assert rows(fields, title=["Alien", "1984"]) == [0, 2, 5]
    assert rows(fields, seen=[True], parts=[3, 4.0]) == [0, 2]
    assert rows(fields, genres=["sea"], year=Range(1, 2000), released=Range("1990-01-01")) == [4]


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"else": ["x"]}, "there is no field 'else'"),
        ({"genres": Range(1, 2)}, "'genres' holds values: give a list"),
        ({"title": Range("A", "B")}, "'title' holds values"),
        ({"year": ["1999"]}, "'year' holds numbers, and '1999' is none"),
        ({"year": [True]}, "'year' holds numbers, and True is none"),
        ({"year": Range("1990-01-01")}, "'year' holds numbers"),
        ({"year": Range(2, 1)}, "'year' has a min above its max"),
        ({"released": Range(1990)}, "'released' holds dates: give text such as '1999-12-31', not 1990"),
        ({"released": ["01/02/1999"]}, "'released' holds dates: write one as 1999-12-31"),
        ({"released": Range("1990-02-30")}, "'released' holds dates: write one"),
        ({"released": Range("1991-01-01", "1990-01-01")}, "'released' has a min above"),
    ],
)
def test_a_wrong_filter_is_told_which_fields_there_are(fields, filters, words):
    with pytest.raises(ParameterError, match=words) as caught:
        items_having(fields, filters, len(TABLE))
    assert str(caught.value).endswith(
        "; there are: genres (values), seen (values), parts (values), year (number), released (date), "
        "title (title)"
    )


def test_a_catalogue_without_fields_says_so():
    with pytest.raises(ParameterError, match="there are: none"):
        items_having(filter_fields(ItemLabels.none(2)), {"year": [1]}, 2)
    many = ItemLabels(
        pl.Series([None], dtype=pl.String), values={f"f{n}": pl.Series([["a"]]) for n in range(30)}
    )
    with pytest.raises(ParameterError, match=r"f19 \(values\) and 10 more$"):
        items_having(filter_fields(many), {"year": [1]}, 1)


numbers = st.none() | st.floats(-50, 50) | st.integers(-5, 5).map(float)


@settings(deadline=None, max_examples=100)
@given(st.lists(numbers, min_size=1, max_size=30), numbers, numbers)
def test_ranges_are_as_written(values, low, high):
    series = pl.Series(values, dtype=pl.Float64)
    fields = filter_fields(
        ItemLabels(pl.Series([None] * len(values), dtype=pl.String), numbers={"x": series})
    )
    if low is not None and high is not None and low > high:
        low, high = high, low
    flags = items_having(fields, {"x": Range(low, high)}, len(values)).tolist()
    bounds = (-np.inf if low is None else low), (np.inf if high is None else high)
    assert flags == [value is not None and bounds[0] <= value <= bounds[1] for value in values]


@pytest.fixture(scope="module")
def dated(clicks, films):
    """A saved and loaded model whose items have years and dates."""
    days = [datetime.date(2000, 1, 1) + datetime.timedelta(n) for n in range(N_ITEMS)]
    frame = films.with_columns(year=pl.Series([1980.0 + n for n in range(N_ITEMS)]), released=pl.Series(days))
    return ContentKNN().fit(clicks, Items.from_frame(frame))


def test_lists_and_similar_items_by_numbers_of_a_loaded_model(dated, tmp_path):
    dated.save(tmp_path / "model")
    live = LiveModel(load(tmp_path / "model"))
    rules = Rules(filters={"year": Range(1985, 1990), "released": Range(most="2000-01-09")})
    everything = Rules(filters=rules.filters, exclude_seen=False)
    answer = live.recommend(Asker(history=[("f06", 1.0)]), 24, everything)
    assert {item.item_id for item in answer.items} == {"f05", "f06", "f07", "f08"}
    near = live.similar("f06", 24, rules)
    assert set(near["item_id"]) == {"f05", "f07", "f08"} & set(dated.similar_items("f06", 24)["item_id"])
    assert near["score"].is_sorted(descending=True)


def test_numbers_of_items_that_were_put_count(dated):
    live = LiveModel(dated)
    rules = Rules(filters={"year": Range(2100, 2200)})
    assert not live.recommend(Asker(user="u1"), 5, rules).items
    live.put_items([LiveItem("new", {"title": "N", "genres": ["war"], "year": "2150"})])
    live.put_items([LiveItem("f02", {"title": "Film 2", "genres": ["war"], "year": 2151})])
    shown = live.recommend(Asker(history=[("f03", 1.0)]), 5, rules).items
    assert {item.item_id for item in shown} == {"new", "f02"}
    live.put_items([LiveItem("new", {"genres": ["war"]})])
    shown = live.recommend(Asker(history=[("f03", 1.0)]), 5, rules).items
    assert {item.item_id for item in shown} == {"f02"}
