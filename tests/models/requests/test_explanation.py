"""Explanations in words and percents: cases worked by hand."""

import numpy as np
import polars as pl
import pytest

from isotherm import EASE, ContentKNN, Encoding, Interactions, Items
from isotherm.features.metadata_terms import BASE_LEVEL
from isotherm.models.requests.explanation import Explanation, percents


def clicked(*rows):
    """by_item of rows (item_id, title, share)."""
    frame = pl.DataFrame(
        rows, schema={"item_id": pl.Int64, "title": pl.String, "share": pl.Float32}, orient="row"
    )
    return frame.with_columns(percents(frame["share"]))


def fields(*rows):
    """by_field of rows (field, in_common, share)."""
    schema = {"field": pl.String, "in_common": pl.String, "share": pl.Float32}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(percents(frame["share"]))


def text(by_item, by_field=None, title="Dune", verb="clicked", **more):
    return Explanation("ann", 9, 1.0, by_item, by_field, title=title, **more).text(verb)


NEW = " Nobody has clicked “Dune” yet: this rests on its metadata alone."


def test_one_clicked_item_is_named_without_a_percent():
    assert text(clicked((1, "Alien", 0.5)), item_clicks=3) == (
        "Because you clicked “Alien”. “Dune” has 3 clicks of its own."
    )


def test_two_and_many_are_named_with_percents_and_the_others_counted():
    two = text(clicked((1, "Alien", 0.75), (2, "Emma", 0.25)), item_clicks=1, verb="watched")
    assert two == "Because you watched “Alien” (75%) and “Emma” (25%). “Dune” has 1 click of its own."
    many = clicked(
        (1, "A", 0.5), (2, "B", 0.25), (3, "C", 0.15), (4, "D", 0.06), (5, "E", 0.04), (6, "F", -2)
    )
    assert text(many, item_clicks=1234).startswith(
        "Because you clicked “A” (50%), “B” (25%), “C” (15%) and 2 others. “Dune” has 1,234 clicks"
    )
    small = clicked(*((n, str(n), 1.0) for n in range(300)))
    assert "“0” (<1%), “1” (<1%), “2” (<1%) and 297 others" in text(small, item_clicks=1)


def test_fields_say_what_is_the_same():
    both = fields(
        ("genre", "space, war", 0.6), ("director", "Scott", 0.3), ("year", None, 0.1), ("x", None, -1)
    )
    assert text(clicked((1, "Alien", 1.0)), both) == (
        "Because you clicked “Alien”; same genre (space, war), same director (Scott), matching year." + NEW
    )


def test_fields_alone_and_certainty():
    assert text(clicked(), fields(("lead_actor", "Lynch", 1.0)), certainty=0.624) == (
        "Because same lead actor (Lynch). Nobody has clicked “Dune” yet: this rests on its metadata alone "
        "(certainty 62%)."
    )


def test_small_fields_and_the_base_level_are_no_reasons():
    by_field = fields((BASE_LEVEL, None, 0.7), ("genre", "space", 0.28), ("year", None, 0.02))
    assert text(clicked((1, "Alien", 1.0)), by_field, certainty=0.5) == (
        "Because you clicked “Alien”; same genre (space). Nobody has clicked “Dune” yet: this rests on its "
        "metadata (certainty 50%) and, for 70%, on the base level of every new item."
    )


def test_nothing_speaks_for_it():
    assert text(clicked((1, "Alien", -0.5)), item_clicks=4) == (
        "Nothing that you clicked speaks for “Dune”. “Dune” has 4 clicks of its own."
    )
    assert text(clicked((1, "Alien", 0.0))) == (
        "Nothing that you clicked speaks for “Dune”. Nobody has clicked it yet."
    )


def test_popularity_is_told_as_such():
    assert text(clicked(), answered_by="popularity", item_clicks=274) == (
        "You have clicked nothing yet, so items are ranked by popularity: “Dune” has 274 clicks."
    )


