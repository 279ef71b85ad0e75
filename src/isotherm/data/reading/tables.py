"""Tables as they come: files of every format, frames of polars, pandas and Arrow; their columns of ids."""

import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from isotherm.data.reading.formats import read_file
from isotherm.data.reading.id_types import joined, plain_ids, typed_text, uuid_text
from isotherm.data.reading.place import Place, PlacedColumn, repeated
from isotherm.data.reading.source_files import Source, files_of
from isotherm.errors import IsothermError, brief

__all__ = ["Source", "Table", "id_column", "ids_of", "read_ids", "read_tables", "table_of"]


@dataclass(frozen=True)
class Table:
    """One table. ``columns`` names all of its columns, of which ``frame`` may hold only those asked for."""

    frame: pl.DataFrame
    columns: Sequence[str]
    place: Place


def read_tables(
    source: Source, error: type[IsothermError], only: Collection[str] | None = None
) -> Iterator[Table]:
    """Yield the table of each file of ``source``; columns of CSV and TSV are text, empty fields are null.

    only: columns of interest; others may be left out. Raises ``error``, naming the file, where there is no
    such file, it is empty, or it cannot be read.
    """
    for path in files_of(source, error):
        frame, columns, place = read_file(path, error, only)
        if not frame.height:
            raise error(f"{place.file}: has no rows")
        yield Table(frame, columns, place)


def table_of(
    frame: Any,
    error: type[IsothermError],
    only: Collection[str] | None = None,
    needed: Collection[str] = (),
    records: bool = False,
) -> Table:
    """The table of a polars, pandas or Arrow frame, or of its columns in ``only``.

    A pandas index is a column, too, where its name is in ``only`` or ``needed``.  records: whether a list of
    dicts is a table, too. Raises TypeError for what is no frame, ``error`` where a column mixes types or
    stands twice.
    """
    place = Place(error)
    if records and isinstance(frame, list) and all(isinstance(row, dict) for row in frame):
        return _of_records(frame, place)
    kind = f"{type(frame).__module__}.{type(frame).__name__}"
    try:
        if isinstance(frame, pl.LazyFrame):
            columns = frame.collect_schema().names()
            return Table(_only(frame, columns, only).collect(), columns, place)
        if isinstance(frame, pl.DataFrame):
            return Table(_only(frame, frame.columns, only), frame.columns, place)
        if kind.startswith("pandas.") and hasattr(frame, "columns"):
            return _of_pandas(frame, place, only, {*(only or ()), *needed})
        if hasattr(frame, "__arrow_c_stream__") and not kind.startswith("pandas."):
            return _of_arrow(frame, place, only)
    except (pl.exceptions.PolarsError, OSError) as cause:
        raise error(f"the frame cannot be read ({str(cause).splitlines()[0]})") from cause
    raise TypeError(f"a polars, pandas or Arrow frame is needed, not {kind}")


def id_column(table: Table, name: str, cure: str = "") -> pl.Series:
    """A column of ids as it was read. Raises, naming the row, where it is not there or a value is no id."""
    place = table.place
    if name not in table.columns:
        raise place.missing(name, table.columns, cure)
    column = table.frame[name]
    if column.null_count():
        raise place.no_value(column)
    if column.dtype.is_float() and not column.is_finite().all():
        bad = ~column.is_finite()
        number = "NaN" if column[int(bad.arg_max() or 0)] != column[int(bad.arg_max() or 0)] else "infinity"
        raise place.error(f"{place.at(name, bad.arg_max())}: {number} is no id")
    try:
        return column if place.separator else plain_ids(column)
    except ValueError as cause:
        raise place.error(f"{place.at(name)}: {cause}") from cause


def ids_of(tables: Iterable[Table], name: str, cure: str = "") -> pl.Series:
    """A column of ids of all tables as one, of one type. Raises as ``id_column`` does.

    Text that came from CSV or TSV turns into numbers where all of it is whole numbers; text from elsewhere
    stays text. Where numbers then stand beside text, all are text.
    """
    placed = [PlacedColumn(table.place, id_column(table, name, cure)) for table in tables]
    from_text = [each.values for each in placed if each.place.separator]
    numbers = typed_text(pl.concat(from_text)) if from_text else None
    columns, row = [], 0
    for each in placed:
        column = each.values
        if each.place.separator and numbers is not None:
            column, row = numbers.slice(row, len(column)), row + len(column)
        columns.append(column)
    try:
        return joined(columns)
    except ValueError as cause:
        place = placed[-1].place
        raise place.error(f"{place.start}column {brief(name)}: {cause}") from cause


