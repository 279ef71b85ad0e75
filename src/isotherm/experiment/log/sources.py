"""The Parquet files of an event log, whose columns are held against what each table must have."""

import glob
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from isotherm.data.reading.source_files import Source, files_of
from isotherm.data.wording import names
from isotherm.errors import EventLogError, brief, shown_path

#: table -> column -> what it holds; those with «?» may be missing
TABLES = {
    "events": {
        "event_id": "id",
        "user_id": "id",
        "item_id": "id",
        "type": "text",
        "timestamp": "time",
        "received": "time?",
        "value": "number?",
        "cold": "flag?",
    },
    "assignments": {
        "experiment": "text",
        "arm": "text",
        "user_id": "id",
        "timestamp": "time",
        "reason": "text?",
        "weights": "number?",
    },
    "exposures": {
        "request_id": "id",
        "user_id": "id",
        "experiment": "text",
        "arm": "text",
        "timestamp": "time",
        "items": "ids",
        "cold": "flags?",
    },
    "model_swaps": {"timestamp": "time", "experiment": "text?"},
}
_WANTED = {
    "id": "ids are int64 or text",
    "ids": "it must be a list of ids, int64 or text",
    "text": "it must be text",
    "time": "it must be a timestamp, or int64 seconds, milliseconds or microseconds since 1970",
    "number": "it must be a number",
    "flag": "it must be bool",
    "flags": "it must be a list of bool, or of ranks",
}
NUMBERED = "_is_number"  #: ends the name of the column that tells ids 1 and "1" apart


@dataclass(frozen=True)
class Table:
    """One table of a log.

    name: a key of TABLES.  kinds: column -> what it holds: integer, text, timestamp, number, flag,
    list of integer, list of text, list of flag, nothing (only nulls); of columns that are known and there.
    alike: whether each column is of one type in all files, so that one file tells how all are read.
    """

    name: str
    files: tuple[Path, ...]
    kinds: Mapping[str, str]
    rows: int
    alike: bool = True

    @classmethod
    def of(cls, name: str, source: Source) -> "Table":
        """The table ``name`` of a Parquet file, a folder or a glob. Raises EventLogError."""
        files = files_of(source, EventLogError)
        footers = [_footer(file) for file in files]
        schemas = [footer.schema.to_arrow_schema() for footer in footers]
        kinds = _kinds(name, files[0], schemas[0])
        for file, schema in zip(files[1:], schemas[1:], strict=True):
            other = _kinds(name, file, schema)
            column = min((each for each in kinds | other if kinds.get(each) != other.get(each)), default=None)
            if column is not None:
                raise EventLogError(
                    f"{shown_path(file)}: column {column!r} is {other.get(column, 'missing')} where "
                    f"{shown_path(files[0])} has {kinds.get(column, 'none')}; write all files of "
                    f"{name} with the same columns and types"
                )
        types = {tuple(schema.field(column).type for column in kinds) for schema in schemas}
        return cls(name, tuple(files), kinds, sum(footer.num_rows for footer in footers), len(types) == 1)

    def holds(self, column: str) -> bool:
        """Whether a column is there, and is not null throughout by its type."""
        return self.kinds.get(column, "nothing") != "nothing"

    def id_kind(self, column: str) -> str:
        """integer, text, mixed or, where all are null, nothing."""
        return "mixed" if column + NUMBERED in self.kinds else self.kinds[column].removeprefix("list of ")


@dataclass(frozen=True)
class EventLog:
    """The tables of a log; every file's columns are checked.

    >>> from isotherm.experiment.log import EventLog
    >>> EventLog.of("lake/events/*.parquet", "lake/assignments.parquet")  # doctest: +SKIP
    """

    events: Table
    assignments: Table
    exposures: Table | None = None  #: lists; without them nothing is known to be cold

    @classmethod
    def of(cls, events: Source, assignments: Source, exposures: Source | None = None) -> "EventLog":
        """Each a Parquet file, a folder or a glob. Raises EventLogError naming file, column and cure."""
        lists = None if exposures is None else Table.of("exposures", exposures)
        return cls(Table.of("events", events), Table.of("assignments", assignments), lists)

    @classmethod
    def of_folder(cls, folder: Source) -> "EventLog":
        """A folder with NAME/, NAME.parquet or NAME-….parquet for events, assignments and, if any, exposures.

        Raises EventLogError.
        """
        found = {name: _table_in(Path(folder), name) for name in TABLES}
        for name in ("events", "assignments"):
            if found[name] is None:
                raise EventLogError(
                    f"{shown_path(Path(folder))}: holds no {name}; there must be a folder {name}, or "
                    f"{name}.parquet, or {name}-….parquet"
                )
        return cls.of(found["events"] or "", found["assignments"] or "", found["exposures"])

    @property
    def files(self) -> list[Path]:
        """All files."""
        return [file for table in self.tables for file in table.files]

    @property
    def tables(self) -> Iterator[Table]:
        """Those that are there."""
        yield from (each for each in (self.events, self.assignments, self.exposures) if each is not None)

    def id_kind(self, *columns: str) -> str:
        """The one kind that holds the ids of all columns of these names: integer, text or mixed."""
        known = {each.id_kind(name) for each in self.tables for name in columns if name in each.kinds}
        known -= {"nothing"}
        if len(known) > 1:
            return "mixed" if "mixed" in known else "text"
        return known.pop() if known else "integer"


