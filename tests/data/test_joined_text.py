"""Lists as text: taken apart as they were put together."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.data.joined_text import are_bracketed, plain_text, split_text, used_separator

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


def parts(texts, separator=""):
    return split_text(pl.Series(texts, dtype=pl.String), separator).to_list()


@given(st.lists(st.lists(NAMES, max_size=4), min_size=1, max_size=5))
def test_lists_that_python_prints_come_back(lists):
    printed = [str(each) for each in lists]
    known = [all(part.isprintable() for part in each) for each in lists]
    backslash = [any("\\" in repr(part) and "\\" not in part for part in each) for each in lists]
    found = parts(printed)
    for each, given_list, plain, escaped in zip(found, lists, known, backslash, strict=True):
        if plain and not escaped:
            assert each == given_list


@pytest.mark.parametrize(
    ("texts", "separator", "expected"),
    [
        (["a|b", None, "c"], "|", [["a", "b"], None, ["c"]]),
        (["a|b"], "", [["a|b"]]),
        (["['a' \"b's\"\n 'c']", "[]"], "|", [["a", "b's", "c"], []]),
        (["[film noir,war]", "[film noir]"], "", [["film noir", "war"], ["film noir"]]),
        (["[1. 2.5]", "[3 4]"], "", [["1.", "2.5"], ["3", "4"]]),
        (["{a,b}", "{}"], "", [["a", "b"], []]),
        (['["a, b"]', "a|c"], "|", [["a, b"], ["a", "c"]]),
        (["[rec]", "a|c"], "|", [["[rec]"], ["a", "c"]]),
    ],
)
def test_each_text_is_taken_apart(texts, separator, expected):
    assert parts(texts, separator) == expected


def test_brackets_are_lists_where_all_texts_have_them():
    assert are_bracketed(pl.Series(["[a]", None, "[]"]))
    assert not are_bracketed(pl.Series(["[a]", "b"]))
    assert not are_bracketed(pl.Series([None], dtype=pl.String))


def test_the_first_separator_is_the_safest_one():
    assert used_separator(pl.Series(["a, b", "c|d;e"])) == "|"
    assert used_separator(pl.Series(["a, b", "c;d"])) == ";"
    assert used_separator(pl.Series(["Tom &amp; Jerry, &#39;x&#39;"])) == ","
    assert used_separator(pl.Series(['["a|b"]', "c"])) == ""


def test_words_for_no_value_are_none():
    words = pl.Series([" NA ", "N/A", "\\N", "null", "nan", "", "Nana"])
    assert plain_text(words).to_list() == [None] * 6 + ["Nana"]
