"""Ids <-> rows: a user's own ids in, the rows of a matrix inside, the same ids out again."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from isotherm.errors import UnknownIdError


class IdMap:
    """The ids of users or items in row order.

    Integers of any width count as one type, so do strings and categories; other types are kept as they are.
    """

    def __init__(self, values: pl.Series) -> None:
        self.values = plain_ids(values).rename("id")
        if self.values.n_unique() != len(self.values):
            raise ValueError("ids must be unique")

    @classmethod
    def of(cls, values: pl.Series) -> "IdMap":
        """The distinct ids in ``values``, sorted, so that the order of a log's rows does not matter."""
        return cls(plain_ids(values).unique().sort())

    @classmethod
    def numbered(cls, n: int) -> "IdMap":
        """The ids 0 … n - 1."""
        return cls(pl.Series("id", np.arange(n, dtype=np.int64)))

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, ids: pl.Series | Iterable[Any]) -> NDArray[np.int64]:
        """Row of each id, -1 where it is unknown. Raises UnknownIdError if the ids are of another type."""
        wanted = self._in_own_type(ids)
        known = pl.DataFrame({"id": self.values, "row": np.arange(len(self), dtype=np.int64)})
        found = pl.DataFrame({"id": wanted}).join(known, on="id", how="left", maintain_order="left")
        return found["row"].fill_null(-1).to_numpy()

    def known_rows(self, ids: pl.Series | Iterable[Any], what: str) -> NDArray[np.int64]:
        """Row of each id. Raises UnknownIdError that names the unknown; ``what`` is user or item."""
        ids = ids if isinstance(ids, pl.Series) else list(ids)
        rows = self.rows(ids)
        if (rows < 0).any():
            missing = [ids[int(i)] for i in np.flatnonzero(rows < 0)]
            raise UnknownIdError(
                f"{len(missing)} unknown {what} id{'s' * (len(missing) > 1)}: {listed(missing)}; "
                f"the model knows {len(self)} {what}s"
            )
        return rows

    def known(self, ids: pl.Series | Iterable[Any]) -> pl.Series:
        """Those of ``ids`` that are here; made for few ids and many here."""
        return self.values.filter(self.values.is_in(self._in_own_type(ids).implode()))

    def take(self, rows: NDArray[Any]) -> pl.Series:
        """The ids that stand at ``rows``."""
        return self.values.gather(rows)

    def union(self, other: "IdMap") -> "IdMap":
        """These ids in their order, then those of ``other`` that are new."""
        new = np.flatnonzero(self.rows(other.values) < 0)
        return self.appended(IdMap(other.take(new))) if len(new) else self

    def appended(self, new: "IdMap") -> "IdMap":
        """These ids, then all of ``new``, which must hold none of them."""
        longer = IdMap.__new__(IdMap)  # both parts are known to be unique: no second look at all ids
        longer.values = pl.concat([self.values, new.values.cast(self.values.dtype)])
        return longer

    def _in_own_type(self, ids: pl.Series | Iterable[Any]) -> pl.Series:
        own = self.values.dtype
        try:
            wanted = plain_ids(ids if isinstance(ids, pl.Series) else pl.Series(list(ids)))
            if wanted.dtype == own:
                return wanted
            if not len(wanted) or (wanted.dtype.is_integer() and own.is_integer()):
                return wanted.cast(own)
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise UnknownIdError(f"ids must all be of type {own}: {error}") from error
        raise UnknownIdError(f"ids of type {wanted.dtype} were given where this data has ids of type {own}")


def plain_ids(values: pl.Series) -> pl.Series:
    """Ids in one type a kind: Int64 for integers (UInt64 where they need it), String for strings."""
    if values.dtype.is_integer() and values.dtype not in (pl.Int64, pl.UInt64, pl.Int128):
        return values.cast(pl.Int64)
    if values.dtype == pl.UInt64 and (values.max() or 0) < 2**63:  # type: ignore[operator]
        return values.cast(pl.Int64)
    if isinstance(values.dtype, pl.Categorical | pl.Enum):
        return values.cast(pl.String)
    return values


def listed(values: Sequence[Any], most: int = 5) -> str:
    """A few values for a message: «a, b, c and 7 more»."""
    shown = ", ".join(repr(value) for value in list(values)[:most])
    return shown + (f" and {len(values) - most} more" if len(values) > most else "")
