"""The item table: one row per item, each field of one kind: categories, tags, text, number, vector, image."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.examples import example_of
from isotherm.data.field_values import missing_values, no_values, read_values
from isotherm.data.ids import IdMap
from isotherm.data.inference import declared_type, inferred_type
from isotherm.data.item_tables import ItemTable, check_columns, check_type
from isotherm.data.kinds import KINDS, FieldType, Kind
from isotherm.data.reading.tables import Source, Table, read_tables, table_of
from isotherm.data.wording import counted, listed, names
from isotherm.errors import ItemsError, brief
from isotherm.types import Array, Bools

_SHOWN = 20  # fields named in messages
_TITLES = ("title", "name", "item_name", "label")  # fields that name an item before a person, first to last
_TITLE_KINDS = ("text", "categories", "number")  # of such a field: a value is a few words


class Items:
    """Typed item metadata: one row per item, each field of one kind.

    ids: IdMap of the items.  schema: field name -> how its values are read.  Missing values are null (an
    empty list for categories and tags) and mean «nothing known», not «zero».
    title_field: the field whose values name the items before a person, None where there is none: the one
    that ``title`` says, else, whatever its case, the first of title, name, item_name and label that is there,
    else the first whose name ends in _title.

    >>> import polars as pl
    >>> from isotherm import Items
    >>> items = Items.from_frame(
    ...     pl.DataFrame({"item_id": [7, 8], "genres": ["war|drama", "comedy"], "year": [1999, None]})
    ... )
    >>> items
    Items(2 items; genres: categories, e.g. war, drama; year: number, e.g. 1999)
    >>> items.column("genres").to_list()
    [['war', 'drama'], ['comedy']]
    >>> items.missing()
    {'genres': 0.0, 'year': 0.5}
    """

    def __init__(
        self,
        ids: IdMap,
        schema: Mapping[str, FieldType],
        table: pl.DataFrame,
        title: str | None = None,
        source: ItemTable | None = None,
    ) -> None:
        self.ids = ids
        self.schema = dict(schema)
        self._table = table
        self.title_field = _title_field(self.kinds, title)
        self._source = source

    @classmethod
    def read(
        cls,
        source: Source,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
        title: str | None = None,
        like: Mapping[str, FieldType] | None = None,
    ) -> "Items":
        """Read Parquet, CSV(.gz), TSV(.gz) or JSONL(.gz).

        source: a file, or a folder or a glob of Parquet files.  kinds: field -> kind, for those that should
        not be inferred.  item_column: of ids, each once.  fields: the only columns to keep.
        title: the field that names the items before a person; None: by its name (see the class).
        like: the fields of a fitted model (``model.item_schema``): they and the title alone are kept, read as
        they were then; those that are not there are left out.
        The same table gives the same kinds from every format. A string column declared as categories is split
        at «|», else «;», else «,»; a word for no value, such as N/A or null, is one.
        Raises ItemsError that names the file, the column and the row.
        """
        tables = list(read_tables(source, ItemsError))
        return cls._of_tables(tables, kinds or {}, item_column, fields, title, like)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        kinds: Mapping[str, Kind] | None = None,
        *,
        item_column: str = "item_id",
        fields: Sequence[str] | None = None,
        title: str | None = None,
        like: Mapping[str, FieldType] | None = None,
    ) -> "Items":
        """The same from a polars, pandas or Arrow frame, or a list of dicts, one per item."""
        table = table_of(frame, ItemsError, needed={item_column}, records=True)
        return cls._of_tables([table], kinds or {}, item_column, fields, title, like)

    @classmethod
    def _of_tables(
        cls,
        tables: Sequence[Table],
        kinds: Mapping[str, Kind],
        item_column: str,
        fields: Sequence[str] | None,
        title: str | None,
        like: Mapping[str, FieldType] | None,
    ) -> "Items":
        check_columns(tables, [item_column, *(fields or ()), *kinds, *([] if title is None else [title])])
        for name, kind in kinds.items():
            if kind not in KINDS:
                place = tables[0].place.at(name)
                raise ItemsError(f"{place}: kind {brief(kind)} is not one of {', '.join(KINDS)}")
        if item_column in kinds:
            place = tables[0].place.at(item_column)
            raise ItemsError(f"{place}: holds the items' ids, which are of no kind; leave its kind out")
        source = ItemTable.of(tables, item_column, list(kinds))
        if like is not None:
            named = _title_field(dict.fromkeys(source.columns, "text"), title)
            wanted = like if named is None else {named: FieldType("text"), **like}
            there = {name: known for name, known in wanted.items() if name in source.columns}
            columns = {name: source.read_as(known, name) for name, known in there.items()}
            return cls(source.ids, there, pl.DataFrame(columns), title, source)
        schema, columns = {}, {}
        for name in fields if fields is not None else source.columns:
            column, field = source.columns[name], source.field(name)
            check_type(column, field)
            declared = kinds.get(name)
            schema[name] = declared_type(declared, column) if declared else inferred_type(column, field)
            columns[name] = read_values(schema[name], column, field)
        return cls(source.ids, schema, pl.DataFrame(columns), title, source)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Field name -> kind."""
        return {name: each.kind for name, each in self.schema.items()}

    @property
    def columns(self) -> list[str]:
        """The columns of the table that was read, without the ids; not all need be fields."""
        return list(self.schema if self._source is None else self._source.columns)

    def read_as(self, schema: Mapping[str, FieldType]) -> "Items":
        """The same items with these fields and the title, read as they say; what the table lacks is empty.

        Raises ItemsError, naming the row, where a value cannot be read so.
        """
        wanted = dict(schema)
        if self.title_field is not None:
            wanted.setdefault(self.title_field, self.schema[self.title_field])
        columns = {name: self._read_as(known, name) for name, known in wanted.items()}
        return Items(self.ids, wanted, pl.DataFrame(columns), self.title_field)

    def with_kinds_of(self, schema: Mapping[str, FieldType]) -> "Items":
        """The same items; fields whose kind was inferred, not declared, are of the kinds of ``schema``."""
        declared = self.schema if self._source is None else self._source.declared
        known = {name: schema[name] for name in self.schema if name in schema and name not in declared}
        columns = [self._read_as(each, name) for name, each in known.items()]
        table = self._table.with_columns(columns)
        return Items(self.ids, self.schema | known, table, self.title_field, self._source)

    def _read_as(self, known: FieldType, name: str) -> pl.Series:
        if self._source is not None and name in self._source.columns:
            return self._table[name] if self.schema.get(name) == known else self._source.read_as(known, name)
        if name not in self.schema or self.is_missing(name).all():
            return no_values(known, name, len(self))
        if self.kinds[name] != known.kind:
            raise ItemsError(
                f"field {brief(name)} is {self.kinds[name]} where {known.kind} is needed; declare its kind: "
                f"{name}={known.kind}"
            )
        return self._table[name]

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        fields = [self._told(name) for name in list(self.schema)[:_SHOWN]]
        more = (
            [f"and {counted(len(self.schema) - _SHOWN, 'field')} more"] if len(self.schema) > _SHOWN else []
        )
        return f"Items({counted(len(self), 'item')}; {'; '.join(fields + more) or 'no fields'})"

    def _told(self, name: str) -> str:
        """A field, its kind and an example of its values."""
        example = example_of(self._table[name], self.schema[name])
        return f"{name}: {self.kinds[name]}" + (f", e.g. {example}" if example else "")

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
        table = self._table[rows] if self.schema else self._table  # without columns it has no rows
        source = None if self._source is None else self._source.take(rows)
        return Items(IdMap(self.ids.take(rows)), self.schema, table, self.title_field, source)

    def only(self, fields: Iterable[str]) -> "Items":
        """The same items with only these fields."""
        names = list(fields)
        for name in names:
            self.column(name)
        title = self.title_field if self.title_field in names else None
        schema = {name: self.schema[name] for name in names}
        source = None if self._source is None else self._source.only(names)
        return Items(self.ids, schema, self._table.select(names), title, source)

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
            are = "is" if len(missing) == 1 else "are"
            raise ItemsError(
                f"{counted(len(missing), 'item_id')} in clicks {are} missing from items: "
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
