"""Times of lists and events, however they are written."""

import polars as pl
import pytest

from isotherm.errors import InteractionsError
from isotherm.experiment.shown_items import shown_items

START = 1_767_225_600  # 2026-01-01, in seconds


def rewards(shown, clicked):
    """What two lists got, with a click an hour after the first and another 25 hours after the second."""
    lists = pl.DataFrame({"user_id": [1, 2], "timestamp": shown, "items": [[5], [5]]})
    events = pl.DataFrame({"user_id": [1, 2], "item_id": 5, "type": "click", "timestamp": clicked})
    return shown_items(lists, events).frame["reward"].to_list()


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
def test_numbers_count_the_unit_that_they_are_of(per_second):
    shown = [START * per_second] * 2
    clicked = [(START + hours * 3600) * per_second for hours in (1, 25)]
    assert rewards(shown, clicked) == [1, 0]
    seconds = pl.Series([START * 10**6] * 2).cast(pl.Datetime("us", "UTC"))
    assert rewards(seconds, clicked) == [1, 0]
    assert rewards([100.0, 100.0], [3700, 90_100]) == [1, 0]  # a clock of its own counts seconds


def test_what_is_no_time_is_refused():
    with pytest.raises(InteractionsError, match=r"events: column 'timestamp', row 2: no time"):
        rewards([START, START], [START + 1.0, float("nan")])


@pytest.mark.parametrize("name", ["items", "propensities"])
def test_what_must_be_lists_and_is_not_is_refused(name):
    lists = pl.DataFrame({"user_id": [1], "timestamp": [START], "items": [[5]], "propensities": [[0.5]]})
    events = pl.DataFrame({"user_id": [1], "item_id": 5, "type": "click", "timestamp": START})
    with pytest.raises(InteractionsError, match=f"exposures: column '{name}' is Float64; write a list"):
        shown_items(lists.with_columns(pl.lit(0.5).alias(name)), events, columns=["propensities"])
