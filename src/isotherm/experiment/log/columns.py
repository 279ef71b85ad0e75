"""How the columns of a log are read in SQL: ids of one kind, times in microseconds, whatever files hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isotherm.data.reading.times import UNITS, common_unit
from isotherm.errors import EventLogError, shown_path
from isotherm.experiment.log.sources import NUMBERED, EventLog, Table, escaped

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_IDS = {
    "event": ("event_id",),
    "user": ("user_id",),
    "item": ("item_id", "items"),
    "request": ("request_id",),
}


@dataclass(frozen=True)
class Reader:
    """Reads the tables of a log through one connection."""

    db: "DuckDBPyConnection"
    log: EventLog
    id_kinds: Mapping[str, str]  #: event, user, item, request -> integer, text or mixed
    units: Mapping[tuple[str, str], str]  #: (table, column) -> unit of times that are numbers

    @classmethod
    def of(cls, db: "DuckDBPyConnection", log: EventLog) -> "Reader":
        """Finds out how the log's ids and times are kept. Raises EventLogError where the unit is unclear."""
        kinds = {what: log.id_kind(*columns) for what, columns in _IDS.items()}
        units = {
            (table.name, column): _unit(db, table, column)
            for table in log.tables
            for column in ("timestamp", "received")
            if table.kinds.get(column) == "integer"
        }
        return cls(db, log, kinds, units)

    def id(self, what: str, table: Table, column: str, value: str = "") -> str:
        """An id as BIGINT where all ids of its kind are integers, else as VARCHAR.

        value: what it is in SQL, where that is not the column itself. Where ids 1 and "1" may both occur,
        they are n1 and t1.
        """
        kind, own, value = self.id_kinds[what], table.id_kind(column), value or column
        if kind != "mixed":
            return f"{value}::{'BIGINT' if kind == 'integer' else 'VARCHAR'}"
        if own == "mixed":
            flag = value.replace(column, column + NUMBERED, 1)
            return f"(CASE WHEN {flag} THEN 'n' ELSE 't' END || {value})"
        return f"('{'n' if own == 'integer' else 't'}' || {value})"

    def time(self, table: Table, column: str = "timestamp") -> str:
        """A time as microseconds since 1970; null of a column that is not there."""
        if not table.holds(column):
            return "NULL::BIGINT"
        unit = self.units.get((table.name, column))
        if unit is None:
            return f"epoch_us({column})"
        per_second = UNITS[unit]
        return (
            f"{column}::BIGINT * {10**6 // per_second}"
            if per_second <= 10**6
            else f"{column}::BIGINT // 1000"
        )

    def of_files(self, table: Table, query: str) -> str:
        """A query in which ``{table}`` stands for the files of a table."""
        known = ", ".join(table.kinds)  # a column of another name is never mistaken for one of ours
        # not str.format: names of experiments and arms may hold braces, too (see ``quoted``)
        return query.replace("{table}", f"(SELECT {known} FROM {source(table)})")

    def run(self, statement: str) -> None:
        """Execute what has no answer."""
        self.db.execute(statement)

    def row(self, query: str) -> tuple[Any, ...]:
        """The first row of an answer; empty where there is none."""
        rows = self.db.execute(query).fetchall()  # all of them: an answer half read would stand in the way
        return tuple(rows[0]) if rows else ()

    def refuse_rows(self, table: Table, faults: Mapping[str, tuple[str, str]]) -> None:
        """Raise EventLogError that names the first row with a fault: condition -> (column, what to tell)."""
        counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in faults)
        found = self.row(self.of_files(table, f"SELECT {counts} FROM {{table}}"))
        for (condition, (column, words)), n in zip(faults.items(), found, strict=True):
            if n:
                self.refuse(table, condition, column, words)

    def refuse(self, table: Table, condition: str, column: str, words: str) -> None:
        """Raise EventLogError that names the first row of ``condition``."""
        options = "filename = true, file_row_number = true"
        where = f"SELECT filename, file_row_number, {column} FROM {source(table, options)} WHERE {condition}"
        file, row, value = self.row(f"{where} ORDER BY 1, 2 LIMIT 1")
        told = "no value (null)" if value is None else repr(value)
        raise EventLogError(f"{shown_path(file)}: column {column!r}, row {row + 1}: {told}{words}")


def source(table: Table, options: str = "") -> str:
    """The files of a table in SQL."""
    listed = ", ".join(quoted(name) for name in escaped(table.files))
    told = ["hive_partitioning = false", options, "" if table.alike else "union_by_name = true"]
    return f"read_parquet([{listed}], {', '.join(filter(None, told))})"


def quoted(text: str) -> str:
    """A text in SQL, in which no {table} stands: ``of_files`` would take it for one of its own."""
    return "'" + text.replace("'", "''").replace("{table}", "{' || 'table}") + "'"


def _unit(db: "DuckDBPyConnection", table: Table, column: str) -> str:
    least, most = db.execute(f"SELECT min({column}), max({column}) FROM {source(table)}").fetchall()[0]
    if least is None:
        return "microseconds"
    unit = common_unit(least, most)
    if unit is None:
        raise EventLogError(
            f"{shown_path(table.files[0])}: column {column!r} of {table.name} holds numbers from {least} to "
            f"{most}, which are not all seconds, or all milliseconds or microseconds, since 1970; "
            "write timestamps"
        )
    return unit
