"""Reads the one-column Parquet files of saved models and stored logs: ids and times, which may be damaged."""

from io import BytesIO
from pathlib import Path
from typing import IO

import polars as pl

from isotherm.data.ids import IdMap
from isotherm.data.reading.source_files import readable
from isotherm.untrusted import DamagedError

_ROWS_PER_BYTE = (
    1000  # more than any compression of ids or times reaches: past it a file claims what it lacks
)


def read_ids(source: Path | bytes, n_rows: int | None = None) -> IdMap:
    """Column ``id``: a type that ids can have, no nulls, none twice. Raises DamagedError.

    n_rows: how many there must be, None for any number above 0.
    """
    column = _read_column(source, "id", n_rows)
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
    n_bytes = len(source) if isinstance(source, bytes) else source.stat().st_size
    try:
        schema = pl.read_parquet_schema(_stream(source))
        if list(schema) != [name]:
            raise DamagedError(f"its only column must be {name}")
        claimed = _scanned(source).select(pl.len()).collect().item()
        if n_rows is None:
            n_rows = max(claimed, 1)
        if claimed != n_rows or claimed > _ROWS_PER_BYTE * n_bytes:
            raise DamagedError(f"it has {claimed:,} rows where {n_rows:,} are needed")
        column = _scanned(source).collect()[name]
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as cause:
        raise DamagedError("it cannot be read as Parquet") from cause
    if len(column) != n_rows or column.null_count():
        raise DamagedError(f"it has {column.null_count():,} nulls in {len(column):,} rows")
    return column


def _scanned(source: Path | bytes) -> pl.LazyFrame:
    return pl.scan_parquet(_stream(source), glob=False, hive_partitioning=False)


def _stream(source: Path | bytes) -> Path | IO[bytes]:
    return BytesIO(source) if isinstance(source, bytes) else readable(source)