def read_ids(source: Source, name: str, error: type[IsothermError]) -> pl.Series:
    """The distinct ids in one column of a table, in the order in which they come first."""
    return ids_of(read_tables(source, error, {name}), name).unique(maintain_order=True)


def _of_records(rows: Sequence[Mapping[str, Any]], place: Place) -> Table:
    """A column for each key of any row; text beside numbers makes all of a column text."""
    names = list(dict.fromkeys(str(name) for row in rows for name in row))
    columns = {name: _of_values(name, [row.get(name) for row in rows], place) for name in names}
    return Table(pl.DataFrame(columns), names, place)


def _of_values(name: str, values: list[Any], place: Place) -> pl.Series:
    if all(value is None or isinstance(value, str | int | float) for value in values):
        types = {type(value) for value in values if value is not None}
        if str in types and len(types) > 1:
            values = [None if value is None else str(value) for value in values]
    values = [list(value) if isinstance(value, tuple | set) else value for value in values]
    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as cause:
        plain = [isinstance(value, list) for value in values]
        row = plain.index(not plain[0]) if len(set(plain)) > 1 else 0
        raise place.error(
            f"{place.at(name, row)}: {brief(values[row])} is of another type than other rows' values; "
            "give all values of a column one type"
        ) from cause


def _only(frame: Any, columns: Sequence[str], only: Collection[str] | None) -> Any:
    return frame if only is None else frame.select([name for name in columns if name in only])


def _of_pandas(frame: Any, place: Place, only: Collection[str] | None, needed: set[str]) -> Table:
    index = [name for name in frame.index.names if name in needed - set(frame.columns)]
    if index:
        frame = frame.reset_index(level=index)
    columns = [str(name) for name in frame.columns]
    chosen = [n for n, name in enumerate(columns) if only is None or name in only]
    _check_once([columns[n] for n in chosen], place)
    kept = frame.iloc[:, chosen]
    texts = {name: kept[name].map(_uuid_as_text) for name in kept.columns if _holds_uuids(kept[name])}
    try:
        return Table(pl.from_pandas(kept.assign(**texts), nan_to_null=False), columns, place)
    except (TypeError, ValueError, OverflowError) as cause:  # what Arrow raises for a column of mixed objects
        raise place.error(
            f"the frame holds a column of mixed types ({str(cause).splitlines()[0]}); give each column one"
        ) from cause


def _holds_uuids(column: Any) -> bool:
    if str(column.dtype) != "object":
        return "uuid" in str(column.dtype)
    first = column.first_valid_index()
    return first is not None and isinstance(column.dropna().iloc[0], uuid.UUID)


def _uuid_as_text(value: Any) -> Any:
    if isinstance(value, bytes):
        return str(uuid.UUID(bytes=value))
    return str(value) if isinstance(value, uuid.UUID) else value


def _of_arrow(frame: Any, place: Place, only: Collection[str] | None) -> Table:
    import pyarrow

    try:
        whole = frame if isinstance(frame, pyarrow.Table) else pyarrow.table(frame)
    except ValueError as cause:
        raise TypeError(f"a frame of columns is needed, not {type(frame).__name__}") from cause
    columns = list(whole.column_names)
    chosen = [n for n, name in enumerate(columns) if only is None or name in only]
    _check_once([columns[n] for n in chosen], place)
    kept = whole.select(chosen)
    read = pl.from_arrow(kept)
    assert isinstance(read, pl.DataFrame)
    uuids = [field.name for field in kept.schema if "arrow.uuid" in str(field.type)]
    return Table(read.with_columns(uuid_text(read[name]) for name in uuids), columns, place)


def _check_once(columns: Sequence[str], place: Place) -> None:
    twice = repeated(columns)
    if twice is not None:
        raise place.error(f"{place.start}column {brief(twice)} stands twice in the frame; rename or drop one")
