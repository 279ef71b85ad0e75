"""The rows of a click log as a table of one row per (user, item), and as a matrix."""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data.columns import BEYOND_FLOAT32, Log
from isotherm.data.ids import IdMap
from isotherm.errors import InteractionsError, brief
from isotherm.linalg.csr import index_pointers
from isotherm.types import Float32, UserItems


@dataclass(frozen=True)
class ClickTable:
    """One row per (user, item), sorted by both: the numbers of user and item, and what the log has of them.

    rows: user, item and, where the log has them, rating, timestamp, weight.
    """

    rows: pl.DataFrame
    users: IdMap
    items: IdMap
    notes: dict[str, int]  #: what became of the log's rows
    origin: str  #: what messages begin with

    @classmethod
    def of(cls, log: Log, origin: str, min_rating: float | None) -> "ClickTable":
        """Rows of one (user, item) merged, and then those under ``min_rating`` dropped.

        Users and items whose last click is dropped are dropped with it. Raises InteractionsError where no
        click is left.
        """
        if not log.rows.height:
            if log.other_events:
                raise InteractionsError(f"{origin}0 clicks: none of {log.other_events:,} events is a click")
            raise InteractionsError(f"{origin}0 clicks: there are no rows")
        users, items = IdMap.of(log.rows["user"]), IdMap.of(log.rows["item"])
        numbered = log.rows.with_columns(user=users.rows(log.rows["user"]), item=items.rows(log.rows["item"]))
        merged = _merged(numbered)
        rows = merged if min_rating is None else merged.filter(pl.col("rating") >= min_rating)
        if not rows.height:
            raise InteractionsError(f"{origin}0 clicks: no rating is at least {min_rating:g}")
        notes = {
            "rows": log.rows.height,
            "events_left_out": log.other_events,
            "duplicates_merged": log.rows.height - merged.height,
            "under_min_rating": merged.height - rows.height,
        }
        if rows.height == merged.height:
            return cls(rows, users, items, notes, origin)
        return _with_clicks_only(cls(rows, users, items, notes, origin))

    @property
    def timestamps(self) -> pl.Series | None:
        """The time of each row, where the log has times."""
        return self.rows["timestamp"] if "timestamp" in self.rows.columns else None

    def matrix(self) -> UserItems:
        """(n_users, n_items) the weight of each row. Raises InteractionsError where one is past float32."""
        clicks_of_user = np.bincount(self.rows["user"].to_numpy(), minlength=len(self.users))
        columns = self.rows["item"].to_numpy().astype(np.int32)
        return csr_array(
            (_weights(self), columns, index_pointers(clicks_of_user)),
            shape=(len(self.users), len(self.items)),
        )


def _merged(log: pl.DataFrame) -> pl.DataFrame:
    """One row per (user, item), sorted by both: weights added, else what the latest row says."""
    keys = ["user", "item"]
    if "timestamp" in log.columns:
        log = log.sort("timestamp", maintain_order=True)
    if not log.select(keys).is_duplicated().any():
        return log.sort(keys)
    latest = [pl.col(name).last() for name in log.columns if name not in (*keys, "weight")]
    weight = [pl.col("weight").sum()] if "weight" in log.columns else []
    return log.group_by(keys, maintain_order=True).agg(*latest, *weight).sort(keys)


def _with_clicks_only(table: ClickTable) -> ClickTable:
    """The table renumbered, with only the users and items that stand in it."""
    users, items = table.rows["user"].unique().sort(), table.rows["item"].unique().sort()
    rows = table.rows.with_columns(
        user=IdMap(users).rows(table.rows["user"]), item=IdMap(items).rows(table.rows["item"])
    )
    return replace(
        table,
        rows=rows,
        users=IdMap(table.users.take(users.to_numpy())),
        items=IdMap(table.items.take(items.to_numpy())),
    )


def _weights(table: ClickTable) -> Float32:
    """The weight of each row, 1 where there are none; weights that were merged may be too large together."""
    rows = table.rows
    if "weight" not in rows.columns:
        return np.ones(rows.height, np.float32)
    with np.errstate(over="ignore"):
        weights = rows["weight"].to_numpy().astype(np.float32)
    too_large = np.flatnonzero(~np.isfinite(weights))
    if len(too_large):
        row = int(too_large[0])
        user, item = table.users.values[rows["user"][row]], table.items.values[rows["item"][row]]
        raise InteractionsError(
            f"{table.origin}user {brief(user)}, item {brief(item)}: the sum of weights "
            f"{rows['weight'][row]:g} {BEYOND_FLOAT32}"
        )
    return weights
