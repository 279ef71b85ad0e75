"""Reads tables: Parquet (file, folder, glob), CSV(.gz), JSONL(.gz), and frames of polars, pandas, Arrow."""

import glob
import gzip
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from isotherm.errors import IsothermError

Source = str | os.PathLike[str]
READERS = ".parquet, .csv, .csv.gz, .tsv, .tsv.gz, .jsonl, .ndjson, .jsonl.gz"
_NULLS = ["", "NA", "null"]


def read_tables(source: Source, error: type[IsothermError]) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (file name, frame) for each file of ``source``; text columns of CSV stay text.

    Raises ``error``, naming the file, where there is no such file, it is empty, or it cannot be read.
    """
    for path in _files(Path(source), error):
        try:
            frame = _read(path, error)
        except (pl.exceptions.PolarsError, OSError, EOFError, ValueError) as cause:
            if isinstance(cause, IsothermError):
                raise
            reason = str(cause).splitlines()[0] if str(cause) else type(cause).__name__
            raise error(f"{path}: cannot be read as {_suffix(path)[1:]} ({reason}); is it whole?") from cause
        if not frame.height:
            raise error(f"{path}: has no rows")
        yield str(path), frame


def as_frame(table: Any, error: type[IsothermError]) -> pl.DataFrame:
    """A polars frame from a polars, pandas or Arrow one.

    Raises TypeError for anything else, ``error`` where a column mixes types.
    """
    if isinstance(table, pl.DataFrame):
        return table
    if isinstance(table, pl.LazyFrame):
        return table.collect()
    kind = f"{type(table).__module__}.{type(table).__name__}"
    if kind.startswith("pandas."):
        try:
            return pl.from_pandas(table, nan_to_null=False)
        except (TypeError, ValueError) as cause:  # what Arrow raises for a column of mixed objects
            raise error(f"the frame holds a column of mixed types ({cause}); give each column one") from cause
    if hasattr(table, "__arrow_c_stream__") or kind.startswith("pyarrow."):
        frame = pl.from_arrow(table)
        if isinstance(frame, pl.DataFrame):
            return frame
    raise TypeError(f"a polars, pandas or Arrow frame is needed, not {kind}")


def typed_text(column: pl.Series) -> pl.Series:
    """A text column as whole numbers where every value is one to the letter; «007» stays text."""
    if column.dtype != pl.String:
        return column
    numbers = column.cast(pl.Int64, strict=False)
    same = numbers.cast(pl.String).eq_missing(column)  # what is no number became null and differs
    return numbers if same.all() and numbers.null_count() < len(numbers) else column


def _files(source: Path, error: type[IsothermError]) -> list[Path]:
    if source.is_dir():
        found = sorted(path for path in source.rglob("*.parquet") if not path.name.startswith((".", "_")))
        if not found:
            raise error(f"{source}: this folder holds no .parquet file")
        return found
    if source.exists():
        return [source]
    if any(letter in str(source) for letter in "*?["):
        found = sorted(Path(name) for name in glob.glob(str(source), recursive=True))
        if not found:
            raise error(f"{source}: no file matches this pattern")
        return found
    raise error(f"{source}: no such file or folder")


def _suffix(path: Path) -> str:
    return "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()


def _read(path: Path, error: type[IsothermError]) -> pl.DataFrame:
    if not path.stat().st_size:
        raise error(f"{path}: the file is empty (0 bytes)")
    match _suffix(path):
        case ".parquet":
            return pl.read_parquet(path, hive_partitioning=False)
        case ".csv" | ".csv.gz":
            return pl.read_csv(path, infer_schema=False, null_values=_NULLS)
        case ".tsv" | ".tsv.gz":
            return pl.read_csv(path, infer_schema=False, null_values=_NULLS, separator="\t")
        case ".jsonl" | ".ndjson" | ".jsonl.gz" | ".ndjson.gz":
            return _read_json_lines(path, error)
    raise error(f"{path}: unknown kind of file; one of {READERS} is needed")


def _read_json_lines(path: Path, error: type[IsothermError]) -> pl.DataFrame:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    try:
        return pl.read_ndjson(text, infer_schema_length=None)
    except pl.exceptions.PolarsError:
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                json.loads(line)
            except ValueError as cause:
                raise error(f"{path}, row {number}: not a JSON object ({cause})") from cause
        raise
