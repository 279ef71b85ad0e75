"""A file as a frame: Parquet, CSV and TSV, JSON lines."""

import gzip
import json
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import polars as pl

from isotherm.data.reading.delimited import read_delimited
from isotherm.data.reading.id_types import uuid_text
from isotherm.data.reading.place import Place, repeated
from isotherm.data.reading.source_files import readable
from isotherm.errors import IsothermError, brief, shown_path

READERS = ".parquet, .csv, .csv.gz, .tsv, .tsv.gz, .jsonl, .ndjson, .jsonl.gz"


def suffix_of(path: Path) -> str:
    """«.csv», or «.csv.gz»."""
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def read_file(
    path: Path, error: type[IsothermError], only: Collection[str] | None
) -> tuple[pl.DataFrame, list[str], Place]:
    """The frame, the names of all columns (of Parquet only those in ``only`` are read), and the place.

    Raises ``error``, naming the file, where it cannot be read.
    """
    suffix = suffix_of(path)
    kind = suffix.removesuffix(".gz")
    place = Place(error, shown_path(path), {".csv": ",", ".tsv": "\t"}.get(kind, ""))
    try:
        match kind:
            case ".parquet" if suffix == kind:
                return *_read_parquet(path, only), place
            case ".csv" | ".tsv":
                frame = read_delimited(path, place)
            case ".jsonl" | ".ndjson":
                frame = _read_json_lines(path, place)
            case _:
                raise error(f"{place.file}: unknown kind of file; one of {READERS} is needed")
    except IsothermError:
        raise
    except OSError as cause:
        raise error(f"{place.file}: cannot be read ({cause.strerror or cause})") from cause
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, EOFError, ValueError) as cause:
        reason = (str(cause).splitlines() or [type(cause).__name__])[0][:200]
        raise error(f"{place.file}: cannot be read as {suffix[1:]} ({reason}); is it whole?") from cause
    return frame, frame.columns, place


def _read_parquet(path: Path, only: Collection[str] | None) -> tuple[pl.DataFrame, list[str]]:
    source = readable(path)
    schema = pl.read_parquet_schema(source)
    columns = list(schema)
    wanted = columns if only is None else [name for name in columns if name in only] or columns[:1]
    frame = pl.read_parquet(_again(source), columns=wanted, glob=False, hive_partitioning=False)
    if any(schema[name] == pl.Binary for name in wanted):
        frame = frame.with_columns(
            uuid_text(frame[name]) for name in _uuids(_again(source)) if name in frame.columns
        )
    return frame, columns


def _uuids(source: Path | IO[bytes]) -> list[str]:
    """The columns that the file says are UUIDs: polars takes them for bytes."""
    import pyarrow.parquet

    columns = pyarrow.parquet.ParquetFile(source).schema
    return [column.path for column in columns if column.logical_type.type == "UUID"]


def _again(source: Path | IO[bytes]) -> Path | IO[bytes]:
    if not isinstance(source, Path):
        source.seek(0)
    return source


def _read_json_lines(path: Path, place: Place) -> pl.DataFrame:
    text = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
    text = text.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        raise place.error(f"{place.file}: has no rows")
    try:
        frame = pl.read_ndjson(text, infer_schema_length=None)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as cause:
        fault = _json_fault(text) or f": {str(cause).splitlines()[0][:200]}"
        raise place.error(f"{place.file}{fault}") from cause
    _check_names(text, place)
    return frame


def _json_fault(text: bytes) -> str:
    """What is wrong with the first line that does not fit."""
    kinds: dict[str, str] = {}
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ": is no UTF-8 text (UTF-16); save it as UTF-8"
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_constant=_no_json)
        except UnicodeDecodeError:
            return f", row {number}: is no UTF-8 text; save the file as UTF-8"
        except (ValueError, RecursionError) as cause:
            return f", row {number}: not a JSON object ({str(cause)[:120]})"
        if not isinstance(row, dict):
            return f", row {number}: not a JSON object but {brief(row)}; write one object a line"
        for name, value in row.items():
            kind = _json_kind(value)
            if kind and kinds.setdefault(name, kind) != kind:
                return (
                    f", row {number}: column {brief(name)} holds {kind} where other rows hold {kinds[name]}"
                )
        try:
            pl.read_ndjson(line)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as cause:
            return f", row {number}: cannot be read ({str(cause).splitlines()[0][:120]})"
    return ""


def _no_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON; write null")


def _json_kind(value: Any) -> str:
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    return "" if value is None else "a plain value"


def _check_names(text: bytes, place: Place) -> None:
    """Look at the first row alone: a writer that names a column twice does so in all."""
    first = next((line for line in text.splitlines() if line.strip()), b"null")
    pairs = json.loads(first, object_pairs_hook=lambda pairs: [name for name, _ in pairs])
    twice = repeated(pairs) if pairs else None
    if twice is not None:
        raise place.error(f"{place.file}, row 1: column {brief(twice)} stands twice; rename or drop one")
