"""The click log: who clicked what, as users × items CSR, with the ids it came with.

Everything heavy in isotherm is a pass over ``blocks()`` of users.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.checks import LARGEST, between
from isotherm.data.click_table import ClickTable
from isotherm.data.columns import BEYOND_FLOAT32, Columns, Log, read_log
from isotherm.data.ids import IdMap
from isotherm.data.reading.tables import Source, read_tables, table_of
from isotherm.data.stored import StoredLog, is_stored, open_stored, store
from isotherm.data.wording import counted
from isotherm.errors import InteractionsError, brief, shown_path
from isotherm.linalg.csr import (
    column_counts,
    filter_entries,
    index_pointers,
    row_blocks,
    rows_of,
    take_rows,
    with_data,
)
from isotherm.types import Array, Bools, Int64, UserItems


@dataclass(frozen=True, eq=False)
class Interactions:
    """Clicks as a users × items matrix, with the ids they came with.

    >>> import polars as pl
    >>> from isotherm import Interactions
    >>> log = pl.DataFrame({"user_id": ["ann", "ann", "bob"], "item_id": [7, 8, 7], "rating": [5, 2, 4]})
    >>> clicks = Interactions.from_frame(log, min_rating=4)
    >>> clicks
    Interactions(2 users, 1 item, 2 clicks)
    >>> clicks.users.values.to_list(), clicks.items.values.to_list()
    (['ann', 'bob'], [7])
    >>> clicks.matrix.toarray()
    array([[1.],
           [1.]], dtype=float32)
    """

    users: IdMap  #: of the rows
    items: IdMap  #: of the columns
    matrix: UserItems  #: one entry per (user, item): its weight, 1 where the log has no weights
    timestamps: pl.Series | None = None  #: (n_clicks,) in the order of ``matrix.data``
    notes: Mapping[str, int] = field(
        default_factory=dict
    )  #: what reading did: rows, merged, under min_rating
    untimed: str = ""  #: why there are no timestamps although the log has a column of that name
    hidden_at_random: bool = False  #: whether items without clicks are no later than others

    @classmethod
    def read(
        cls, source: Source, *, columns: Columns | None = None, min_rating: float | None = None
    ) -> "Interactions":
        """Read Parquet (a file, a folder or a glob), CSV(.gz), TSV(.gz), JSONL(.gz) or a stored log.

        columns: names other than user_id, item_id, rating, timestamp, weight.  min_rating: a (user, item)
        pair counts as a click if its latest rating is at least this.
        Duplicate pairs are merged: weights are added, the latest rating and timestamp stay. Users and items
        are numbered in the order of their ids.
        Raises InteractionsError that names the file, the column and the row.
        """
        columns = columns or Columns()
        if is_stored(source):
            return cls._stored(source, columns, min_rating)
        _check_rating(min_rating)
        tables = list(read_tables(source, InteractionsError, columns.wanted()))
        return cls._from_log(read_log(tables, columns, min_rating), f"{shown_path(source)}: ", min_rating)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Interactions":
        """A log that ``store`` wrote; the matrix stays on disk and is read as it is needed.

        Raises InteractionsError where the folder is damaged.
        """
        log = open_stored(path)
        return cls(log.users, log.items, log.matrix, log.timestamps, untimed=log.untimed)

    def store(self, path: str | os.PathLike[str]) -> None:
        """Write the log to the folder ``path``, to be opened in an instant, larger than memory or not."""
        store(path, StoredLog(self.users, self.items, self.matrix, self.timestamps, self.untimed))

    @classmethod
    def from_frame(
        cls, frame: Any, *, columns: Columns | None = None, min_rating: float | None = None
    ) -> "Interactions":
        """The same from a polars, pandas or Arrow frame. Raises InteractionsError, TypeError for no frame."""
        columns = columns or Columns()
        _check_rating(min_rating)
        table = table_of(frame, InteractionsError, columns.wanted())
        return cls._from_log(read_log([table], columns, min_rating), "", min_rating)

    @classmethod
    def from_csr(cls, matrix: Any, user_ids: Any = None, item_ids: Any = None) -> "Interactions":
        """From a SciPy sparse matrix (n_users, n_items); stored zeros are no clicks.

        matrix: weights > 0 of clicks; what stands twice is added up.  user_ids, item_ids: one id per row /
        column, in order; by default 0, 1, 2, … Raises InteractionsError.

        >>> from isotherm import Interactions
        >>> from scipy.sparse import csr_array
        >>> Interactions.from_csr(csr_array([[1, 1, 0], [1, 0, 1]]), ["ann", "bob"], ["tea", "jam", "pie"])
        Interactions(2 users, 3 items, 4 clicks)
        """
        matrix = _checked_matrix(matrix)
        n_users, n_items = matrix.shape
        users = _given_ids(user_ids, n_users, "user_ids")
        items = _given_ids(item_ids, n_items, "item_ids")
        if (len(users), len(items)) != matrix.shape:
            raise InteractionsError(
                f"{counted(len(users), 'user_id')} and {counted(len(items), 'item_id')} "
                f"for a matrix of {matrix.shape}"
            )
        return cls(users, items, matrix)

    @classmethod
    def _stored(cls, source: Source, columns: Columns, min_rating: float | None) -> "Interactions":
        if min_rating is not None or columns.rating is not None:
            raise InteractionsError(
                f"{shown_path(source)}: a stored log holds no ratings; min_rating is for tables"
            )
        if columns.weight not in (None, "weight"):
            raise InteractionsError(
                f"{shown_path(source)}: a stored log holds its weights already; leave out the weight column "
                f"{brief(columns.weight)}"
            )
        log = cls.open(source)
        if columns.timestamp is not None and log.timestamps is None:
            raise InteractionsError(f"{shown_path(source)}: the stored log holds no timestamps")
        return log

    @classmethod
    def _from_log(cls, log: Log, origin: str, min_rating: float | None) -> "Interactions":
        table = ClickTable.of(log, origin, min_rating)
        return cls(table.users, table.items, table.matrix(), table.timestamps, table.notes, log.untimed)

    @property
    def n_users(self) -> int:
        """Rows of the matrix."""
        return int(self.matrix.shape[0])

    @property
    def n_items(self) -> int:
        """Columns of the matrix."""
        return int(self.matrix.shape[1])

    @property
    def n_clicks(self) -> int:
        """Entries of the matrix."""
        return int(self.matrix.nnz)

    def __repr__(self) -> str:
        users, items = counted(self.n_users, "user"), counted(self.n_items, "item")
        return f"Interactions({users}, {items}, {counted(self.n_clicks, 'click')})"

    def blocks(self, users: int = 4096) -> Iterator[UserItems]:
        """The matrix as blocks of at most ``users`` rows, in order, sharing its memory."""
        yield from row_blocks(self.matrix, users)

    def item_clicks(self) -> Int64:
        """Number of users who clicked each item, (n_items,)."""
        return column_counts(self.matrix)

    def click_users(self) -> Int64:
        """User row of each click, in the order of ``matrix.data``."""
        return rows_of(self.matrix)

    def click_times(self) -> Array | None:
        """When each click came, (n_clicks,) numbers of one unit; None where the log has no times."""
        return None if self.timestamps is None else self.timestamps.to_physical().to_numpy()

    @property
    def shows_new_items(self) -> bool:
        """Whether its times say how new items come: it has some, and no item was hidden at random."""
        return self.timestamps is not None and not self.hidden_at_random

    def keep(self, kept: Bools) -> "Interactions":
        """The same users and items with only the clicks where ``kept``, (n_clicks,) flags, is true."""
        matrix = filter_entries(self.matrix, kept)
        times = None if self.timestamps is None else self.timestamps.filter(pl.Series(kept))
        return replace(self, matrix=matrix, timestamps=times, notes={})

    def take_users(self, rows: Array) -> "Interactions":
        """Only these user rows, in this order; all items stay."""
        matrix, entries = take_rows(self.matrix, rows)
        times = None if self.timestamps is None else self.timestamps.gather(entries)
        users = IdMap(self.users.take(rows))
        return replace(self, users=users, matrix=matrix, timestamps=times, notes={})

    def among(self, users: IdMap, items: IdMap) -> "Interactions":
        """The same clicks in the rows and columns of ``users`` and ``items``, which must hold all of them."""
        rows = users.known_rows(self.users.values, "user")
        columns = items.known_rows(self.items.values, "item")
        row_of, column_of = rows[self.click_users()], columns[self.matrix.indices]
        order = np.lexsort((column_of, row_of))
        matrix = csr_array(
            (
                self.matrix.data[order],
                column_of[order].astype(np.int32),
                index_pointers(np.bincount(row_of, minlength=len(users))),
            ),
            shape=(len(users), len(items)),
        )
        times = None if self.timestamps is None else self.timestamps.gather(order)
        return replace(self, users=users, items=items, matrix=matrix, timestamps=times)

    def to_frame(self) -> pl.DataFrame:
        """The clicks as a frame: user_id, item_id, weight and, where kept, timestamp."""
        frame = pl.DataFrame(
            {
                "user_id": self.users.take(self.click_users()),
                "item_id": self.items.take(self.matrix.indices),
                "weight": self.matrix.data,
            }
        )
        return frame if self.timestamps is None else frame.with_columns(timestamp=self.timestamps)


def _check_rating(least: float | None) -> None:
    """Raise ParameterError where a rating threshold is no number."""
    if least is not None:
        between("min_rating", least, -LARGEST, LARGEST)


def _checked_matrix(matrix: Any) -> UserItems:
    """A copy as CSR in float32, without stored zeros. Raises InteractionsError for what is no weight."""
    try:
        exact = csr_array(matrix, copy=True)
        exact.check_format(full_check=True)
    except (TypeError, ValueError, IndexError) as cause:
        raise InteractionsError(f"a sparse matrix (n_users, n_items) is needed ({cause})") from cause
    if exact.ndim != 2 or exact.dtype.kind not in "biuf":
        raise InteractionsError(
            f"a sparse matrix (n_users, n_items) of numbers is needed, "
            f"not {exact.dtype} in {counted(exact.ndim, 'dimension')}"
        )
    if exact.dtype != np.float32 or not exact.has_canonical_format:
        exact = exact.astype(np.float64)
    exact.sum_duplicates()
    exact.eliminate_zeros()
    if not np.isfinite(exact.data).all() or (exact.data < 0).any():
        raise InteractionsError("the matrix holds a NaN, infinite or negative weight")
    if not exact.nnz:
        raise InteractionsError("the matrix holds 0 clicks")
    with np.errstate(over="ignore"):
        weights = exact.data.astype(np.float32)
    bad = ~np.isfinite(weights) | (weights == 0)
    if bad.any():
        raise InteractionsError(f"the matrix: the weight {exact.data[bad][0]:g} {BEYOND_FLOAT32}")
    return with_data(exact, weights)


def _given_ids(ids: Any, n: int, what: str) -> IdMap:
    """The ids that were given, or 0 to n - 1. Raises InteractionsError."""
    if ids is None:
        return IdMap.numbered(n)
    if isinstance(ids, str | bytes) or not hasattr(ids, "__iter__"):
        raise InteractionsError(f"{what} takes a list of ids, not {brief(ids)}")
    try:
        return IdMap(ids)
    except (TypeError, ValueError) as cause:
        raise InteractionsError(f"{what}: {cause}") from cause
