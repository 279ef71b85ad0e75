"""Kinds that are inferred: the same from every format, and refused where a column is nearly one thing."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isotherm import Items
from isotherm.errors import ItemsError

LONG = [f"a story about number {n} and more" for n in range(40)]
PROSE = [f"In {n} towns, a man looks for his brother, finds him; and leaves | stays." for n in range(40)]
FULL_NAMES = [
    f"{first} {last}" for first in ("Ada", "Jean-Luc", "J. R.", "Ōe") for last in ("O'Neil", "de Mol")
]
FILMS = [
    "Heat",
    "Toy Story 2",
    "Sense and Sensibility",
    "Seven (a.k.a. Se7en)",
    "Leaving Las Vegas",
    "To Die For",
]
NAMES = ["Allen, Woody", "Lynch, David", "Welles, Orson", "Varda, Agnes", "Ozu, Yasujiro"]


def inferred(values, name="x", dtype=None):
    column = pl.Series(name, values, dtype=dtype)
    return Items.from_frame(pl.DataFrame([pl.Series("item_id", range(len(column))), column]))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([["a"], ["b", "c"]], "categories"),
        ([[0.1, 0.2], [0.3, 0.4]], "vector"),
        ([1, 2], "number"),
        (["1.5", " 2 ", "N/A"], "number"),
        (["1,234", "12,345,678", "7"], "number"),
        (["1 234", "12 345 678", "7"], "number"),
        (["1999-05-01", "2001-01-31"], "number"),
        (["22-Nov-1995", "Jan 1, 1995", "1 January 1996"], "number"),
        (["1999-05", "2001-01"], "number"),
        (["a|b", "c"], "categories"),
        (["drama,war", "comedy"], "categories"),
        (["drama, war", "war, drama", "comedy", "drama"], "categories"),
        (["28,12,16", "28", "12,28"] * 5, "categories"),
        (["['drama', 'war']", "['war']", "[]"], "categories"),
        (["{drama,war}", "{}"], "categories"),
        (['["drama"]', "war|noir", "war"], "categories"),
        (["Tom &amp; Jerry", "Cat &amp; Dog", "Fish"], "text"),
        (["[0.1, 0.2]", "[0.3, 4]"], "vector"),
        (["space:0.9|robots:0.4", "space:1"], "tags"),
        (["12:30", "14:45", "12:30"], "categories"),
        (["red", "blue"] * 20, "categories"),
        (NAMES * 4, "categories"),
        (LONG, "text"),
        (PROSE, "text"),
        (PROSE[:3], "text"),
        ([name + letter for name in FULL_NAMES for letter in "abcdefgh"], "categories"),
        ([f"{one}, {other}" for one in FULL_NAMES for other in FULL_NAMES], "categories"),
        (FILMS, "text"),
        (["John Lasseter", "Joe Johnston", "Michael Mann"], "categories"),
        (["Tom Hanks, Tim Allen", "Robin Williams, Bonnie Hunt"], "categories"),
        (["toys, jealousy, claw crane", "board game, jungle", "heist"], "categories"),
        (["A cowboy doll is jealous.", "Two kids play a game.", "A thief and a cop meet."], "text"),
        (["Toys come alive", "Kids play a game", "A thief, a cop"], "text"),
        (["Paris, France", "Rome, Italy", "Nice, France"], "text"),
        (["Piano, The", "Heat", "Usual Suspects, The", "Alien", "Shining, The"] * 1, "text"),
        (["Dr. Strangelove; or: How I Learned", "Heat and Dust", "The Alien", "A Shining"], "text"),
        ([True, False], "categories"),
        (["True", "false"], "categories"),
        (["\\N", "null", " ", "NaN"], "text"),
    ],
)
def test_kinds_are_inferred(values, kind):
    assert inferred(values).kinds["x"] == kind


def test_what_a_list_is_made_of():
    assert inferred(["['drama', \"Children's\"]", "[]", "['war' 'noir']"]).column("x").to_list() == [
        ["drama", "Children's"],
        [],
        ["war", "noir"],
    ]
    assert inferred(["[film noir, war]", "[film noir]"]).column("x").to_list()[1] == ["film noir"]
    assert inferred(NAMES * 4).column("x")[0].to_list() == ["Allen, Woody"]
    assert inferred(["True", "FALSE", "N/A"]).column("x").to_list() == [["true"], ["false"], []]
    assert inferred(["a|NA| ", "a"]).column("x").to_list() == [["a"], ["a"]]


def test_dates_are_days_however_they_are_written():
    expected = [9456.0, 9131.0]
    for values in (["1995-11-22", "1995-01-01"], ["22-Nov-1995", "January 1, 1995"]):
        assert inferred(values).column("x").to_list() == expected
    assert inferred(["1995-11", "1995-01"]).column("x").to_list() == [9435.0, 9131.0]
    assert repr(inferred(["22-Nov-1995"])) == "Items(1 item; x: number, e.g. 1995-11-22)"


def test_a_title_is_text_even_where_it_comes_again():
    assert inferred(["Hamlet", "Hamlet"], "title").kinds == {"title": "text"}
    assert inferred(["1984", "300"], "Title").column("Title").to_list() == ["1984", "300"]
    assert inferred(["Hamlet", "Hamlet"], "movie_title").kinds == {"movie_title": "text"}
    assert inferred(["Hamlet", "Hamlet"], "other").kinds == {"other": "categories"}


@pytest.mark.parametrize(
    ("values", "row", "words"),
    [
        (["1990", "1991", "1992", "unknown", "1993", "1994"], 4, "'unknown' is no number, and 5 of 6 values"),
        (["3,5", "4", "5", "6", "7"], 1, "'3,5' is no number, and 4 of 5 values are; mend it"),
        (["2020-01-01", "2020-02-31"], 2, "'2020-02-31' is no date like the others"),
        (["2020-01-01T23:00Z", "2020-01-03"], 2, "'2020-01-03' is no date like the others"),
        (["[{'id': 16, 'name': 'War'}]", "[]"], 1, "is an object as text; write its names, as in drama|war"),
        (["01/02/2026", None], 1, "has the day or the month first; write dates as 2026-01-31"),
    ],
)
def test_what_is_nearly_a_number_or_a_date_is_refused_with_its_row(values, row, words):
    with pytest.raises(ItemsError) as refused:
        inferred(values, "year")
    assert f"column 'year', row {row} (item {row - 1}): " in str(refused.value)
    assert words in str(refused.value)
    declared = pl.DataFrame({"item_id": range(len(values)), "year": values})
    assert Items.from_frame(declared, kinds={"year": "text"}).kinds == {"year": "text"}


def written(frame, folder, separator):
    """The files of one table: lists as they are, or joined where the format has none."""
    lists = [name for name, dtype in frame.schema.items() if dtype == pl.List(pl.String)]
    joined = frame.with_columns(pl.col(lists).list.join(separator))
    joined.write_csv(folder / "a.csv")
    (folder / "a.csv.gz").write_bytes((folder / "a.csv").read_bytes())
    joined.write_csv(folder / "a.tsv", separator="\t")
    joined.write_parquet(folder / "joined.parquet")
    joined.write_ndjson(folder / "joined.jsonl")
    frame.write_parquet(folder / "lists.parquet")
    frame.write_ndjson(folder / "lists.jsonl")
    frame.to_pandas().to_csv(folder / "pandas.csv", index=False)
    return sorted(folder.iterdir())


@st.composite
def tables(draw):
    """Thirty to eighty items with a field of each kind, some values missing."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, gaps = draw(st.integers(30, 80)), draw(st.floats(0, 0.5))
    people = [f"{first} {last}" for first in ("Ada", "Jean-Luc", "Ōe") for last in ("O'Neil", "Varda", "Li")]
    genres = ["drama", "film noir", "war", "Sci-Fi", "Children's"]

    def some(values):
        return [None if rng.random() < gaps else value for value in values]

    frame = pl.DataFrame(
        {
            "item_id": np.arange(n),
            "title": [f"The story, no. {k}" for k in range(n)],
            "plot": some(f"A man, {k} years old; he walks | runs, and finds {k}." for k in range(n)),
            "genres": some(
                sorted(rng.choice(genres, rng.integers(1, 4), replace=False).tolist()) for _ in range(n)
            ),
            "directors": some([str(rng.choice(people))] for _ in range(n)),
            "year": pl.Series(some(rng.integers(1950, 2020, n).tolist()), dtype=pl.Int16),
            "score": pl.Series(some(rng.random(n).tolist()), dtype=pl.Float32),
            "out": some(date(1990, 1, 1) + timedelta(days=int(k)) for k in rng.integers(0, 9999, n)),
            "adult": some((rng.random(n) < 0.5).tolist()),
            "nothing": pl.Series([None] * n, dtype=pl.String),
        }
    )
    return frame, draw(st.sampled_from(["|", ";", ",", "; ", ", "]))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
