"""The reads that come before every answer: on connections that are kept, by statements that are made once."""

import json
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any

from sqlalchemy import BigInteger, Dialect, Engine, ScalarSelect, Text, bindparam, cast, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.elements import ClauseElement

from isotherm.errors import SilentDatabaseError
from isotherm.serving.database import tables
from isotherm.serving.database.connections import answering, check_place, place_of, refusal

_CONNECTIONS = 8  # of one process; who comes when all are in use waits


def _latest(kind: str, array: Any) -> ScalarSelect[Any]:
    """The latest items of one kind of a user, as a JSON array: one read of an index, and one row."""
    table = tables.histories
    latest = (
        select(table.c.item)
        .where(table.c.user == bindparam("user"), table.c.type == kind)
        .order_by(table.c.time.desc(), table.c.number.desc())
        .limit(bindparam("most", type_=BigInteger))
        .subquery()
    )
    return select(array(latest.c.item)).scalar_subquery()


@dataclass(frozen=True)
class _Statement:
    """A statement as the database's driver takes it.  places: names of its values where they have none."""

    text: str
    values: Mapping[str, Any]
    places: tuple[str, ...] | None

    @classmethod
    def of(cls, made: ClauseElement, dialect: Dialect) -> "_Statement":
        compiled: Any = made.compile(dialect=dialect)
        places = None if compiled.positiontup is None else tuple(compiled.positiontup)
        return cls(str(compiled), dict(compiled.params), places)

    def with_values(self, given: Mapping[str, Any]) -> Any:
        values = {**self.values, **given}
        return values if self.places is None else [values[name] for name in self.places]


class QuickReads:
    """Reads of one statement each, without a transaction around it.

    seconds: how long one may wait for a connection; None for any time.
    answered: when the last one was answered, of the monotonic clock.
    """

    def __init__(self, engine: Engine, seconds: float | None = None) -> None:
        self._engine, self._seconds = engine, seconds
        self._answering = answering(engine)
        self.answered = time.monotonic()
        self._free: deque[Any] = deque()
        self._slots = BoundedSemaphore(_CONNECTIONS)
        self._is_closed = False
        version = tables.state.c.version
        array = func.json_group_array if engine.dialect.name == "sqlite" else func.json_agg
        last_words = select(version, *(cast(_latest(kind, array), Text) for kind in ("click", "dislike")))
        kept = tables.assignments.c
        of_user = select(kept.experiment, kept.arm, kept.reason).where(kept.user == bindparam("user"))
        self._arms = _Statement.of(of_user, engine.dialect)
        self._version = _Statement.of(select(version), engine.dialect)
        self._last_words = _Statement.of(last_words, engine.dialect)

    def version(self) -> int:
        """Number of the last change of an item or of the model."""
        return int(self._rows(self._version, {})[0][0])

    def last_words(self, user: str, most: int) -> tuple[int, list[str], list[str]]:
        """That number, and the items that a user clicked last and disliked last, the newest first."""
        version, clicks, dislikes = self._rows(self._last_words, {"user": user, "most": most})[0]
        return int(version), json.loads(clicks or "[]"), json.loads(dislikes or "[]")

    def arms(self, user: str) -> list[tuple[str, str, str]]:
        """Experiment, arm and reason of a user's first exposures."""
        return [
            (experiment, arm, reason) for experiment, arm, reason in self._rows(self._arms, {"user": user})
        ]

    def close(self) -> None:
        """Give back the connections; one that is in use goes when its read ends."""
        self._is_closed = True
        self._drop_free()

    def _rows(self, statement: _Statement, given: Mapping[str, Any]) -> list[Any]:
        """Of a statement."""
        check_place(self._engine)
        values = statement.with_values(given)
        if self._answering is None:
            rows = self._rows_once_free(statement, values)
        else:
            with self._answering.asked():
                rows = self._rows_once_free(statement, values)
        self.answered = time.monotonic()
        return rows

    def _rows_once_free(self, statement: _Statement, values: Any) -> list[Any]:
        """A kept connection may have gone while nobody looked: then a new one is tried."""
        if not self._slots.acquire(timeout=self._seconds):
            place = place_of(self._engine)
            raise SilentDatabaseError(f"{place}: all connections wait for answers; see whether it hangs")
        try:
            try:
                kept = self._free.pop()
            except IndexError:
                kept = None
            if kept is not None:
                try:
                    return self._read(kept, statement, values)
                except self._driver_error as cause:
                    self._drop_free()
                    told = refusal(self._engine, cause)
                    if isinstance(told, SilentDatabaseError):
                        raise told from cause
            try:
                return self._read(self._connected(), statement, values)
            except self._driver_error as cause:
                raise refusal(self._engine, cause) from cause
        finally:
            self._slots.release()

    def _read(self, connection: Any, statement: _Statement, values: Any) -> list[Any]:
        try:
            rows: list[Any] = connection.execute(statement.text, values).fetchall()
        except BaseException:
            connection.close()
            raise
        self._free.append(connection)
        if self._is_closed:
            self._drop_free()
        return rows

    def _connected(self) -> Any:
        """A new connection of the driver's own, which no pool counts."""
        fairy = self._engine.raw_connection()
        connection: Any = fairy.driver_connection
        fairy.detach()
        if self._engine.dialect.name == "postgresql":
            connection.autocommit = True
        return connection

    def _drop_free(self) -> None:
        while self._free:
            try:
                self._free.pop().close()
            except IndexError:  # another thread took the last one
                return

    @property
    def _driver_error(self) -> tuple[type[BaseException], ...]:
        driver: Any = self._engine.dialect.dbapi
        return driver.Error, SQLAlchemyError
