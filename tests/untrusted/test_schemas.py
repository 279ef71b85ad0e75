"""Schemas of plain JSON: what is passed on, and what is refused in a few words."""

import pytest

from isotherm.untrusted import (
    Choice,
    DamagedError,
    Digest,
    Distinct,
    Each,
    Number,
    Or,
    Whole,
    expect,
    parse_json,
)

CASES = [
    (3, Whole(1), 3),
    (3, Number(above=2), 3.0),
    ("a", Choice(("a", 1)), "a"),
    (["a", "b"], Distinct(), ["a", "b"]),
    ("0" * 64, Digest(), "0" * 64),
    ({"x": 1, "y": 2}, Each(Number()), {"x": 1.0, "y": 2.0}),
    (None, Or(Whole()), None),
    (4, Or(Whole()), 4),
    ([1, 2], [Whole()], [1, 2]),
    ([1, "a"], (Whole(), str), [1, "a"]),
    ({"a": 1, "b": [True]}, {"a": Whole(), "b": [bool]}, {"a": 1, "b": [True]}),
]
REFUSED = [
    (True, Whole(), "x is True and must be a whole number from 0"),
    (2.0, Number(above=2), "x is 2.0 and must be a number above 2"),
    (5, Number(most=4), "x is 5 and must be a number from -inf to 4"),
    (True, Choice((1,)), "x is True and must be one of 1"),
    (["a", "a"], Distinct(), "x holds a text twice"),
    ("0" * 63 + "G", Digest(), "must be a SHA-256"),
    ({"y": "a"}, Each(Number()), "x.'y' is 'a'"),
    ([1], (Whole(), str), "must be a list of 2"),
    ([1, -1], [Whole()], r"x\[1\] is -1"),
    ({"a": 1}, {"a": Whole(), "b": str}, "x: 'b' is missing"),
    ({"a": 1, "b": 1, "c": 2}, {"a": Whole()}, r"x: 'b' \(and 1 more\) is unknown"),
    (1, str, "x is 1 and must be str"),
]


@pytest.mark.parametrize(("value", "schema", "expected"), CASES, ids=repr)
def test_what_fits_is_passed_on(value, schema, expected):
    found = expect(value, schema, "x")
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("value", "schema", "words"), REFUSED, ids=repr)
def test_what_does_not_is_refused_with_its_name(value, schema, words):
    with pytest.raises(DamagedError, match=words):
        expect(value, schema, "x")


def test_a_schema_that_is_none_is_a_bug():
    with pytest.raises(TypeError, match="no schema: 3"):
        expect(3, 3, "x")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": 1, "a": 2}', "'a' is there twice"),
        (b"NaN", "NaN is not a finite number"),
        (b"1e999", "not a finite number"),
        (b"1" * 400, "a number of 400 digits"),
        (b"\xff", "no UTF-8"),
        (b'"\\ud800"', "no UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"{", "no JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_that_is_damaged_is_refused(content, words):
    with pytest.raises(DamagedError, match=words):
        parse_json(content)
