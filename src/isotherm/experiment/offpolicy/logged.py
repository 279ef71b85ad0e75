"""What a policy has shown, with which probability, and what it got: one row for each shown item."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.reading.place import Place
from isotherm.data.reading.tables import Table, ids_of, read_tables, table_of
from isotherm.errors import InteractionsError, brief
from isotherm.types import Float64, Int64


@dataclass(frozen=True)
class LogColumns:
    """Names of the columns of a plain log. user, list and position may be absent: each list is then of a
    user of its own, each row a list of its own, each position 1."""

    action: str = "item_id"
    reward: str = "reward"
    propensity: str = "propensity"
    user: str = "user_id"
    list: str = "request_id"
    position: str = "position"


@dataclass(frozen=True, eq=False)
class Logged:
    """A log: n rows, one for each shown item.

    users: (n,) int64, rows of ``user_ids``; a user is the unit of intervals.  lists: (n,) int64, of one list
    alike.  positions: (n,) int64 from 1.  actions: (n,) int64, rows of ``items``.  rewards: (n,) float64.
    propensities: (n,) float64 in (0, 1], with which the item was shown there.
    """

    users: Int64
    lists: Int64
    positions: Int64
    actions: Int64
    rewards: Float64
    propensities: Float64
    user_ids: pl.Series
    items: pl.Series

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_positions(self) -> int:
        """The last position."""
        return int(self.positions.max())

    @cached_property
    def order(self) -> Int64:
        """(n,) rows by list, and in each by position."""
        return np.lexsort((self.positions, self.lists)).astype(np.int64)

    @cached_property
    def starts(self) -> Int64:
        """(n_lists,) where each list begins in ``order``."""
        lists = self.lists[self.order]
        return np.flatnonzero(np.r_[True, lists[1:] != lists[:-1]])

    @cached_property
    def lengths(self) -> Int64:
        """(n_lists,) rows of each list, in the order of ``starts``."""
        return np.asarray(np.diff(self.starts, append=len(self)))

    @cached_property
    def places(self) -> Int64:
        """(n,) int64, how many rows of its list come before a row."""
        places = np.empty(len(self), dtype=np.int64)
        places[self.order] = np.arange(len(self)) - np.repeat(self.starts, self.lengths)
        return places


def log_of(frame: Any, columns: LogColumns | None = None) -> Logged:
    """The log of a frame (polars, pandas, Arrow). Raises InteractionsError that names column and row."""
    return log_of_table(table_of(frame, InteractionsError), columns)


def log_of_table(table: Table, columns: LogColumns | None = None) -> Logged:
    """The log of a table of files. Raises InteractionsError that names file, column and row."""
    names = columns or LogColumns()
    if not table.frame.height:
        raise InteractionsError(f"{table.place.start}the log has no rows")
    n, numbered = table.frame.height, np.arange(table.frame.height, dtype=np.int64)
    actions, items = codes(ids_of([table], names.action))
    lists = codes(ids_of([table], names.list))[0] if names.list in table.columns else numbered
    users, user_ids = lists, pl.Series(names.user, np.arange(lists.max() + 1))
    if names.user in table.columns:
        users, user_ids = codes(ids_of([table], names.user))
    positions = np.ones(n, dtype=np.int64)
    if names.position in table.columns:
        positions = _positions(table, names.position)
    rewards = numbers(table, names.reward)
    propensities = probabilities(table, names.propensity)
    _check_shown(table, names.propensity, propensities)
    log = Logged(users, lists, positions, actions, rewards, propensities, user_ids, items)
    _check_lists(log)
    return log


def read_log(
    source: Any, columns: LogColumns | None = None, target: str | None = None
) -> tuple[Logged, Float64 | None]:
    """The log of a file or pattern (Parquet, CSV, JSONL), and the target's propensities of its rows.

    target: a column with the probabilities of another policy. Raises InteractionsError that names file,
    column and row.
    """
    names = columns or LogColumns()
    wanted = {*vars(names).values()} | ({target} if target is not None else set())
    tables = list(read_tables(source, InteractionsError, wanted))
    table = tables[0] if len(tables) == 1 else _joined(tables, source, wanted)
    values = None if target is None else probabilities(table, target)
    return log_of_table(table, names), values


def _joined(tables: Sequence[Table], source: Any, wanted: Set[str]) -> Table:
    """Tables one after the other. Raises where columns are missing in some, or of types that differ."""
    known = {name: each.place.file for each in tables for name in each.columns if name in wanted}
    for each in tables:
        for name, file in known.items():
            if name not in each.columns:
                cure = f"{file} has it; give it to all files or to none"
                raise each.place.missing(name, each.columns, cure)
    place = Place(InteractionsError, str(source), tables[0].place.separator)
    try:
        frame = pl.concat([each.frame.select(*known) for each in tables], how="vertical_relaxed")
    except pl.exceptions.PolarsError as cause:
        raise InteractionsError(
            f"{place.start}a column is of another type in some files ({brief(str(cause))}); write all alike"
        ) from cause
    return Table(frame, tables[0].columns, place)


def numbers(table: Table, name: str) -> Float64:
    """A column of finite numbers; true and false are 1 and 0."""
    if name not in table.columns:
        raise table.place.missing(name, table.columns)
    column = table.frame[name]
    column = column.cast(pl.Float64) if column.dtype == pl.Boolean else column
    return table.place.numbers(column).to_numpy().astype(np.float64)


def probabilities(table: Table, name: str) -> Float64:
    """A column of probabilities, 0 and 1 among them."""
    values = numbers(table, name)
    bad = (values < 0) | (values > 1)
    if bad.any():
        row = int(bad.argmax())
        raise InteractionsError(
            f"{table.place.at(name, row)}: {values[row]:g} is no probability; give numbers from 0 to 1"
        )
    return values


def _check_shown(table: Table, name: str, values: Float64) -> None:
    if (values <= 0).any():
        raise InteractionsError(
            f"{table.place.at(name, int((values <= 0).argmax()))}: what was shown had a probability above 0; "
            "drop the rows whose propensity is not known"
        )


def _check_lists(log: Logged) -> None:
    """A place of a list stands once, and a list has one user."""
    users, lists, positions = (each[log.order] for each in (log.users, log.lists, log.positions))
    same = lists[1:] == lists[:-1]
    if (same & (positions[1:] == positions[:-1])).any():
        raise InteractionsError("a list has two items at one position; number its positions from 1")
    if (same & (users[1:] != users[:-1])).any():
        raise InteractionsError("a list has two users; give each list an id of its own")


def _positions(table: Table, name: str) -> Int64:
    values = numbers(table, name)
    bad = (values < 1) | (values != np.rint(values)) | (values > 10_000)
    if bad.any():
        row = int(bad.argmax())
        raise InteractionsError(f"{table.place.at(name, row)}: {values[row]:g} is no position; count from 1")
    return values.astype(np.int64)


def codes(ids: pl.Series) -> tuple[Int64, pl.Series]:
    """(n,) rows of the distinct ids, and these in the order in which they come first."""
    distinct = ids.unique(maintain_order=True)
    frame = pl.DataFrame({"id": distinct, "row": np.arange(len(distinct), dtype=np.int64)})
    rows = pl.DataFrame({"id": ids}).join(frame, on="id", how="left", maintain_order="left")["row"]
    return rows.to_numpy().astype(np.int64), distinct


def rows_of(ids: pl.Series, among: pl.Series) -> Int64:
    """(n,) rows of ids among distinct others, -1 of one that is not there."""
    place = {each: row for row, each in enumerate(among.to_list())}
    return np.array([place.get(each, -1) for each in ids.to_list()], dtype=np.int64)
