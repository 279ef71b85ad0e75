"""Reads the Parquet files of saved models and stored logs, which may be damaged: ids, labels and times."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import IO

import polars as pl

from isotherm.data.ids import IdMap
from isotherm.data.item_labels import ItemLabels
from isotherm.data.reading.source_files import readable
from isotherm.data.wording import counted
from isotherm.untrusted import DamagedError

_ROWS_PER_BYTE = (
    1000  # more than any compression of ids or times reaches: past it a file claims what it lacks
)
#: beginnings of the names of columns beside the items' ids
_LABELS = _TITLE, _VALUES, _NUMBERS, _DATES = "title:", "values:", "numbers:", "dates:"


def read_ids(source: Path | bytes, n_rows: int | None = None) -> IdMap:
    """Column ``id``: a type that ids can have, no nulls, none twice. Raises DamagedError.

    n_rows: how many there must be, None for any number above 0.
    """
    return _ids(_read_column(source, "id", n_rows))


def catalogue_table(ids: IdMap, labels: ItemLabels) -> pl.DataFrame:
    """What ``read_catalogue`` reads: id, and the labels of a saved model's items."""
    titles = {} if labels.title_field is None else {_TITLE + labels.title_field: labels.titles}
    values = {_VALUES + name: column for name, column in labels.values.items()}
    numbers = {
        (_DATES if name in labels.dates else _NUMBERS) + name: column
        for name, column in labels.numbers.items()
    }
    return pl.DataFrame({"id": ids.values} | titles | values | numbers)


def read_catalogue(source: bytes) -> tuple[IdMap, ItemLabels]:
    """The ids and the labels of a saved model's items. Raises DamagedError."""
    table = _read_table(source, None)
    first, *others = table.columns
    if first != "id" or table["id"].null_count():
        raise DamagedError("its first column must be id, without nulls")
    ids, labels = _ids(table["id"]), ItemLabels.none(table.height)
    titles, title_field, dates = labels.titles, labels.title_field, set()
    values: dict[str, pl.Series] = {}
    numbers: dict[str, pl.Series] = {}
    for column in (table[name] for name in others):
        kind = next((k for k in _LABELS if column.name.startswith(k)), "")
        name = column.name.removeprefix(kind)
        if name in values or name in numbers or not _holds(column, kind, title_field):
            raise DamagedError(f"column {column.name!r} is no title, no list of values and no numbers"[:90])
        if kind == _TITLE:
            titles, title_field = column, name
        elif kind == _VALUES:
            values[name] = column
        else:
            numbers[name] = column
            dates |= {name} if kind == _DATES else set()
    return ids, ItemLabels(titles, title_field, values, numbers, frozenset(dates))


def _holds(column: pl.Series, kind: str, title_field: str | None) -> bool:
    """Whether a column is what the beginning of its name says."""
    if kind == _TITLE:
        return title_field is None and column.dtype == pl.String
    if kind == _VALUES:
        return column.dtype == pl.List(pl.String) and not _has_nulls(column)
    return bool(kind) and column.dtype == pl.Float64 and bool(column.drop_nulls().is_finite().all())


def _has_nulls(lists: pl.Series) -> bool:
    return bool(lists.null_count() or lists.explode().null_count() > (lists.list.len() == 0).sum())


def _ids(column: pl.Series) -> IdMap:
    if column.dtype.is_nested() or column.dtype in (pl.Null, pl.Object, pl.Unknown):
        raise DamagedError(f"{column.dtype} is no type of ids"[:80])
    if column.dtype.is_float() and column.is_nan().any():
        raise DamagedError("NaN is no id")
    try:
        return IdMap(column)
    except ValueError as cause:
        raise DamagedError("an id is there twice") from cause


def read_times(source: Path | bytes, n_rows: int) -> pl.Series:
    """Column ``timestamp``: numbers, dates or moments, one a row, no nulls. Raises DamagedError."""
    column = _read_column(source, "timestamp", n_rows)
    if not (column.dtype.is_temporal() or column.dtype.is_numeric()):
        raise DamagedError(f"{column.dtype} is no type of times"[:80])
    if column.dtype.is_float() and not column.is_finite().all():
        raise DamagedError("it holds a time that is not finite")
    return column


def _read_column(source: Path | bytes, name: str, n_rows: int | None) -> pl.Series:
    table = _read_table(source, n_rows, [name])
    column = table[name]
    if column.null_count():
        raise DamagedError(f"it has {counted(column.null_count(), 'null')} in {counted(len(column), 'row')}")
    return column


def _read_table(
    source: Path | bytes, n_rows: int | None, columns: Sequence[str] | None = None
) -> pl.DataFrame:
    """Some rows, as many as the file claims.  n_rows, columns: what there must be."""
    n_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    try:
        schema = pl.read_parquet_schema(_stream(source))
        if columns is not None and list(schema) != columns:
            raise DamagedError(f"its only column must be {', '.join(columns)}")
        claimed = _scanned(source).select(pl.len()).collect().item()
        if n_rows is None:
            n_rows = max(claimed, 1)
        if claimed != n_rows or max(claimed, _most_values(source)) > _ROWS_PER_BYTE * n_bytes:
            raise DamagedError(f"it has {counted(claimed, 'row')} where {n_rows:,} must be")
        table = _scanned(source).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as cause:
        raise DamagedError("it cannot be read as Parquet") from cause
    if table.height != n_rows:
        raise DamagedError(f"it has {counted(table.height, 'row')} where {n_rows:,} must be")
    return table


def _most_values(source: Path | bytes) -> int:
    """The most values that a column of the file claims: of lists, those within."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        groups = ParquetFile(_stream(source)).metadata
        counts = [
            sum(groups.row_group(group).column(column).num_values for group in range(groups.num_row_groups))
            for column in range(groups.num_columns)
        ]
    except (ArrowException, OSError) as cause:
        raise DamagedError("it cannot be read as Parquet") from cause
    return max(counts, default=0)


def _scanned(source: Path | bytes) -> pl.LazyFrame:
    return pl.scan_parquet(_stream(source), glob=False, hive_partitioning=False)


def _stream(source: Path | bytes) -> Path | IO[bytes]:
    return BytesIO(source) if isinstance(source, bytes) else readable(source)
