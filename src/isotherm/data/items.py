"""The item table: one row per item, each field of one kind: categories, tags, text, number, vector, image."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.field_values import Field, TableRows, missing_values, read_values
from isotherm.data.ids import IdMap
from isotherm.data.item_tables import check_columns, check_type, checked_ids, joined_column
from isotherm.data.kinds import KINDS, Kind, inferred_kind
from isotherm.data.reading.tables import Source, Table, read_tables, table_of
from isotherm.data.wording import listed, names
from isotherm.errors import ItemsError, brief
from isotherm.types import Array, Bools

_SHOWN = 20  # fields named in messages
TITLES = ("title", "name", "item_name", "label")  #: fields that name an item before a person


class Items:
    """Typed item metadata: one row per item, each field of one kind.

    ids: IdMap of the items.  kinds: field name -> kind.  Missing values are null (an empty list for
    categories and tags) and mean «nothing known», not «zero».

    >>> import polars as pl
    >>> from isotherm import Items
    >>> items = Items.from_frame(
    ...     pl.DataFrame({"item_id": [7, 8], "genres": ["war|drama", "comedy"], "year": [1999, None]})
    ... )
    >>> items
    Items(2 items; genres: categories, year: number)
    >>> items.column("genres").to_list()
    [['war', 'drama'], ['comedy']]
    >>> items.missing()
    {'genres': 0.0, 'year': 0.5}
    """

    def __init__(self, ids: IdMap, kinds: Mapping[str, Kind], table: pl.DataFrame) -> None:
        self.ids = ids
        self.kinds = dict(kinds)
        self._table = table

    @classmethod
    def read(
        cls,
        source: Source,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
    ) -> "Items":
        """Read Parquet, CSV(.gz), TSV(.gz) or JSONL(.gz).

        source: a file, or a folder or a glob of Parquet files.  kinds: field -> kind, for those that should
        not be inferred.  item_column: of ids, each once.  fields: the only columns to keep.
        A string column declared (or seen) as categories is split at «|», else «;», else «,».
        Raises ItemsError that names the file, the column and the row.
        """
        return cls._of_tables(list(read_tables(source, ItemsError)), kinds or {}, item_column, fields)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
    ) -> "Items":
        """The same from a polars, pandas or Arrow frame."""
        table = table_of(frame, ItemsError, needed={item_column})
        return cls._of_tables([table], kinds or {}, item_column, fields)

    @classmethod
    def _of_tables(
        cls,
        tables: Sequence[Table],
        kinds: Mapping[str, Kind],
        item_column: str,
        fields: Sequence[str] | None,
    ) -> "Items":
        check_columns(tables, [item_column, *(fields or ()), *kinds])
        for name, kind in kinds.items():
            if kind not in KINDS:
                place = tables[0].place.at(name)
                raise ItemsError(f"{place}: kind {brief(kind)} is not one of {', '.join(KINDS)}")
        if item_column in kinds:
            place = tables[0].place.at(item_column)
            raise ItemsError(f"{place}: holds the items' ids, which are of no kind; leave its kind out")
        rows = TableRows([table.place for table in tables], [table.frame.height for table in tables])
        ids = checked_ids(tables, item_column, rows)
        kept = list(fields) if fields is not None else [c for c in tables[0].columns if c != item_column]
        kind_of: dict[str, Kind] = {}
        columns = {}
        for name in kept:
            column, field = joined_column(tables, name), Field(name, rows, ids)
            check_type(column, field)
            kind_of[name] = kinds.get(name) or inferred_kind(column)
            columns[name] = read_values(kind_of[name], column, field)
        return cls(ids, kind_of, pl.DataFrame(columns))

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        kinds = [f"{name}: {kind}" for name, kind in list(self.kinds.items())[:_SHOWN]]
        more = [f"and {len(self.kinds) - _SHOWN:,} fields more"] if len(self.kinds) > _SHOWN else []
        return f"Items({len(self):,} items; {', '.join(kinds + more) or 'no fields'})"

    def column(self, name: str) -> pl.Series:
        """A field's values, (n_items,).

        List(String) for categories, List(Struct(value, weight)) for tags, String for text and for the paths
        of images, Float64 for numbers, List(Float32) for vectors. Raises ItemsError that lists the fields.
        """
        if name not in self.kinds:
            raise ItemsError(
                f"there is no field {brief(name)}; the fields are {names(list(self.kinds), name)}"
            )
        return self._table[name]

    def missing(self) -> dict[str, float]:
        """Share of items with no value, for each field."""
        return {name: float(self.is_missing(name).mean()) for name in self.kinds}

    def is_missing(self, name: str) -> Bools:
        """(n_items,) whether an item has no value in this field."""
        return missing_values(self._table[name]).to_numpy()

    def take(self, rows: Array) -> "Items":
        """The items at ``rows``, in this order."""
        table = self._table[rows] if self.kinds else self._table  # without columns it has no rows
        return Items(IdMap(self.ids.take(rows)), self.kinds, table)

    def only(self, fields: Iterable[str]) -> "Items":
        """The same items with only these fields."""
        names = list(fields)
        for name in names:
            self.column(name)
        return Items(self.ids, {name: self.kinds[name] for name in names}, self._table.select(names))

    def of(self, ids: IdMap) -> "Items":
        """The rows of these items, in their order.

        Raises ItemsError that names the ids this table does not hold.
        """
        try:
            rows = self.ids.rows(ids.values)
        except KeyError as cause:
            raise ItemsError(f"item_id: {cause}; give clicks and items ids of one type") from cause
        missing = np.flatnonzero(rows < 0)
        if len(missing):
            raise ItemsError(
                f"{len(missing)} item_ids in clicks are missing from items: "
                f"{listed(ids.take(missing).to_list())}; "
                "add their rows (fields may be empty) or drop their clicks"
            )
        return self.take(rows)

    def title(self, row: int) -> str:
        """What to call an item before a person: its title where the table has one, else its id."""
        for name in TITLES:
            if name in self.kinds and self._table[name][row] is not None:
                value = self._table[name][row]
                return ", ".join(value) if isinstance(value, pl.Series) else str(value)
        return str(self.ids.values[row])

    def to_frame(self) -> pl.DataFrame:
        """item_id and all fields."""
        fields = {name: self._table[name] for name in self.kinds}
        return pl.DataFrame({"item_id": self.ids.values, **fields})
