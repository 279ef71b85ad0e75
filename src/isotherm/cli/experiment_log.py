"""Where the event log of an experiment is: files, or a serving database that is exported first."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from isotherm.cli import options as o
from isotherm.errors import EventLogError, ParameterError, shown_path

_CURE = {
    "events": "send what users do to POST /v1/events",
    "assignments": "serve with --experiment PLAN, and ask for lists of users",
}


@dataclass(frozen=True)
class DatabaseLog:
    """A log in a serving database."""

    db: o.DatabaseURL = None
    db_file: o.DatabaseFile = None
    keep: Annotated[
        Path | None,
        typer.Option(
            help="With --db: folder to export to, and to keep; the next time it goes on from there."
        ),
    ] = None

    @property
    def given(self) -> bool:
        """Whether an option names a database."""
        return self.db is not None or self.db_file is not None

    def check(self, option: str, files: Path | None) -> None:
        """Raise ParameterError where both a log in files, by this option, and a database are given."""
        if files is None:
            return
        if self.given:
            other = "--db" if self.db is not None else "--db-file"
            raise ParameterError(f"{option} and {other}: there are both; give one of them")
        if self.keep is not None:
            raise ParameterError(f"--keep goes with --db; {option} names files that are kept already")

    @contextmanager
    def exported(self, quiet: bool, *needed: str) -> Iterator[Path]:
        """The folder of the exported tables; a temporary one is removed at the end, whatever happens.

        needed: tables without which nothing can be told. Raises EventLogError where the database has no row
        of one, and what opening and exporting raise.
        """
        url = o.database_url(self.db, self.db_file)
        with _folder(self.keep) as folder:
            _export(url, folder)
            for name in needed:
                if not any(folder.rglob(f"{name}-*.parquet")):
                    raise EventLogError(f"--db: the database holds no {name} yet; {_CURE[name]}")
            if self.keep is not None:
                o.note(f"exported to {shown_path(folder)}", quiet)
            yield folder


def _export(url: str, folder: Path) -> None:
    from isotherm.serving.database import Database

    with Database.open(url, create=False) as database:
        database.export_events(folder)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """The folder that is kept, or a new one that is not."""
    if kept is not None:
        yield kept
        return
    folder = Path(tempfile.mkdtemp(prefix="isotherm-exported-"))
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        except KeyboardInterrupt:  # Ctrl-C comes once more where a library may have swallowed it
            shutil.rmtree(folder, ignore_errors=True)
            raise
