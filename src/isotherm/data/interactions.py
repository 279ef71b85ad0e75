"""The click log: who clicked what, as users × items CSR, with the ids it came with.

Everything heavy in isotherm is a pass over ``blocks()`` of users.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data.ids import IdMap
from isotherm.data.stored import is_stored, opened, store
from isotherm.data.tables import Source, as_frame, read_tables, typed_text
from isotherm.errors import InteractionsError


@dataclass(frozen=True)
class Columns:
    """Names of a click log's columns; the last three may be absent from it."""

    user: str = "user_id"
    item: str = "item_id"
    rating: str = "rating"
    timestamp: str = "timestamp"
    weight: str = "weight"


@dataclass(frozen=True, eq=False)
class Interactions:
    """Clicks as a users × items matrix.

    matrix: csr_array (n_users, n_items) float32, indices sorted, one entry a (user, item) pair: its weight,
    1 where the log has no weights. timestamps: one value an entry of ``matrix.data``, or None.
    notes: what reading did (rows, duplicates merged, rows under the rating threshold).
    """

    users: IdMap
    items: IdMap
    matrix: csr_array
    timestamps: pl.Series | None = None
    notes: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def read(
        cls, source: Source, *, columns: Columns | None = None, min_rating: float | None = None
    ) -> "Interactions":
        """Read Parquet (a file, a folder or a glob), CSV(.gz), TSV(.gz), JSONL(.gz) or a stored log.

        min_rating: a (user, item) pair counts as a click if its latest rating is at least this.
        Duplicate pairs are merged: weights are added, the latest rating and timestamp stay.
        Raises InteractionsError that names the file, the column and the row.
        """
        if is_stored(source):
            if min_rating is not None:
                raise InteractionsError(f"{source}: a stored log holds no ratings; min_rating is for tables")
            return cls.open(source)
        columns = columns or Columns()
        parts = [
            _checked(frame, f"{name}: ", columns, min_rating)
            for name, frame in read_tables(source, InteractionsError)
        ]
        try:
            return cls._from_checked(pl.concat(parts, how="vertical_relaxed"), str(source), min_rating)
        except pl.exceptions.PolarsError as cause:
            raise InteractionsError(f"{source}: its files have different columns ({cause})") from cause

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Interactions":
        """A log that ``store`` wrote; the matrix stays on disk and is read as it is needed.

        Raises InteractionsError where the folder is damaged.
        """
        return cls(*opened(path))

    def store(self, path: str | os.PathLike[str]) -> None:
        """Write the log to the folder ``path``, to be opened in an instant, larger than memory or not."""
        store(path, self.users, self.items, self.matrix, self.timestamps)

    @classmethod
    def from_frame(
        cls, frame: Any, *, columns: Columns | None = None, min_rating: float | None = None
    ) -> "Interactions":
        """The same from a polars, pandas or Arrow frame."""
        checked = _checked(as_frame(frame, InteractionsError), "", columns or Columns(), min_rating)
        return cls._from_checked(checked, "the frame", min_rating)

    @classmethod
    def from_csr(cls, matrix: Any, user_ids: Any = None, item_ids: Any = None) -> "Interactions":
        """From a scipy sparse matrix (n_users, n_items); stored zeros are no clicks.

        user_ids, item_ids: one id a row / column, in order; by default 0, 1, 2, …
        """
        matrix = csr_array(matrix, dtype=np.float32, copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        if not np.isfinite(matrix.data).all() or (matrix.data < 0).any():
            raise InteractionsError("the matrix holds a NaN, infinite or negative weight")
        if not matrix.nnz:
            raise InteractionsError("the matrix holds 0 clicks")
        n_users, n_items = matrix.shape
        users = IdMap.numbered(n_users) if user_ids is None else IdMap(pl.Series(user_ids))
        items = IdMap.numbered(n_items) if item_ids is None else IdMap(pl.Series(item_ids))
        if (len(users), len(items)) != matrix.shape:
            raise InteractionsError(
                f"{len(users)} user_ids and {len(items)} item_ids for a matrix of {matrix.shape}"
            )
        return cls(users, items, matrix)

    @classmethod
    def _from_checked(cls, log: pl.DataFrame, source: str, min_rating: float | None) -> "Interactions":
        rows = log.height
        users, items = IdMap.of(log["user"]), IdMap.of(log["item"])
        log = log.with_columns(user=users.rows(log["user"]), item=items.rows(log["item"]))
        log = _merged(log)
        merged = rows - log.height
        if min_rating is not None:
            log = log.filter(pl.col("rating") >= min_rating)
            if not log.height:
                raise InteractionsError(f"{source}: 0 clicks: no rating is at least {min_rating:g}")
        under = rows - merged - log.height
        if under:  # forget users and items that have no click left
            kept_users, kept_items = log["user"].unique().sort(), log["item"].unique().sort()
            log = log.with_columns(
                user=IdMap(kept_users).rows(log["user"]), item=IdMap(kept_items).rows(log["item"])
            )
            users, items = IdMap(users.take(kept_users.to_numpy())), IdMap(items.take(kept_items.to_numpy()))
        notes = {"rows": rows, "duplicates_merged": merged, "under_min_rating": under}
        weights = log["weight"].to_numpy() if "weight" in log.columns else np.ones(log.height)
        counts = np.bincount(log["user"].to_numpy(), minlength=len(users))
        matrix = csr_array(
            (weights.astype(np.float32), log["item"].to_numpy().astype(np.int32), _starts(counts)),
            shape=(len(users), len(items)),
        )
        return cls(users, items, matrix, log["timestamp"] if "timestamp" in log.columns else None, notes)

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
        return f"Interactions({self.n_users:,} users, {self.n_items:,} items, {self.n_clicks:,} clicks)"

    def blocks(self, users: int = 4096) -> Iterator[csr_array]:
        """The matrix as blocks of at most ``users`` rows, in order, sharing its memory."""
        yield from row_blocks(self.matrix, users)

    def item_clicks(self) -> NDArray[np.int64]:
        """Number of users who clicked each item, (n_items,)."""
        return np.bincount(self.matrix.indices, minlength=self.n_items)

    def click_users(self) -> NDArray[np.int64]:
        """User row of each click, in the order of ``matrix.data``."""
        return rows_of(self.matrix)

    def keep(self, clicks: NDArray[np.bool_]) -> "Interactions":
        """The same users and items with only the clicks where ``clicks`` (one flag an entry) is true."""
        matrix = with_entries(self.matrix, clicks)
        times = None if self.timestamps is None else self.timestamps.filter(pl.Series(clicks))
        return replace(self, matrix=matrix, timestamps=times, notes={})

    def take_users(self, rows: NDArray[Any]) -> "Interactions":
        """Only these user rows, in this order; all items stay."""
        lengths = np.diff(self.matrix.indptr)[rows]
        entries = np.repeat(self.matrix.indptr[:-1][rows] - _starts(lengths)[:-1], lengths)
        entries = entries + np.arange(lengths.sum())
        times = None if self.timestamps is None else self.timestamps.gather(entries)
        users = IdMap(self.users.take(rows))
        return replace(self, users=users, matrix=self.matrix[rows], timestamps=times, notes={})

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
                _starts(np.bincount(row_of, minlength=len(users))),
            ),
            shape=(len(users), len(items)),
        )
        times = None if self.timestamps is None else self.timestamps.gather(order)
        return Interactions(users, items, matrix, times, self.notes)

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


