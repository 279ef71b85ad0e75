"""The harness itself: it must see what it is there to see."""

import pytest


def test_a_good_command_succeeds_and_a_bad_one_is_one_line(isotherm, desk):
    fit = ("fit", "--interactions", "clicks.parquet", "--model", "ease", "--out", "model", "--quiet")
    isotherm.succeeds(*fit)
    assert (desk / "model" / "model.json").is_file()
    isotherm.refuses("fit", "--interactions", "none.csv", "--out", "m", says=["none.csv", "no such file"])
    isotherm.refuses("fit", "--no-such-option", says="No such option", code=2)


def test_a_changed_file_a_wrong_code_and_missing_words_are_seen(isotherm, desk):
    fit = ("fit", "--interactions", "clicks.parquet", "--model", "ease", "--out", "model", "--quiet")
    with pytest.raises(AssertionError, match="exit code 0"):
        isotherm.refuses(*fit, says="")
    with pytest.raises(AssertionError):
        isotherm.refuses("fit", "--interactions", "none.csv", "--out", "m", says="what nobody says")
