"""The events of a log as one narrow table: users by number, types by code, days of the experiment."""

from dataclasses import dataclass

from isotherm.errors import EventLogError, shown_path
from isotherm.experiment.log.cold import places
from isotherm.experiment.log.columns import Reader, quoted
from isotherm.experiment.log.repeats import hashed
from isotherm.experiment.log.rules import Rules
from isotherm.experiment.log.window import DAY, LATEST, SECOND, TOO_LATE, Window

TYPES = ("impression", "click", "watch", "conversion")
IMPRESSION, CLICK, WATCH, CONVERSION, LISTED, OTHER = range(6)  #: codes of types
BEFORE, TOO_EARLY, AFTER_END = -1, -2, -3  #: days of events that are on no day of the experiment
MOST_VALUE = 1e9  #: seconds of a watch event
_NULL = " where there must be one; drop or fill such rows"
#: condition -> (column, what to tell)
_FAULTS = {
    "event_id IS NULL": ("event_id", _NULL),
    "user_id IS NULL": ("user_id", _NULL),
    "item_id IS NULL": ("item_id", _NULL),
    "type IS NULL": ("type", _NULL),
    "timestamp IS NULL": ("timestamp", _NULL),
}
#: Parquet's least and greatest value leave NaN out, so it passes for in range unless asked for by its name
_VALUE_FAULT = (
    f"NOT coalesce(isfinite(value::DOUBLE) AND value >= 0 AND value <= {MOST_VALUE:.0f}, true)",
    ("value", f" is no number from 0 to {MOST_VALUE:g}; mend or drop such rows"),
)


@dataclass(frozen=True)
class Columns:
    """The expressions of SQL that make one row of the table."""

    reader: Reader
    window: Window
    rules: Rules
    first_day: int  #: microseconds: the midnight (UTC) before the experiment's start
    from_lists: bool  #: whether impressions are the items of lists

    def day(self, time: str) -> str:
        """The day of a time, for a row joined with its user."""
        _, end = self.window.span
        before = self.rules.before_days
        early = "" if before is None else f"WHEN {time} < a.first - {before * DAY} THEN {TOO_EARLY} "
        return (
            f"(CASE WHEN a.u IS NULL THEN NULL WHEN {time} >= {end} THEN {AFTER_END} "
            f"WHEN {time} >= a.first THEN ({time} - {self.first_day}) // {DAY} {early}"
            f"ELSE {BEFORE} END)::INTEGER"
        )

    @property
    def day_of_exposure(self) -> str:
        """The day of the first exposure of a user of assigned."""
        return f"((first - {self.first_day}) // {DAY})"

    @property
    def type(self) -> str:
        """The code of an event's type."""
        shown = OTHER if self.from_lists else IMPRESSION
        cases = " ".join(f"WHEN '{name}' THEN {code}" for code, name in enumerate(TYPES) if code)
        return f"(CASE type WHEN 'impression' THEN {shown} {cases} ELSE {OTHER} END)::TINYINT"


def make_events(columns: Columns) -> None:
    """Make the table events, and distinct_events, which leaves out what was repeated.

    u: of the user in assigned, null for users without exposure.  item.  type: a code.  time, received:
    microseconds; a time in the future is that of receipt.  late, future: whether it was.  micros: of a
    watch, microseconds.  day: of the experiment, or BEFORE, TOO_EARLY, AFTER_END.  cold.  id: of events that
    may be repeated, else null.
    Raises EventLogError that names file, column and row of what cannot be used.
    """
    _read(columns)
    if columns.from_lists:
        _read_lists(columns)
    # of repeated events the one received first stays; then whatever else differs decides, so that the order
    # of files and rows never does
    columns.reader.run(
        "CREATE TABLE kept AS SELECT * EXCLUDE (place) FROM (SELECT *, row_number() OVER (PARTITION BY id "
        "ORDER BY received, time, type, u NULLS LAST, item, micros NULLS LAST, cold, late, future) AS place "
        "FROM events WHERE id IS NOT NULL) WHERE place = 1"
    )
    columns.reader.run(
        "CREATE VIEW distinct_events AS SELECT * FROM events WHERE id IS NULL UNION ALL SELECT * FROM kept"
    )