def _table_in(folder: Path, name: str) -> Path | None:
    if (folder / name).is_dir():
        return folder / name
    if (folder / f"{name}.parquet").is_file():
        return folder / f"{name}.parquet"
    numbered = f"{name}-*.parquet"
    return Path(glob.escape(str(folder)), numbered) if any(folder.glob(numbered)) else None


def _footer(file: Path) -> Any:
    """What Parquet says of a file: columns and number of rows."""
    try:
        with open(file, "rb") as stream:
            return pq.ParquetFile(stream).metadata
    except (pa.ArrowException, OSError) as cause:
        raise EventLogError(
            f"{shown_path(file)}: cannot be read as Parquet ({cause}); write it anew"
        ) from cause


def _kinds(table: str, file: Path, schema: Any) -> dict[str, str]:
    """Column -> kind of the known columns of a file."""
    kinds = {}
    for column, wanted in TABLES[table].items():
        if column not in schema.names:
            if wanted.endswith("?"):
                continue
            raise EventLogError(
                f"{shown_path(file)}: column {column!r} is missing; {table} have "
                f"{', '.join(name for name, kind in TABLES[table].items() if kind[-1] != '?')}, and the "
                f"columns there are {names(schema.names, column)}"
            )
        kinds[column] = _kind(table, file, schema.field(column), wanted.rstrip("?"))
        if column + NUMBERED in schema.names:
            flag = "flags" if wanted == "ids" else "flag"
            kinds[column + NUMBERED] = _kind(table, file, schema.field(column + NUMBERED), flag)
    return kinds


def _kind(table: str, file: Path, field: Any, wanted: str) -> str:
    """What a column holds. Raises EventLogError where that is not what is wanted."""
    kind = _kind_of(field.type)
    allowed = {
        "id": ("integer", "text"),
        "ids": ("list of integer", "list of text"),
        "text": ("text",),
        "time": ("timestamp", "integer"),
        "number": ("number", "integer"),
        "flag": ("flag",),
        "flags": ("list of flag", "list of integer"),
    }
    if kind not in allowed[wanted] and kind != "nothing":
        raise EventLogError(
            f"{shown_path(file)}: column {field.name!r} of {table} is {brief(str(field.type))}; "
            f"{_WANTED[wanted]}"
        )
    return "number" if wanted == "number" and kind == "integer" else kind


def _kind_of(dtype: Any) -> str:
    """Of an Arrow type: nothing for a column of nulls, its own name for what is none of those known."""
    if pa.types.is_dictionary(dtype):
        return _kind_of(dtype.value_type)
    if pa.types.is_list(dtype) or pa.types.is_large_list(dtype) or pa.types.is_fixed_size_list(dtype):
        inner = _kind_of(dtype.value_type)
        return "nothing" if inner == "nothing" else f"list of {inner}"
    known = {
        "nothing": pa.types.is_null(dtype),
        "integer": pa.types.is_integer(dtype) and not pa.types.is_uint64(dtype),
        "text": pa.types.is_string(dtype)
        or pa.types.is_large_string(dtype)
        or pa.types.is_string_view(dtype),
        "timestamp": pa.types.is_timestamp(dtype),
        "number": pa.types.is_floating(dtype) or pa.types.is_decimal(dtype),
        "flag": pa.types.is_boolean(dtype),
    }
    return next((kind for kind, is_it in known.items() if is_it), str(dtype))


def escaped(files: Sequence[Path]) -> list[str]:
    """Names of files as DuckDB reads them: whole, and *, ? and [ stand for themselves."""
    names = (os.path.abspath(file) for file in files)
    return ["".join(f"[{letter}]" if letter in "*?[" else letter for letter in name) for name in names]
