"""Ids <-> rows: a user's own ids in, the rows of a matrix inside, the same ids out again."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.reading.id_types import as_ids, converted, joined
from isotherm.data.wording import counted, listed
from isotherm.errors import UnknownIdError, brief
from isotherm.types import Array, Int64

_PLAIN: dict[pl.DataType | type[pl.DataType], type] = {
    pl.String: str,
    pl.Int64: int,
}  # ids that are alike in Python


class IdMap:
    """The ids of users or items in row order.

    Integers of any width count as one type, so do strings and categories; UUIDs are their text; other types
    are kept as they are. Raises ValueError where an id is missing, stands twice or is of no type for ids.
    """

    def __init__(self, values: Any) -> None:
        self.values = as_ids(values).rename("id")
        missing = self.values.is_null()
        if self.values.dtype.is_float():
            missing |= ~self.values.is_finite().fill_null(True)
        if missing.any():
            row = int(missing.arg_max() or 0)
            raise ValueError(f"row {row + 1}: {self.values[row]} is no id")
        if self.values.n_unique() != len(self.values):
            twice = self.values.filter(self.values.is_duplicated())[0]
            rows = [row + 1 for row in (self.values == twice).arg_true().to_list()]
            raise ValueError(f"ids must be unique, but {brief(twice)} stands in rows {listed(rows)}")

    @classmethod
    def of(cls, values: pl.Series) -> "IdMap":
        """The distinct ids in ``values``, sorted, so that the order of a log's rows does not matter."""
        return cls(as_ids(values).unique().sort())

    @classmethod
    def numbered(cls, n: int) -> "IdMap":
        """The ids 0 … n - 1."""
        return cls._unique(pl.Series("id", np.arange(n, dtype=np.int64)))

    @classmethod
    def _unique(cls, values: pl.Series) -> "IdMap":
        """Of values that are known to be ids, each there once: no look at all of them."""
        ids = cls.__new__(cls)
        ids.values = values.rename("id")
        return ids

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, ids: pl.Series | Iterable[Any]) -> Int64:
        """Row of each id, -1 where it is unknown. Raises UnknownIdError if the ids are of another type.

        Where one side is text and the other numbers, they are compared as text.
        """
        wanted = self._in_own_type(ids)
        known = pl.DataFrame({"id": self.values, "row": np.arange(len(self), dtype=np.int64)})
        found = pl.DataFrame({"id": wanted}).join(known, on="id", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()

    @cached_property
    def row_of(self) -> dict[Any, int]:
        """Id -> row, made at the first look: for few ids among many, which a join would all read again."""
        return {value: row for row, value in enumerate(self.values.to_list())}

    def rows_of_few(self, ids: Sequence[Any]) -> Int64 | None:
        """``rows`` by ``row_of``; None where not all ids are text as the known are, or 64-bit numbers.

        >>> from isotherm.data import IdMap
        >>> ids = IdMap(["tea", "cup"])
        >>> ids.rows_of_few(["cup", "pot"]), ids.rows_of_few([1])
        (array([ 1, -1]), None)
        """
        kind = _PLAIN.get(self.values.dtype)
        if kind is None or not set(map(type, ids)) <= {kind}:
            return None
        row_of = self.row_of
        rows = np.array(list(map(row_of.get, ids, repeat(-1))), dtype=np.int64)
        if kind is int and (rows < 0).any() and not all(-(2**63) <= value < 2**63 for value in ids):
            return None
        return rows

    def known_rows(self, ids: pl.Series | Iterable[Any], what: str) -> Int64:
        """Row of each id. Raises UnknownIdError that names the unknown; ``what`` is user or item."""
        ids = ids if isinstance(ids, pl.Series) else list(ids)
        rows = self.rows(ids)
        unknown = np.flatnonzero(rows < 0)
        if len(unknown):
            missing = [ids[int(row)] for row in unknown]
            raise UnknownIdError(
                f"{counted(len(missing), f'unknown {what} id')}: {listed(missing)}; "
                f"the model knows {counted(len(self), what)}"
            )
        return rows

    def known(self, ids: pl.Series | Iterable[Any]) -> pl.Series:
        """Those of ``ids`` that are here; made for few ids and many here."""
        return self.values.filter(self.values.is_in(self._in_own_type(ids).implode()))

    def take(self, rows: Array) -> pl.Series:
        """The ids that stand at ``rows``, which count from the first."""
        return self.values[
            pl.Series(np.asarray(rows).astype(np.uint32))
        ]  # polars checks and converts signed ones

    def union(self, other: "IdMap") -> "IdMap":
        """These ids in their order, then those of ``other`` that are new; text where one side is text."""
        new = np.flatnonzero(self.rows(other.values) < 0)
        return self.appended(IdMap(other.take(new))) if len(new) else self

    def appended(self, new: "IdMap") -> "IdMap":
        """These ids, then all of ``new``, which must hold none of them; text where one side is text."""
        try:
            return self._unique(joined([self.values, new.values]))
        except ValueError as cause:
            raise UnknownIdError(str(cause)) from cause

    def _in_own_type(self, ids: pl.Series | Iterable[Any]) -> pl.Series:
        try:
            return converted(as_ids(ids), self.values.dtype)
        except ValueError as cause:
            raise UnknownIdError(str(cause)) from cause
