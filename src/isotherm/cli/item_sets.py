"""Tables of items to show or to leave out: for everybody, or with a column of users one list per user."""

from pathlib import Path
from typing import Any

from isotherm.cli import options as o
from isotherm.errors import ItemsError


def item_sets(path: Path | None, users: Any, user_column: str, item_column: str, quiet: bool) -> Any:
    """What ``recommend`` takes as candidates or exclude: ids for all, or a list for each of ``users``.

    users: the ids of those who are asked for, in order. A table's other users are counted in a note; a user
    whom a table with users does not name has an empty list.
    """
    if path is None:
        return None
    import numpy as np
    import polars as pl

    from isotherm.data import IdMap
    from isotherm.data.reading.tables import ids_of, read_tables

    tables = list(read_tables(path, ItemsError, {user_column, item_column}))
    items = ids_of(tables, item_column)
    if not any(user_column in table.columns for table in tables):
        return items.unique(maintain_order=True)
    named = ids_of(tables, user_column)
    rows = IdMap(users).rows(named)
    others = named.filter(pl.Series(rows < 0)).n_unique()
    left = len(users) - len(np.unique(rows[rows >= 0]))
    if others:
        o.note(f"{path}: {others:,} {'user is' if others == 1 else 'users are'} not asked for", quiet)
    if left:
        have = "user who is asked for has" if left == 1 else "users who are asked for have"
        o.note(f"{path}: {left:,} {have} no row", quiet)
    known = pl.DataFrame({"row": rows, "item": items}).filter(pl.col("row") >= 0)
    rows_asked = pl.DataFrame({"row": np.arange(len(users), dtype=np.int64)})
    lists = rows_asked.join(known.group_by("row").agg("item"), on="row", how="left", maintain_order="left")
    return lists.select(pl.col("item").fill_null(pl.lit([], dtype=lists.schema["item"]))).to_series()
