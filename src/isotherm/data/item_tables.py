"""The files of an item table put together: the same columns in each, one row per item."""

from collections.abc import Sequence
from contextlib import suppress

import polars as pl

from isotherm.data.field_values import Field, TableRows
from isotherm.data.ids import IdMap
from isotherm.data.reading.id_types import plain_ids
from isotherm.data.reading.place import Place
from isotherm.data.reading.tables import Table, ids_of
from isotherm.data.wording import listed
from isotherm.errors import ItemsError, brief


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
    columns = [_without_null_words(table.frame[name], table.place) for table in tables]
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


def _without_null_words(column: pl.Series, place: Place) -> pl.Series:
    """In CSV and TSV NA and null mean no value, too."""
    return column.set(column.is_in(["NA", "null"]), None) if place.separator else column


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