def _read(columns: Columns) -> None:
    reader, table = columns.reader, columns.reader.log.events
    faults = dict(_FAULTS)
    value = "value::DOUBLE" if table.holds("value") else "NULL::DOUBLE"
    in_range = f"isfinite({value}) AND {value} <= {MOST_VALUE:.0f}"  # nothing else can be cast
    if table.holds("value"):
        faults[_VALUE_FAULT[0]] = _VALUE_FAULT[1]
    given, received = reader.time(table), reader.time(table, "received")
    faults[f"least({given}, {received}) > {LATEST}"] = ("timestamp", TOO_LATE)
    cases = " ".join(f"WHEN {condition} THEN {place}" for place, condition in enumerate(faults))
    ahead = round(columns.rules.future_seconds * SECOND)
    late = round(columns.rules.late_hours * 3600 * SECOND)
    cold = "coalesce(e.cold, false)" if table.kinds.get("cold") == "flag" else _COLD_BY_LISTS
    read = f"""CREATE TABLE events AS SELECT a.u, e.item, e.type,
        CASE WHEN e.given - e.received > {ahead} THEN e.received ELSE e.given END AS time, e.received,
        e.received - e.given > {late} AS late, e.given - e.received > {ahead} AS future, e.micros,
        {columns.day("time")} AS day, {cold} AS cold,
        CASE WHEN s.h IS NOT NULL THEN e.id END AS id, e.fault
        FROM (SELECT {reader.id("event", table, "event_id")} AS id, {hashed(reader)} AS h,
            {reader.id("user", table, "user_id")} AS user_id, {reader.id("item", table, "item_id")} AS item,
            {columns.type} AS type, {given} AS given, coalesce({received}, {given}) AS received,
            CASE WHEN type = 'watch' AND {in_range} THEN round({value} * 1e6)::BIGINT END AS micros,
            {"cold, " if table.kinds.get("cold") == "flag" else ""}
            (CASE {cases} ELSE -1 END)::TINYINT AS fault FROM {{table}}) AS e
        LEFT JOIN assigned AS a USING (user_id) LEFT JOIN suspects AS s ON s.h = e.h
        LEFT JOIN cold_items AS c ON c.arm = a.arm AND c.item = e.item"""
    reader.run(reader.of_files(table, read))
    (fault,) = reader.row("SELECT coalesce(max(fault), -1) FROM events")
    if fault >= 0:
        condition = list(faults)[fault]
        reader.refuse(table, condition, *faults[condition])
    reader.run("ALTER TABLE events DROP COLUMN fault")


_COLD_BY_LISTS = "(e.type = 0 AND c.item IS NOT NULL AND (c.warm_from IS NULL OR time < c.warm_from))"


def _read_lists(columns: Columns) -> None:
    """Add an impression for each item of each list of a user; of lists of one request the first counts."""
    reader = columns.reader
    table = reader.log.exposures
    if table is None:
        raise EventLogError(
            f"{shown_path(reader.log.events.files[0])}: there are neither impressions nor lists; "
            "give the exposures of the log"
        )
    request = reader.id("request", table, "request_id")
    listed = places(reader, table, f"{request} AS request_id, user_id, timestamp")
    first = (
        f"(SELECT * FROM {{table}} WHERE user_id IS NOT NULL "
        f"QUALIFY row_number() OVER (PARTITION BY {request} ORDER BY timestamp) = 1)"
    )
    time = reader.time(table)
    read = f"""INSERT INTO events SELECT a.u, l.item, {LISTED}, {time}, {time}, false, false, NULL,
        {columns.day(time)}, l.cold, NULL FROM {listed.replace("{table}", first)} AS l
        JOIN assigned AS a ON a.user_id = {reader.id("user", table, "user_id", "l.user_id")}"""
    reader.run(reader.of_files(table, read))


def has_impressions(reader: Reader) -> bool:
    """Whether any event is an impression."""
    table = reader.log.events
    return bool(reader.row(reader.of_files(table, "SELECT 1 FROM {table} WHERE type = 'impression' LIMIT 1")))


def check_types(reader: Reader) -> None:
    """Raise EventLogError where there are events, but none of a known type."""
    (strange,) = reader.row(
        f"SELECT coalesce(bool_and(type = {OTHER}), false) FROM events WHERE type <> {LISTED}"
    )
    if not strange:
        return
    table, known = reader.log.events, (*TYPES, "dislike")
    among = ", ".join(quoted(name) for name in known)
    if not reader.row(reader.of_files(table, f"SELECT 1 FROM {{table}} WHERE type IN ({among}) LIMIT 1")):
        raise EventLogError(
            f"{shown_path(table.files[0])}: column 'type' holds none of {', '.join(known)}; "
            "write one of them in each row"
        )