def row_blocks(matrix: csr_array, rows: int) -> Iterator[csr_array]:
    """A CSR matrix as blocks of at most ``rows`` rows, in order, without a copy."""
    for first in range(0, matrix.shape[0], rows):
        starts = matrix.indptr[first : first + rows + 1]
        entries = slice(starts[0], starts[-1])
        yield csr_array(
            (matrix.data[entries], matrix.indices[entries], starts - starts[0]),
            shape=(len(starts) - 1, matrix.shape[1]),
        )


def rows_of(matrix: csr_array) -> NDArray[np.int64]:
    """Row of each stored entry, (nnz,)."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def binary(matrix: csr_array) -> csr_array:
    """A CSR matrix with the same stored entries, each 1 (float32)."""
    return csr_array((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def with_entries(matrix: csr_array, kept: NDArray[np.bool_]) -> csr_array:
    """A CSR matrix of the same shape with only the stored entries where ``kept`` (one flag each) is true."""
    starts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr].astype(matrix.indptr.dtype)
    return csr_array((matrix.data[kept], matrix.indices[kept], starts), shape=matrix.shape)


def _starts(lengths: NDArray[Any]) -> NDArray[Any]:
    """indptr from row lengths: 32 bits where they are enough."""
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return starts.astype(np.int32) if starts[-1] < 2**31 else starts


def _merged(log: pl.DataFrame) -> pl.DataFrame:
    """One row a (user, item), sorted by both."""
    keys = ["user", "item"]
    if "timestamp" in log.columns:
        log = log.sort("timestamp", maintain_order=True)
    if not log.select(keys).is_duplicated().any():
        return log.sort(keys)
    latest = [pl.col(name).last() for name in log.columns if name not in (*keys, "weight")]
    weight = [pl.col("weight").sum()] if "weight" in log.columns else []
    return log.group_by(keys, maintain_order=True).agg(*latest, *weight).sort(keys)


def _checked(frame: pl.DataFrame, where: str, columns: Columns, min_rating: float | None) -> pl.DataFrame:
    """The columns of interest under their plain names, or an InteractionsError that says what is wrong."""
    log = {}
    for part in fields(columns):
        name = getattr(columns, part.name)
        needed = part.name in ("user", "item") or (part.name == "rating" and min_rating is not None)
        if name not in frame.columns:
            if not needed:
                continue
            raise InteractionsError(
                f"{where}column {name!r} is missing; the columns are {', '.join(frame.columns)}. "
                f"Name yours with Columns({part.name}=…) or --{part.name}-column"
            )
        column = frame[name]
        if column.null_count():
            if part.name == "rating" and min_rating is None:
                continue
            row = int(column.is_null().arg_max() or 0)
            raise InteractionsError(
                f"{where}column {name!r}, row {row + 1}: no value (null) in {column.null_count()} "
                f"of {len(column)} rows; drop or fill these rows"
            )
        log[part.name] = _CHECKS.get(part.name, _number)(column, where)
    if not frame.height:
        raise InteractionsError(f"{where}0 clicks: there are no rows")
    return pl.DataFrame(log)


def _id(column: pl.Series, where: str) -> pl.Series:
    column = typed_text(column)
    if column.dtype.is_float() and column.is_nan().any():
        raise InteractionsError(f"{where}column {column.name!r}, {_first(column.is_nan())}: NaN is no id")
    if column.dtype.is_nested() or column.dtype == pl.Object:
        raise InteractionsError(f"{where}column {column.name!r}: {column.dtype} cannot be an id")
    return column


def _time(column: pl.Series, where: str) -> pl.Series:
    if column.dtype == pl.String:
        return _text_time(column, where)
    if column.dtype.is_temporal() or column.dtype.is_integer():
        return column
    return _number(column, where)


def _text_time(column: pl.Series, where: str) -> pl.Series:
    """Numbers, or dates and times in one ISO-like format."""
    numbers = column.cast(pl.Float64, strict=False)
    if not numbers.null_count():
        return _number(typed_text(column), where)
    best = numbers
    for parse in (column.str.to_datetime, column.str.to_date):
        try:
            times = parse(strict=False)
        except pl.exceptions.PolarsError:  # no known format at all
            continue
        best = min(best, times, key=pl.Series.null_count)
    if best.null_count():
        bad = best.is_null()
        raise InteractionsError(
            f"{where}column {column.name!r}, {_first(bad)}: {column.filter(bad)[0]!r} is neither a number "
            "nor a date in the format of the others, such as 2026-01-31 or 2026-01-31T23:59:00"
        )
    return best


def _number(column: pl.Series, where: str) -> pl.Series:
    numbers = column.cast(pl.Float64, strict=False)
    bad = numbers.is_null() | ~numbers.is_finite().fill_null(False)
    if bad.any():
        raise InteractionsError(
            f"{where}column {column.name!r}, {_first(bad)}: {column.filter(bad)[0]!r} is not a finite number"
        )
    return numbers


def _weight(column: pl.Series, where: str) -> pl.Series:
    numbers = _number(column, where)
    if (numbers <= 0).any():
        raise InteractionsError(
            f"{where}column {column.name!r}, {_first(numbers <= 0)}: a weight must be above 0; "
            "drop the rows that are no clicks"
        )
    return numbers


def _first(bad: pl.Series) -> str:
    return f"row {int(bad.arg_max() or 0) + 1}"


_CHECKS: dict[str, Callable[[pl.Series, str], pl.Series]] = {
    "user": _id,
    "item": _id,
    "timestamp": _time,
    "weight": _weight,
}
