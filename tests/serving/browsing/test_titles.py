"""Titles are found by the beginnings of their words, whatever their case, accents and signs."""

import numpy as np
import pytest

from isotherm.serving.browsing.titles import TitleSearch, folded

TITLES = [
    "Amélie",
    "The Lion King",
    "Lilies of the Field",
    "Schindler’s List",
    "Øst",
    "東京物語",
    "Spider-Man",
]


def found(query, titles=TITLES, clicks=None, allowed=None):
    clicks = np.zeros(len(titles), dtype=np.int64) if clicks is None else np.array(clicks)
    allowed = np.ones(len(titles), dtype=bool) if allowed is None else np.array(allowed)
    rows = TitleSearch.of(titles, clicks).rows(query, allowed)
    return [titles[row] for row in rows]


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("amelie", "Amélie"),
        ("AMÉ", "Amélie"),
        ("king lion", "The Lion King"),
        ("schindlers", "Schindler’s List"),
        ("schindler's", "Schindler’s List"),
        ("ost", "Øst"),
        ("京物語", "東京物語"),
        ("spider man", "Spider-Man"),
    ],
)
def test_a_title_is_found(query, title):
    assert found(query) == [title]


def test_beginnings_come_first_then_words_then_what_is_within_them():
    titles = ["The Alien", "Alienated", "Italieno", "Unalienable"]
    assert found("alien", titles) == ["Alienated", "The Alien", "Italieno", "Unalienable"]
    assert found("alie", titles, clicks=[1, 1, 9, 1])[2:] == ["Italieno", "Unalienable"]


def test_of_equal_ones_the_more_clicked_comes_first():
    assert found("li", clicks=[0, 1, 2, 3, 0, 0, 0]) == [
        "Lilies of the Field", "Schindler’s List", "The Lion King",
    ]  # fmt: skip


def test_an_empty_query_finds_all_and_signs_alone_nothing():
    assert found("") == TITLES
    assert found("  ") == TITLES
    assert found("!?") == []


def test_what_is_not_allowed_is_not_found():
    assert found("li", allowed=[True, False, True, True, True, True, True])[0] == "Lilies of the Field"
    assert "The Lion King" not in found("li", allowed=[True, False, True, True, True, True, True])


def test_signs_of_searching_are_letters_like_others():
    assert found(".*") == []
    assert found("(", ["a (b", "c"]) == []
    assert found("a\nb", ["a b", "ab"]) == ["a b"]


def test_folding_leaves_no_marks_of_direction_and_no_lines():
    assert folded("\u202eevil\u202c \u200fשלום\nx") == " evil שלום x"
    assert folded("x" * 100_000) == " " + "x" * 500
