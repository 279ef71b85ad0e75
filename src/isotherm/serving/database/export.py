"""Events as Parquet files, for analysis: each file whole or not there, and each event in one file.

A file's name tells which numbers of events it covers: ``events-AFTER-LAST.parquet``. An export goes on after
the last of them: one that was cut off is started again, and one that is run every night adds what is new.
``events.json`` says of which database the files are.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Engine, func, select

from isotherm.checks import whole
from isotherm.errors import OutputError, shown_path
from isotherm.files import Address, check_file, locked, write_atomically, write_json
from isotherm.serving.database import tables
from isotherm.serving.database.connections import reading, writing
from isotherm.serving.database.stored_ids import given_id

MANIFEST = "events.json"
_PAGE = 50_000  # rows that are in memory at once
_FILE = re.compile(r"events-(\d{18})-(\d{18})\.parquet")
_IDS = ("event", "user", "item")


def export_events(engine: Engine, folder: Address, rows_per_file: int) -> int:
    """Write the events after the last exported one to ``folder``, made where it is absent. Returns how many.

    Columns: event_id, user_id, item_id (integers where all ids of the kind were integers at the first export,
    else text), type, timestamp and received (UTC), value, late, future. Where the ids of a kind are of both
    types, KIND_is_number tells 1 from "1".
    Raises OutputError where the folder is of another database, holds other files, or an id is no integer
    where those of the folder are.
    """
    whole("rows_per_file", rows_per_file, 1)
    folder = Path(folder)
    check_file(folder / MANIFEST)
    with locked(folder):
        kinds = _kinds(engine, folder)
        last, until, written = _last_exported(folder), _last_number(engine), 0
        while last < until:
            rows, end = _write_file(engine, folder, kinds, (last, until, rows_per_file))
            written, last = written + rows, end
    return written


def _kinds(engine: Engine, folder: Path) -> dict[str, str]:
    """Of which type the ids of events, users and items are, by the manifest; written at the first export."""
    database = _identity(engine)
    manifest = folder / MANIFEST
    if manifest.exists():
        try:
            known = json.loads(manifest.read_text(encoding="utf-8"))
            theirs, kinds = str(known["database"]), {what: str(known["ids"][what]) for what in _IDS}
        except (ValueError, KeyError, TypeError) as cause:
            raise OutputError(f"{shown_path(manifest)}: is damaged ({cause}); name another folder") from cause
        if theirs != database:
            raise OutputError(
                f"{shown_path(folder)}: holds the events of another database; name another folder"
            )
        return kinds
    others = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
    if others:
        raise OutputError(f"{shown_path(folder)}: holds {others[0]} already; name an empty or a new folder")
    kinds = {what: _kind(engine, what) for what in _IDS}
    write_json(manifest, {"database": database, "ids": kinds})
    return kinds


def _identity(engine: Engine) -> str:
    with reading(engine) as connection:
        return str(connection.scalar(select(tables.state.c.database)))


def _kind(engine: Engine, what: str) -> str:
    """integer, text or mixed."""
    column = tables.events.c[what]
    with reading(engine) as connection:
        numbers = connection.scalar(select(column).where(column < "t").limit(1)) is not None
        texts = connection.scalar(select(column).where(column >= "t").limit(1)) is not None
    return "mixed" if numbers and texts else "integer" if numbers else "text"


def _last_exported(folder: Path) -> int:
    found = [_FILE.fullmatch(file.name) for file in folder.iterdir()]
    return max((int(each[2]) for each in found if each), default=0)


def _last_number(engine: Engine) -> int:
    """The last number up to which every event is there: none that is being written will come before it."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({tables.NUMBERS_LOCK})")
        return int(connection.scalar(select(func.max(tables.events.c.number))) or 0)


def _write_file(
    engine: Engine, folder: Path, kinds: dict[str, str], span: tuple[int, int, int]
) -> tuple[int, int]:
    """One file, span: the numbers (after, until] and the most rows. Returns its rows, and its last number."""
    after, until, most = span
    table = tables.events
    numbers = select(table.c.number).where(table.c.number > after, table.c.number <= until)
    with reading(engine) as connection:
        beyond = connection.scalar(numbers.order_by(table.c.number).offset(most - 1).limit(1))
    end = until if beyond is None else int(beyond)
    written = 0

    def fill(file: Path) -> None:
        nonlocal written
        with pq.ParquetWriter(file, _schema(kinds), compression="zstd") as writer:
            for rows in _pages(engine, after, end):
                writer.write_table(_table(rows, kinds))
                written += len(rows)

    write_atomically(folder / f"events-{after:018}-{end:018}.parquet", fill)
    return written, end


def _pages(engine: Engine, after: int, end: int) -> Iterator[Sequence[Any]]:
    table = tables.events
    while after < end:
        page = select(table).where(table.c.number > after, table.c.number <= end)
        with reading(engine) as connection:
            rows = connection.execute(page.order_by(table.c.number).limit(_PAGE)).all()
        if not rows:
            return
        after = rows[-1].number
        yield rows


def _schema(kinds: dict[str, str]) -> Any:
    ids = [(f"{what}_id", pa.int64() if kinds[what] == "integer" else pa.string()) for what in _IDS]
    flags = [(f"{what}_is_number", pa.bool_()) for what in _IDS if kinds[what] == "mixed"]
    time = pa.timestamp("us", "UTC")
    others = [("type", pa.string()), ("timestamp", time), ("received", time), ("value", pa.float64())]
    return pa.schema([*ids, *flags, *others, ("late", pa.bool_()), ("future", pa.bool_())])


def _table(rows: Sequence[Any], kinds: dict[str, str]) -> Any:
    columns: dict[str, list[Any]] = {}
    for what in _IDS:
        given = [given_id(getattr(row, what)) for row in rows]
        if kinds[what] == "mixed":
            columns[f"{what}_is_number"] = [isinstance(each, int) for each in given]
        _check_kind(what, given, kinds[what])
        columns[f"{what}_id"] = given if kinds[what] == "integer" else [str(each) for each in given]
    for name, column in (("type", "type"), ("timestamp", "time"), ("received", "received")):
        columns[name] = [getattr(row, column) for row in rows]
    for name in ("value", "late", "future"):
        columns[name] = [getattr(row, name) for row in rows]
    return pa.table(columns, schema=_schema(kinds))


def _check_kind(what: str, given: Sequence[int | str], kind: str) -> None:
    """Raise OutputError where an id is not of the type of the folder's."""
    wanted = {"integer": int, "text": str}.get(kind)
    other = next((each for each in given if wanted is not None and not isinstance(each, wanted)), None)
    if other is None and kind == "integer":
        other = next((each for each in given if not -(2**63) <= int(each) < 2**63), None)
    if other is not None:
        raise OutputError(
            f"{what}_id {other!r} is no {kind}, as all were at the first export to this folder; "
            "export to a new folder"
        )
