"""Opening a database by its URL: SQLite as a file, PostgreSQL as a server; and what goes wrong, in words."""

import logging
import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from isotherm.errors import DatabaseError, SilentDatabaseError, shown_path
from isotherm.errors import one_line as shortened
from isotherm.files import check_file
from isotherm.serving.database.waiting import Answering, bounded_connection

_CACHE_KIB = 256  # of each connection of each thread; the system's cache of the file serves all
BUSY_SECONDS = 60.0  #: how long a write waits for others
_FORMS = "sqlite:///FILE or postgresql://USER@HOST/NAME"
_BUSY = ("database is locked", "database table is locked", "lock timeout")
_PATIENT_SECONDS = 30.0  # for a server of PostgreSQL that is gone, where nobody waits for an answer
_SLOW = ("statement timeout", "no answer within", "timeout expired", "QueuePool limit")
_FULL = ("disk is full", "no space left")
_QUIET = logging.NullHandler()


def opened(url: str, create: bool = True, seconds: float | None = None) -> Engine:
    """Connections to the database at ``url``.  create: whether a SQLite file is made where it is absent.

    seconds: how long PostgreSQL may take to answer; None for any time.
    Raises DatabaseError where the URL is none of SQLite's or PostgreSQL's, or the place cannot be used.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed, create)
    return _postgresql(parsed, seconds)


def shown(url: str) -> str:
    """A URL for a message: without its password."""
    try:
        return _masked(make_url(url))
    except (ArgumentError, ValueError, TypeError):
        return "the URL"  # it may hold a password anywhere


def holds_password(url: str) -> bool:
    """Whether a URL holds one, as its user's or among its options."""
    try:
        return bool(_secrets(make_url(url)))
    except (ArgumentError, ValueError, TypeError):
        return False


def _masked(url: URL) -> str:
    masked = {name: "***" if _is_secret(name) else value for name, value in url.query.items()}
    return url.set(query=masked).render_as_string(hide_password=True)


def _secrets(url: URL) -> list[str]:
    """What of a URL nobody is told."""
    options = [value for name, value in url.query.items() if _is_secret(name)]
    flat = [each for value in options for each in ([value] if isinstance(value, str) else value)]
    return [each for each in [str(url.password or ""), *flat] if each]


def _is_secret(name: str) -> bool:
    return any(sign in name.lower() for sign in ("pass", "key", "secret", "token"))


def place_of(engine: Engine) -> str:
    """A database for a message."""
    return f"--db {_masked(engine.url)}"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError, TypeError) as cause:
        raise DatabaseError(f"--db: this is no URL of a database; give {_FORMS}") from cause
    kind = parsed.get_backend_name()
    if kind == "postgres":
        parsed, kind = parsed.set(drivername="postgresql"), "postgresql"
    if kind not in ("sqlite", "postgresql"):
        raise DatabaseError(f"--db {shown(url)}: {kind} is not among the databases; give {_FORMS}")
    if kind == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.query:
        raise DatabaseError(f"--db {shown(url)}: options after «?» are not for SQLite; leave them out")
    if parsed.host or not parsed.database or parsed.database == ":memory:":
        raise DatabaseError(
            f"--db {shown(url)}: SQLite needs a file, as in sqlite:///live.db or sqlite:////var/lib/live.db"
        )
    return parsed.set(drivername="sqlite+pysqlite")


