"""The files of an item table put together: the same columns in each, one row per item."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from isotherm.data.field_values import Field, TableRows, read_values
from isotherm.data.ids import IdMap
from isotherm.data.inference import known_type
from isotherm.data.joined_text import without_null_words
from isotherm.data.kinds import FieldType
from isotherm.data.reading.id_types import plain_ids
from isotherm.data.reading.tables import Table, ids_of
from isotherm.data.wording import listed
from isotherm.errors import ItemsError, brief
from isotherm.types import Array


@dataclass(frozen=True)
class ItemTable:
    """The columns of an item table as they came, from which a field can be read again as another type.

    columns: all but the ids.  declared: fields whose kind the user gave.  chosen: the rows that are items, or
    all.
    """

    columns: Mapping[str, pl.Series]
    rows: TableRows
    ids: IdMap
    declared: frozenset[str] = frozenset()
    chosen: Array | None = None

    @classmethod
    def of(cls, tables: Sequence[Table], item_column: str, declared: Sequence[str] = ()) -> "ItemTable":
        """All tables as one. Raises ItemsError where ids or columns do not fit."""
        rows = TableRows([table.place for table in tables], [table.frame.height for table in tables])
        ids = checked_ids(tables, item_column, rows)
        names = [name for name in tables[0].columns if name != item_column]
        columns = {name: joined_column(tables, name) for name in names}
        return cls(columns, rows, ids, frozenset(declared))

    def field(self, name: str) -> Field:
        """Where its values stand."""
        return Field(name, self.rows, self.ids, self.chosen)

    def column(self, name: str) -> pl.Series:
        """The values of the items."""
        column = self.columns[name]
        return column if self.chosen is None else column.gather(self.chosen)

    def take(self, rows: Array) -> "ItemTable":
        """The items at ``rows``."""
        return replace(self, chosen=np.asarray(rows if self.chosen is None else self.chosen[rows]))

    def only(self, names: Sequence[str]) -> "ItemTable":
        """The same with these columns."""
        return replace(self, columns={name: self.columns[name] for name in names})

    def read_as(self, known: FieldType, name: str) -> pl.Series:
        """A column read as a known field was. Raises ItemsError, naming the row, where a value cannot be."""
        column, field = self.column(name), replace(self.field(name), is_known=True)
        check_type(column, field)
        return read_values(known_type(known, column, field), column, field)


def check_columns(tables: Sequence[Table], wanted: Sequence[str]) -> None:
    """Raise where a column that was asked for is missing, or one table has others than the first."""
    first = tables[0]
    if not first.frame.height:
        raise ItemsError(f"{first.place.start}the item table has no rows")
    for name in wanted:
        if name not in first.columns:
            raise first.place.missing(name, first.columns)
    for table in tables[1:]:
        for one, other in ((first, table), (table, first)):
            lacking = [name for name in one.columns if name not in other.columns]
            if lacking:
                raise other.place.missing(
                    lacking[0], other.columns, f"{one.place.file} has it; give it to all files or to none"
                )


def joined_column(tables: Sequence[Table], name: str) -> pl.Series:
    """One field of all tables."""
    columns = [without_null_words(table.frame[name]) for table in tables]
    try:
        if len({_unit(each.dtype) for each in columns} - {""}) > 1:  # which polars would count as one
            raise pl.exceptions.SchemaError("dates, durations and numbers")
        column = pl.concat([each.to_frame() for each in columns], how="vertical_relaxed").to_series()
    except pl.exceptions.PolarsError as cause:
        types = {str(each.dtype): table.place.file for each, table in zip(columns, tables, strict=True)}
        two = ", ".join(f"{dtype} in {file}" for dtype, file in list(types.items())[:2])
        raise ItemsError(f"column {brief(name)} is of different types: {two}; give it one") from cause
    if column.dtype == pl.Object:
        with suppress(ValueError):  # what is no UUID is refused by its type
            return plain_ids(column)
    return column


def _unit(dtype: pl.DataType) -> str:
    """What the numbers of a column count: those of two measures never stand in one field."""
    if dtype in (pl.Date, pl.Datetime):
        return "days"
    return str(dtype.base_type()) if dtype.is_temporal() else "numbers" if dtype.is_numeric() else ""


def check_type(column: pl.Series, field: Field) -> None:
    """Raise for what can be no field: bytes, structs, objects."""
    if isinstance(column.dtype, pl.Struct | pl.Binary | pl.Object):
        raise ItemsError(
            f"{field.place}: {column.dtype} is no kind of field; give text, numbers or lists, or drop it"
        )


def checked_ids(tables: Sequence[Table], name: str, rows: TableRows) -> IdMap:
    """The items' ids. Raises ItemsError, naming the rows, where one stands twice."""
    cure = "Name yours with item_column=… or --item-column"
    ids = ids_of(tables, name, cure)
    duplicated = ids.is_duplicated()
    if not duplicated.any():
        return IdMap(ids)
    first = ids.filter(duplicated)[0]
    rows_of_first = (ids == first).arg_true().to_list()
    if len(tables) > 1:
        one, other = (rows.at(name, row) for row in rows_of_first[:2])
        raise ItemsError(f"{one} and {other}: both are item {brief(first)}; keep one row per item")
    raise ItemsError(
        f"{tables[0].place.at(name)}: item {brief(first)} stands in rows "
        f"{listed([row + 1 for row in rows_of_first])}; keep one row per item"
    )
