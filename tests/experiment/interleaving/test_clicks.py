"""Clicks on interleaved lists: whose they are."""

import polars as pl
import pytest

from isotherm.errors import InteractionsError
from isotherm.experiment.interleaving import credit

LISTS = pl.DataFrame(
    {
        "user_id": ["ann", "ann", "bob", None],
        "timestamp": [100, 200, 100, 100],
        "items": [[1, 2, 3], [2, 1], [1, 2], [1]],
        "teams": [[0, 1, -1], [0, 1], [1, 0], [0]],
    }
)


def events(*rows):
    columns = {"event_id": pl.Int64, "user_id": pl.String, "item_id": pl.Int64, "type": pl.String}
    return pl.DataFrame(list(rows), schema={**columns, "timestamp": pl.Int64}, orient="row")


def test_a_click_counts_for_the_team_of_its_item_in_the_latest_list():
    found = credit(
        LISTS,
        events(
            (1, "ann", 2, "click", 150),  # in the first list, of the second team
            (1, "ann", 2, "click", 150),  # repeated
            (2, "ann", 2, "click", 160),  # the same shown item once more
            (3, "ann", 2, "click", 200),  # in the second list, of the first team
            (4, "ann", 3, "click", 150),  # nobody's
            (5, "bob", 1, "click", 99),  # before the list
            (6, "bob", 2, "click", 100 + 86_401),  # too late
            (7, "bob", 1, "watch", 150),
        ),
    )
    assert found.users.tolist() == [0, 0, 1]
    assert found.first.tolist() == [0, 1, 0]
    assert found.second.tolist() == [1, 0, 0]


def test_what_cannot_be_credited_is_refused():
    with pytest.raises(InteractionsError, match="'teams' is missing; teams are logged by an experiment of"):
        credit(LISTS.drop("teams"), events())
    with pytest.raises(InteractionsError, match="'teams', row 1: a list without a value for each"):
        credit(LISTS.with_columns(teams=pl.lit([0])), events())
    with pytest.raises(InteractionsError, match="other numbers than 0, 1 and -1"):
        credit(LISTS.with_columns(teams=pl.col("teams").list.eval(pl.element() + 5)), events())
    with pytest.raises(InteractionsError, match="'item_id' is String in events and Int64 in exposures"):
        credit(LISTS, events((1, "ann", 2, "click", 150)).with_columns(pl.col("item_id").cast(pl.String)))