def test_without_titles_ids_are_named():
    assert text(clicked((1, None, 0.5), (2, "", 0.5)), title=None, item_clicks=2) == (
        "Because you clicked item 1 (50%) and item 2 (50%). Item 9 has 2 clicks of its own."
    )


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("<script>alert('x')</script>", "“<script>alert('x')</script>”"),
        ('"Great Performances" Cats & Dogs', '“"Great Performances" Cats & Dogs”'),
        ("שלום", "“\u2068שלום\u2069”"),
        ("a\u202eb\u2069", "“ab”"),
        ("two\nlines\x1b[31m", "“two lines [31m”"),
        ("x" * 200, "“" + "x" * 79 + "…”"),
        (" \n ", "item 1"),
    ],
)
def test_titles_do_nothing_to_the_line(title, shown):
    assert text(clicked((1, title, 0.5)), item_clicks=2).startswith(f"Because you clicked {shown}. ")


def test_percents_are_of_what_speaks_for_it():
    shares = pl.Series([3.0, -2.0, 1.0, 0.0], dtype=pl.Float32)
    assert percents(shares).to_list() == [75.0, None, 25.0, 0.0]
    assert percents(pl.Series([-1.0, 0.0])).to_list() == [None, 0.0]
    assert percents(pl.Series([], dtype=pl.Float32)).to_list() == []


@pytest.fixture
def films():
    log = pl.DataFrame({"user_id": ["ann", "ann", "bob", "bob"], "item_id": [1, 2, 2, 3]})
    table = pl.DataFrame(
        {
            "item_id": [1, 2, 3, 4, 5],
            "name": ["Alien", "Emma", "Dune", "Solaris", "Ran"],
            "genre": [["space", "fear"], ["love"], ["space"], ["space", "love"], ["war"]],
        }
    )
    return Interactions.from_frame(log), Items.from_frame(table, kinds={"name": "text"})


def test_content_knn_tells_fields_and_what_is_in_common(films):
    model = ContentKNN(shrinkage=0.0, encoding=Encoding(min_count=1)).fit(*films)
    why = model.explain("ann", 4)
    cosine = 1 / np.sqrt(2)
    assert why.score == pytest.approx(1 / 2 + cosine)
    assert why.by_item.drop("percent").rows() == [
        (2, "Emma", pytest.approx(cosine)), (1, "Alien", pytest.approx(0.5)),
    ]  # fmt: skip
    assert why.by_field["field"].to_list() == ["genre", "name"]
    assert why.by_field["share"].to_list() == pytest.approx([0.5 + cosine, 0])
    assert why.by_field["in_common"].to_list() == ["love, space", None]
    assert why.title == "Solaris"
    assert why.text() == (
        "Because you clicked “Emma” (59%) and “Alien” (41%); same genre (love, space). "
        "Nobody has clicked “Solaris” yet: this rests on its metadata alone."
    )
    assert model.explain("ann", 5).text() == (
        "Nothing that you clicked speaks for “Ran”. Nobody has clicked it yet."
    )


def test_a_model_of_clicks_alone_names_titles_where_it_was_given_a_table(films):
    clicks, items = films
    assert EASE(l2=1.0).fit(clicks, items).explain("ann", 3).text() == (
        "Because you clicked “Emma”. “Dune” has 1 click of its own."
    )
    assert EASE(l2=1.0).fit(clicks).explain("ann", 3).text() == (
        "Because you clicked item 2. Item 3 has 1 click of its own."
    )


def test_titles_of_added_items_are_known(films):
    model = ContentKNN().fit(*films)
    new = pl.DataFrame({"item_id": [7], "name": ["Moon"], "genre": [["space"]]})
    model.add_items(Items.from_frame(new, kinds={"name": "text", "genre": "categories"}))
    assert model.recommend(["ann"], k=1, candidates=[7], titles=True)["title"].to_list() == ["Moon"]
    assert "Nobody has clicked “Moon” yet" in model.explain("ann", 7).text()
