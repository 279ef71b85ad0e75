"""Settings are checked in one place: NumPy's numbers are numbers, and a refusal says the range."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from isotherm import checks, memory
from isotherm.errors import ParameterError, brief


@pytest.mark.parametrize(
    "value",
    [2, 2.0, np.int64(2), np.uint8(2), np.float32(2), np.float64(2), np.float16(2), Fraction(2)],
    ids=repr,
)
def test_numbers_of_every_kind_become_plain_ones(value):
    for found, kind in (
        (checks.at_least("x", value, 0), float),
        (checks.above("x", value, 0), float),
        (checks.between("x", value, 2, 3), float),
        (checks.whole("x", value, 2, 2), int),
        (checks.seeded("x", value), int),
    ):
        assert found == 2
        assert type(found) is kind


@pytest.mark.parametrize(
    "value",
    [True, np.True_, "2", None, [2], 2j, np.array([2, 3]), float("nan"), np.nan, 10**400, float("inf"), -1],
    ids=brief,
)
def test_what_is_no_number_in_range_is_refused(value):
    for check in (
        lambda: checks.at_least("x", value, 0),
        lambda: checks.above("x", value, 0),
        lambda: checks.between("x", value, 0, 3),
        lambda: checks.whole("x", value, 0),
        lambda: checks.seeded("x", value),
    ):
        with pytest.raises(ParameterError, match=r"^x must be a (whole )?number >") as refused:
            check()
        assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (lambda: checks.at_least("x", -1, 0), "x must be a number >= 0, not -1"),
        (lambda: checks.at_least("x", 1e39, 0), "x must be a number >= 0 and <= 3.4e+38, not 1e+39"),
        (lambda: checks.above("x", 0, 0), "x must be a number > 0, not 0"),
        (lambda: checks.between("x", 2, 0, 1, "(]"), "x must be a number > 0 and <= 1, not 2"),
        (lambda: checks.between("x", 1, 0, 1, "[)"), "x must be a number >= 0 and < 1, not 1"),
        (lambda: checks.between("x", 0, 0, 1, "(]"), "x must be a number > 0 and <= 1, not 0"),
        (lambda: checks.whole("x", 2.5, 1), "x must be a whole number >= 1, not 2.5"),
        (lambda: checks.whole("x", 10**11, 1), ">= 1 and <= 2,147,483,647, not 100000000000"),
        (lambda: checks.seeded("seed", -1), "seed must be a whole number >= 0 and <= 4,294,967,295, not -1"),
        (lambda: checks.one_of("x", "c", ("a", "b")), "x must be one of 'a', 'b', not 'c'"),
        (lambda: checks.one_of("x", np.array(["a"]), ("a", "b")), "x must be one of 'a', 'b', not array"),
        (lambda: checks.truth("x", 1), "x must be true or false, not 1"),
        (lambda: checks.names("fields", 5), "fields must be names of fields, not 5; a name that looks like"),
        (lambda: checks.names("fields", []), "fields must be names of fields, not []"),
        (lambda: checks.names("fields", ["a", 3]), "fields must be names of fields, not ['a', 3]"),
        (lambda: checks.names("fields", {"a": 1}), "fields must be names of fields, not {'a': 1}"),
        (lambda: checks.names("fields", ["a", "b", "a"]), "fields names 'a' twice"),
        (lambda: checks.folder_name("m", 5), "m must be the path of a folder, not 5"),
        (lambda: checks.metric_at("m", "ndcg@²", ("ndcg",)), "m must be one of ndcg with @ and a length"),
        (lambda: checks.metric_at("m", "ndcg@0", ("ndcg",)), "like ndcg@100, not 'ndcg@0'"),
        (lambda: checks.metric_at("m", "ndcg@" + "9" * 400, ("ndcg",)), "like ndcg@100, not 'ndcg@999"),
        (lambda: checks.metric_at("m", 5, ("ndcg",)), "like ndcg@100, not 5"),
    ],
)  # fmt: skip
def test_a_refusal_says_the_range(check, says):
    with pytest.raises(ParameterError) as refused:
        check()
    assert says in str(refused.value)
    assert len(str(refused.value)) < 300


def test_words_truths_and_names_become_plain_ones():
    assert type(checks.one_of("x", np.str_("a"), ("a",))) is str
    assert checks.truth("x", np.True_) is True
    assert checks.truth("x", False) is False
    assert checks.names("fields", "year") == ["year"]
    assert checks.names("fields", ("a", np.str_("b"))) == ["a", "b"]
    assert checks.names("fields", None) is None
    assert checks.folder_name("m", Path("a") / "b") == str(Path("a") / "b")
    assert checks.metric_at("m", "hr@20", ("hr", "ndcg")) == ("hr", 20)


def test_a_value_in_a_message_is_one_short_line():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for value in ("x\ny" * 1000, 10**400, 10**10_000, [1] * 1000, deep, {"a": "b" * 1000}, np.ones((50, 50))):
        text = brief(value)
        assert len(text) < 120
        assert "\n" not in text


def test_more_memory_than_there_is_is_refused_before_it_is_asked_for():
    memory.check_memory(1000, "a matrix", "choose another")
    with pytest.raises(
        ParameterError,
        match=r"^a matrix takes 1,000,000,000.0 GB at least, and .* GB is all there is; choose",
    ):
        memory.check_memory(1e18, "a matrix", "choose another")
