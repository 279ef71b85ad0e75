"""The tables of a log as Parquet files, for analysis: each file whole or not there, each row in one file.

Events are in the folder itself, and assignments, exposures and model_swaps each in one of its name below. The
name of a file tells which numbers of rows it covers: ``events-AFTER-LAST.parquet``. An export goes on after
the last of them: one that was cut off is started again, and one that is run every night adds what is new.
``events.json`` says of which database the files are.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import Engine, func, select

from isotherm.checks import whole
from isotherm.errors import OutputError, shown_path
from isotherm.files import Address, check_file, locked, write_atomically, write_json
from isotherm.serving.database import tables
from isotherm.serving.database.connections import reading, writing
from isotherm.serving.database.exported_rows import EVENTS, EXPORTED, ExportedTable, Kinds

MANIFEST = "events.json"
_PAGE = 50_000  # rows that are in memory at once
_IDS = ("event", "user", "item")


def export_tables(engine: Engine, folder: Address, rows_per_file: int) -> dict[str, int]:
    """Write the rows after the last exported ones to ``folder``, made where it is absent. Table -> how many.

    Columns of events: event_id, user_id, item_id (integers where all ids of the kind were integers at the
    first export that met one, else text), type, timestamp and received (UTC), value, late, future; those of
    assignments, exposures and model_swaps are in ``exported_rows``. Where the ids of a kind are of both
    types, KIND_is_number tells 1 from "1"; items of lists are text then. A table waits for a later
    export as long as no row tells the type of one of its ids, as where every list is empty.
    Raises OutputError where the folder is of another database, holds other files, or an id is no integer
    where those of the folder are.
    """
    whole("rows_per_file", rows_per_file, 1)
    folder = Path(folder)
    check_file(folder / MANIFEST)
    with locked(folder):
        kinds = _kinds(engine, folder)
        return {table.name: _export(engine, folder, table, kinds, rows_per_file) for table in EXPORTED}


def _export(engine: Engine, folder: Path, table: ExportedTable, kinds: Kinds, most: int) -> int:
    """One table, once all its kinds of ids are known. Returns how many rows of it."""
    if not kinds.keys() >= set(table.ids):
        return 0
    place = folder if table is EVENTS else folder / table.name
    last, until, written = _last_exported(place, table), _last_number(engine, table), 0
    while last < until:
        rows, last = _write_file(engine, (place, table, kinds), (last, until, most))
        written += rows
    return written


def _kinds(engine: Engine, folder: Path) -> Kinds:
    """Of which type the ids of events, users and items are, by the manifest; written at the first export.

    Those that no row holds yet are not in it: the next export that meets one tells its type.
    """
    database, manifest, known = _identity(engine), folder / MANIFEST, None
    if manifest.exists():
        theirs, known = _manifest(manifest)
        if theirs != database:
            raise OutputError(
                f"{shown_path(folder)}: holds the events of another database; name another folder"
            )
    else:
        others = sorted(file.name for file in folder.iterdir() if not file.name.startswith("."))
        if others:
            raise OutputError(
                f"{shown_path(folder)}: holds {others[0]} already; name an empty or a new folder"
            )
    kinds = dict(known or {})
    for what in _IDS:
        kind = kinds.get(what) or _kind(engine, what)
        if kind is not None:
            kinds[what] = kind
    if kinds != known:
        write_json(manifest, {"database": database, "ids": kinds})
    return kinds


def _manifest(file: Path) -> tuple[str, Kinds]:
    """Of which database an export is, and its types of ids, where they are known. Raises OutputError."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        return str(known["database"]), {what: str(kind) for what, kind in dict(known["ids"]).items()}
    except (ValueError, KeyError, TypeError) as cause:
        raise OutputError(f"{shown_path(file)}: is damaged ({cause}); name another folder") from cause


def _identity(engine: Engine) -> str:
    with reading(engine) as connection:
        return str(connection.scalar(select(tables.state.c.database)))


def _kind(engine: Engine, what: str) -> str | None:
    """integer, text or mixed; None where no row holds one."""
    columns = [tables.events.c[what]]
    if what == "user":
        columns += [tables.assignments.c.user, tables.exposures.c.user]
    numbers = texts = False
    with reading(engine) as connection:
        for column in columns:
            numbers |= connection.scalar(select(column).where(column < "t").limit(1)) is not None
            texts |= connection.scalar(select(column).where(column >= "t").limit(1)) is not None
        if what == "item" and not numbers and not texts:  # only lists say it, all of one model
            items = tables.exposures.c["items"]
            shown = connection.scalar(select(items).where(items != "[]").limit(1))
            numbers = shown is not None and all(each[0] == "n" for each in json.loads(shown))
            texts = shown is not None and not numbers
    return "mixed" if numbers and texts else "integer" if numbers else "text" if texts else None


def _last_exported(folder: Path, table: ExportedTable) -> int:
    name = re.compile(rf"{table.name}-(\d{{18}})-(\d{{18}})\.parquet")
    found = [name.fullmatch(file.name) for file in folder.iterdir()] if folder.is_dir() else []
    return max((int(each[2]) for each in found if each), default=0)


def _last_number(engine: Engine, table: ExportedTable) -> int:
    """The last number up to which every row is there: none that is being written will come before it."""
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({tables.NUMBERS_LOCK})")
        return int(connection.scalar(select(func.max(table.number))) or 0)


def _write_file(
    engine: Engine, what: tuple[Path, ExportedTable, Kinds], span: tuple[int, int, int]
) -> tuple[int, int]:
    """One file.  what: its folder, table, and kinds of ids.  span: the numbers (after, until], the most rows.
    Returns its rows, and its last number."""
    (folder, table, kinds), (after, until, most) = what, span
    numbers = select(table.number).where(table.number > after, table.number <= until)
    with reading(engine) as connection:
        beyond = connection.scalar(numbers.order_by(table.number).offset(most - 1).limit(1))
    end = until if beyond is None else int(beyond)
    written = 0

    def fill(file: Path) -> None:
        nonlocal written
        with pq.ParquetWriter(file, table.arrow([], kinds).schema, compression="zstd") as writer:
            for rows in _pages(engine, table, after, end):
                writer.write_table(table.arrow(rows, kinds))
                written += len(rows)

    write_atomically(folder / f"{table.name}-{after:018}-{end:018}.parquet", fill)
    return written, end


def _pages(engine: Engine, table: ExportedTable, after: int, end: int) -> Iterator[Sequence[Any]]:
    while after < end:
        source: Any = table.number.table
        page = select(source).where(table.number > after, table.number <= end)
        with reading(engine) as connection:
            rows = connection.execute(page.order_by(table.number).limit(_PAGE)).all()
        if not rows:
            return
        after = getattr(rows[-1], table.number.name)
        yield rows
