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
_TITLES = ("title", "name", "item_name", "label")  # fields that name an item before a person, first to last
_TITLE_KINDS = ("text", "categories", "number")  # of such a field: a value is a few words


class Items:
    """Typed item metadata: one row per item, each field of one kind.

    ids: IdMap of the items.  kinds: field name -> kind.  Missing values are null (an empty list for
    categories and tags) and mean «nothing known», not «zero».
    title_field: the field whose values name the items before a person, None where there is none: the one
    that ``title`` says, else, whatever its case, the first of title, name, item_name and label that is there,
    else the first whose name ends in _title.

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

    def __init__(
        self, ids: IdMap, kinds: Mapping[str, Kind], table: pl.DataFrame, title: str | None = None
    ) -> None:
        self.ids = ids
        self.kinds = dict(kinds)
        self._table = table
        self.title_field = _title_field(self.kinds, title)

    @classmethod
    def read(
        cls,
        source: Source,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
        title: str | None = None,
    ) -> "Items":
        """Read Parquet, CSV(.gz), TSV(.gz) or JSONL(.gz).

        source: a file, or a folder or a glob of Parquet files.  kinds: field -> kind, for those that should
        not be inferred.  item_column: of ids, each once.  fields: the only columns to keep.
        title: the field that names the items before a person; None: by its name (see the class).
        A string column declared (or seen) as categories is split at «|», else «;», else «,».
        Raises ItemsError that names the file, the column and the row.
        """
        return cls._of_tables(list(read_tables(source, ItemsError)), kinds or {}, item_column, fields, title)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
        title: str | None = None,
    ) -> "Items":
        """The same from a polars, pandas or Arrow frame."""
        table = table_of(frame, ItemsError, needed={item_column})
        return cls._of_tables([table], kinds or {}, item_column, fields, title)

    @classmethod
    def _of_tables(
        cls,
        tables: Sequence[Table],
        kinds: Mapping[str, Kind],
        item_column: str,
        fields: Sequence[str] | None,
        title: str | None,
    ) -> "Items":
        check_columns(tables, [item_column, *(fields or ()), *kinds, *([] if title is None else [title])])
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
        return cls(ids, kind_of, pl.DataFrame(columns), title)

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
        return Items(IdMap(self.ids.take(rows)), self.kinds, table, self.title_field)

    def only(self, fields: Iterable[str]) -> "Items":
        """The same items with only these fields."""
        names = list(fields)
        for name in names:
            self.column(name)
        title = self.title_field if self.title_field in names else None
        return Items(self.ids, {name: self.kinds[name] for name in names}, self._table.select(names), title)

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

    def titles(self) -> pl.Series:
        """What names each item before a person, (n_items,) String; null where the table does not say."""
        if self.title_field is None:
            return pl.Series([None] * len(self), dtype=pl.String)
        column = self._table[self.title_field]
        if self.kinds[self.title_field] == "categories":
            column = column.list.join(", ")
        elif self.kinds[self.title_field] == "number":
            column = column.map_elements("{:.15g}".format, pl.String)
        return column.set(column == "", None)

    def title(self, row: int) -> str:
        """What to call an item before a person: its title where the table has one, else its id."""
        title = self.take(np.array([row])).titles()[0]
        return str(self.ids.values[row]) if title is None else str(title)

    def to_frame(self) -> pl.DataFrame:
        """item_id and all fields."""
        fields = {name: self._table[name] for name in self.kinds}
        return pl.DataFrame({"item_id": self.ids.values, **fields})


def _title_field(kinds: Mapping[str, Kind], given: str | None) -> str | None:
    """The field that names items. Raises ItemsError where the given one cannot."""
    if given is not None:
        if given not in kinds:
            raise ItemsError(f"title={brief(given)}: the fields are {names(list(kinds), given)}")
        if kinds[given] not in _TITLE_KINDS:
            raise ItemsError(
                f"title={brief(given)}: a title is of kind {' or '.join(_TITLE_KINDS)}, not {kinds[given]}; "
                "name another field, or declare its kind"
            )
        return given
    possible = [name for name, kind in kinds.items() if kind in _TITLE_KINDS]
    by_name = {name.lower(): name for name in reversed(possible)}
    named = [by_name[title] for title in _TITLES if title in by_name]
    named += [name for name in possible if name.lower().replace(" ", "_").endswith("_title")]
    return named[0] if named else None