def _sqlite(url: URL, create: bool) -> Engine:
    file = Path(str(url.database))
    check_file(file)
    if not file.parent.is_dir():
        raise DatabaseError(f"--db {shown_path(file)}: its folder does not exist; make it first")
    if not create and not file.exists():
        raise DatabaseError(
            f"--db {shown_path(file)}: there is no database; name the one that the server uses"
        )
    # The file is named in full: a later change of the working folder must not open another.
    engine = create_engine(
        url.set(database=os.path.realpath(file)), connect_args={"timeout": BUSY_SECONDS}, pool_size=16
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    kept = _FILES[engine] = _File(os.path.realpath(file))
    event.listen(engine, "connect", kept.note)
    return engine


class _File:
    """The file of a SQLite database. Removed, or with another in its place, it still takes writes, which are
    gone once its connections close: so nothing is acknowledged any more."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._known: tuple[int, int] | None = None

    def note(self, *_: Any) -> None:
        """There is a connection to it."""
        self._known = self._known or self._now()

    def check(self) -> None:
        """Raises DatabaseError where it is no longer what the first connection was to."""
        if self._known is not None and self._now() != self._known:
            raise DatabaseError(
                f"--db {shown_path(self._path)}: was removed or replaced while in use; restart the "
                "server on the right one"
            )

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


_FILES: WeakKeyDictionary[Engine, _File] = WeakKeyDictionary()


def check_place(engine: Engine) -> None:
    """Raises DatabaseError where the file of a SQLite database is not the one that was opened."""
    file = _FILES.get(engine)
    if file is not None:
        file.check()


def _prepare_sqlite(connection: Any, _: Any) -> None:
    """What SQLite forgets with each connection. Transactions begin where we say, not where Python guesses."""
    connection.isolation_level = None
    connection.execute(
        "PRAGMA synchronous = FULL"
    )  # an acknowledged write is on disk, not only in the log's memory
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    _write_ahead(connection)


def _write_ahead(connection: Any) -> None:
    """Readers and the writer do not wait for each other. The switch itself waits for nobody: we do."""
    until = time.monotonic() + BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except Exception as cause:
            if not _is_busy(cause) or time.monotonic() > until:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    """A transaction that will write takes the lock first: one that takes it later may be refused."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL, seconds: float | None) -> Engine:
    patience = seconds or _PATIENT_SECONDS
    waits = {"connect_timeout": max(2, math.ceil(patience / 3 if seconds is None else seconds))}
    waits["tcp_user_timeout"] = round(1000 * patience)
    try:
        engine = create_engine(
            url,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            pool_timeout=patience,
            connect_args=waits,
        )
    except ImportError as cause:
        from isotherm.errors import MissingPackageError

        raise MissingPackageError("PostgreSQL needs psycopg: pip install 'isotherm[serve]'") from cause
    # what psycopg warns of on the way out is raised, too: stderr gets it only where logging is set up
    logging.getLogger("psycopg").addHandler(_QUIET)
    event.listen(engine, "connect", _prepare_postgresql)
    if seconds is not None:
        _bound(engine, seconds)
    return engine


def _bound(engine: Engine, seconds: float) -> None:
    """Let connections wait for an answer no longer than this."""
    kind, milliseconds = bounded_connection(seconds), max(1, round(1000 * seconds))

    def connect(_: Any, __: Any, words: Any, named: Any) -> Any:
        return kind.connect(*words, **named)

    def limit(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION statement_timeout = {milliseconds}")
        connection.commit()

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", limit)
    what = place_of(engine)
    _ANSWERING[engine] = Answering(what), Answering(what)


#: of the engines that wait for so long and no longer: whether reads of one row are answered, and whether
#: transactions are, which a lock on a table may hold
_ANSWERING: WeakKeyDictionary[Engine, tuple[Answering, Answering]] = WeakKeyDictionary()


def answering(engine: Engine) -> Answering | None:
    """Whether reads of one row are answered; None where one waits as long as it takes."""
    return _ANSWERING[engine][0] if engine in _ANSWERING else None


@contextmanager
def _in_time(engine: Engine) -> Iterator[None]:
    """A transaction: refused at once where the last ones were not answered in time."""
    if engine not in _ANSWERING:
        yield
        return
    reads, transactions = _ANSWERING[engine]
    reads.check()
    with transactions.asked():
        yield


def _prepare_postgresql(connection: Any, _: Any) -> None:
    """An acknowledged write is on disk, whatever the server's default."""
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION synchronous_commit = on")
    connection.commit()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads."""
    with _in_time(engine), told(engine), engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: on disk when this ends, or not at all."""
    check_place(engine)
    with _in_time(engine), told(engine), engine.connect() as opened:
        connection = opened.execution_options(writes=True)
        with connection.begin():
            yield connection


@contextmanager
def told(engine: Engine) -> Iterator[None]:
    """What the database refuses, as a DatabaseError with the cure."""
    try:
        yield
    except SQLAlchemyError as cause:
        raise refusal(engine, cause) from cause


def refusal(engine: Engine, cause: BaseException) -> DatabaseError:
    """What SQLAlchemy or the driver refused, in words."""
    place = place_of(engine)
    origin = cause.orig if isinstance(cause, DBAPIError) and cause.orig is not None else cause
    words = str(origin)
    for secret in _secrets(engine.url):
        words = words.replace(secret, "***")
    words = shortened(words, 300)
    if any(sign in words for sign in _SLOW):
        return SilentDatabaseError(
            f"{place}: does not answer in time ({words}); see whether it hangs, and what holds locks"
        )
    if _is_busy(origin):
        return DatabaseError(
            f"{place}: is busy for more than {BUSY_SECONDS:g} s; try again, write less at once"
        )
    if any(sign in words.lower() for sign in _FULL):
        return DatabaseError(f"{place}: the disk is full ({words}); free some space")
    if "file is not a database" in words or "malformed" in words:
        return DatabaseError(f"{place}: is no database, or a damaged one ({words}); restore a backup")
    if engine.dialect.name == "postgresql" and "connect" in words.lower():
        return DatabaseError(f"{place}: the server cannot be reached ({words}); start it, or mend the URL")
    return DatabaseError(f"{place}: {words}; see whether it is reachable, whole and writable")


def _is_busy(cause: BaseException) -> bool:
    return any(sign in str(cause).lower() for sign in _BUSY)
