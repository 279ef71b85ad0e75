"""Whose clicks: lists of two teams with the clicks on them -> wins by list."""

from typing import Any

import numpy as np
import polars as pl

from isotherm.data.reading.tables import table_of
from isotherm.errors import InteractionsError
from isotherm.experiment.interleaving.comparison import Wins
from isotherm.experiment.interleaving.draft import FIRST, SECOND
from isotherm.experiment.shown_items import DAY, shown_items


def credit(lists: Any, events: Any, event: str = "click", within: float = DAY) -> Wins:
    """What the items of each team got in each list.

    lists: a frame with user_id, timestamp, items and teams (a list a row: 0 the first model's, 1 the
    second's, -1 or null nobody's).  events: a frame with user_id, item_id, type, timestamp.
    event, within: which events count, and how many seconds after the list.
    Raises InteractionsError where a column is missing or cannot be used.
    """
    of_lists = table_of(lists, InteractionsError).frame
    shown = shown_items(of_lists, table_of(events, InteractionsError).frame, event, within, ("teams",)).frame
    if not shown["teams"].drop_nulls().is_in([FIRST, SECOND, -1]).all():
        raise InteractionsError("exposures: column 'teams' holds other numbers than 0, 1 and -1")
    reward = pl.col("reward")
    by_list = shown.group_by("list", maintain_order=True).agg(
        pl.col("user_id").first(),
        first=reward.filter(pl.col("teams") == FIRST).sum(),
        second=reward.filter(pl.col("teams") == SECOND).sum(),
    )
    users = by_list["user_id"].rank("dense").cast(pl.Int64).to_numpy() - 1
    return Wins(
        users.astype(np.int64),
        by_list["first"].cast(pl.Float64).to_numpy(),
        by_list["second"].cast(pl.Float64).to_numpy(),
    )