def test_all_formats_give_the_same_kinds_and_values(tmp_path_factory, table):
    frame, separator = table
    expected = Items.from_frame(frame)
    assert expected.kinds == {
        "title": "text",
        "plot": "text",
        "genres": "categories",
        "directors": "categories",
        "year": "number",
        "score": "number",
        "out": "number",
        "adult": "categories",
        "nothing": "text",
    }
    for path in written(frame, tmp_path_factory.mktemp("table"), separator):
        items = Items.read(path)
        assert items.kinds == expected.kinds, path.name
        assert items.to_frame().equals(expected.to_frame()), path.name
        assert repr(items) == repr(expected), path.name


def test_tables_of_spreadsheets_are_read_or_refused_with_the_cure(tmp_path):
    path = tmp_path / "items.csv"
    path.write_bytes(
        '\ufeffitem_id,plot,votes\r\n1,"two\r\nlines, ""quoted""","1,234"\r\n2,#N/A,12\r\n'.encode()
    )
    items = Items.read(path)
    assert items.column("votes").to_list() == [1234.0, 12.0]
    assert items.column("plot").to_list() == ['two\r\nlines, "quoted"', None]
    path.write_text("item_id;price\n1;3,5\n")
    with pytest.raises(ItemsError, match=r"items\.csv: its columns are separated by semicolons, not commas"):
        Items.read(path)
    path.write_text('item_id,price\n1,"3,5"\n2,4\n')
    with pytest.raises(ItemsError, match=r"column 'price', data row 1 \(item 1\): '3,5' .* write 3,5 as 3.5"):
        Items.read(path, kinds={"price": "number"})


def test_frames_of_pandas_with_gaps_are_read_as_their_files(tmp_path):
    frame = pd.DataFrame({"item_id": [1, 2, 3], "studio": ["A", np.nan, "A"], "code": [7, np.nan, 8]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    kinds = {"code": "categories"}
    read, made = Items.read(tmp_path / "a.csv", kinds), Items.from_frame(frame, kinds)
    assert made.to_frame().rows() == [(1, ["A"], ["7"]), (2, [], []), (3, ["A"], ["8"])]
    assert read.to_frame().equals(made.to_frame())
