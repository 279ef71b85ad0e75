"""The columns of a click log: which there are, whether their values can be used, and all files as one log."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import polars as pl

from isotherm.data.reading.place import PlacedColumn
from isotherm.data.reading.tables import Table, ids_of
from isotherm.data.reading.times import check_one_way, joined_times, read_times
from isotherm.errors import InteractionsError, ParameterError, brief

BEYOND_FLOAT32 = "is beyond what a weight can be (1e-45 to 3.4e38); divide all weights by one number"
_OPTIONAL = ("rating", "timestamp", "weight")
#: what a served site's events say; a column ``type`` of nothing else makes a log one of events
EVENT_TYPES = ("click", "impression", "watch", "conversion", "dislike")
_TYPE = "type"


@dataclass(frozen=True)
class Columns:
    """Names of a click log's columns. Raises ParameterError where one name is given to two of them.

    A column that is named must be there; rating and weight may be one column. rating, timestamp, weight: None
    for a column of just that name where the log has one.

    >>> import polars as pl
    >>> from isotherm import Columns, Interactions
    >>> log = pl.DataFrame({"who": ["ann", "bob"], "what": [7, 8], "hours": [1.5, 3.0]})
    >>> clicks = Interactions.from_frame(log, columns=Columns(user="who", item="what", weight="hours"))
    >>> clicks.matrix.data
    array([1.5, 3. ], dtype=float32)
    """

    user: str = "user_id"
    item: str = "item_id"
    rating: str | None = None
    timestamp: str | None = None
    weight: str | None = None

    def __post_init__(self) -> None:
        role_of: dict[str, str] = {}
        for role in (each.name for each in fields(self)):
            name = getattr(self, role)
            if name is None:
                continue
            if not isinstance(name, str):
                raise ParameterError(f"Columns({role}=…) takes a column's name, not {brief(name)}")
            other = role_of.setdefault(name, role)
            if other != role and (other, role) != ("rating", "weight"):
                raise ParameterError(
                    f"column {brief(name)} is named as both {other} and {role}; name a column for each "
                    f"(--{other}-column, --{role}-column)"
                )

    def wanted(self) -> set[str]:
        """All names that a log may be read by."""
        return {self.user, self.item, _TYPE, *(self.name(role) for role in _OPTIONAL)} - {""}

    def name(self, role: str) -> str:
        """The name of the column of this role; empty where its usual name is given to another role."""
        named = getattr(self, role)
        if named is not None:
            return str(named)
        return "" if role in (getattr(self, each.name) for each in fields(self)) else role


@dataclass(frozen=True)
class Log:
    """The rows of a log: user, item and, where there are such columns, rating, timestamp, weight.

    untimed: why the log has no times although it has a column of that name; else empty.
    other_events: rows that were left out of a log of events.
    """

    rows: pl.DataFrame
    untimed: str = ""
    other_events: int = 0


def read_log(tables: Sequence[Table], columns: Columns, min_rating: float | None) -> Log:
    """All tables as one log. Raises InteractionsError that names the file, the column and the row.

    Only what is asked for must be usable: ratings where they are named or ``min_rating`` needs them, times
    where they are named. Times that nobody named and that cannot be read are left out. Of a log of events
    (``EVENT_TYPES``) the clicks count, without those that the same user disliked later.
    """
    columns_of: dict[str, pl.Series] = {}
    for role in ("user", "item"):
        name = columns.name(role)
        columns_of[role] = ids_of(tables, name, _cure(role))
    if (min_rating is not None or columns.rating is not None) and _present(tables, columns, "rating", True):
        columns_of["rating"] = pl.concat([_numbers(table, columns.name("rating")) for table in tables])
    if _present(tables, columns, "weight", columns.weight is not None):
        columns_of["weight"] = pl.concat([_weights(table, columns.name("weight")) for table in tables])
    times, untimed = _times(tables, columns)
    if times is not None:
        columns_of["timestamp"] = times
    rows = pl.DataFrame(columns_of)
    types = _event_types(tables, columns)
    if types is None:
        return Log(rows, untimed)
    clicks = _clicks(rows.with_columns(types.alias(_TYPE)))
    return Log(clicks, untimed, rows.height - clicks.height)


def _event_types(tables: Sequence[Table], columns: Columns) -> pl.Series | None:
    """The type of each row; None where the log is none of events."""
    roles = {columns.name(role) for role in ("user", "item", *_OPTIONAL)}
    if _TYPE in roles or not all(_TYPE in table.columns for table in tables):
        return None
    given = [table.frame[_TYPE] for table in tables]
    if any(each.dtype not in (pl.String, pl.Categorical, pl.Enum) for each in given):
        return None
    types = pl.concat([each.cast(pl.String) for each in given])
    return types if types.len() and types.is_in(EVENT_TYPES).all(ignore_nulls=False) else None


def _clicks(events: pl.DataFrame) -> pl.DataFrame:
    """The clicks among events, in their order; of a pair whose last word is a dislike there are none."""
    pair = ["user", "item"]
    said = events.filter(pl.col(_TYPE).is_in(["click", "dislike"]))
    if "timestamp" in said.columns:
        said = said.sort("timestamp", maintain_order=True)
    last = said.group_by(pair).agg(pl.col(_TYPE).last())
    disliked = last.filter(pl.col(_TYPE) == "dislike").select(pair)
    clicks = events.filter(pl.col(_TYPE) == "click").drop(_TYPE)
    return clicks.join(disliked, on=pair, how="anti", maintain_order="left")


def _cure(role: str) -> str:
    return f"Name yours with Columns({role}=…) or --{role}-column"


def _present(tables: Sequence[Table], columns: Columns, role: str, needed: bool) -> bool:
    """Whether the tables have the column of this role. Raises where one lacks it that needs it."""
    name = columns.name(role)
    has_it = [bool(name) and name in table.columns for table in tables]
    if all(has_it) or not (needed or any(has_it)):
        return all(has_it)
    without = tables[has_it.index(False)]
    cure = _cure(role)
    if any(has_it):
        cure = f"{tables[has_it.index(True)].place.file} has it; give it to all files or to none"
    raise without.place.missing(name or role, without.columns, cure)


def _values(table: Table, name: str) -> pl.Series:
    """A column of values; in CSV and TSV NA and null mean no value, too."""
    column = table.frame[name]
    return column.set(column.is_in(["NA", "null"]), None) if table.place.separator else column


def _numbers(table: Table, name: str) -> pl.Series:
    return table.place.numbers(_values(table, name))


def _weights(table: Table, name: str) -> pl.Series:
    """Weights above 0 that float32 holds."""
    numbers = _numbers(table, name)
    if (numbers <= 0).any():
        place = table.place.at(name, (numbers <= 0).arg_max())
        raise InteractionsError(f"{place}: a weight must be above 0; drop the rows that are no clicks")
    small = numbers.cast(pl.Float32)
    bad = ~small.is_finite() | (small == 0)
    if bad.any():
        raise InteractionsError(f"{table.place.value(numbers, bad)} {BEYOND_FLOAT32}")
    return numbers


def _times(tables: Sequence[Table], columns: Columns) -> tuple[pl.Series | None, str]:
    """The times, or None; and, where they are left out though there are some, why."""
    name, named = columns.name("timestamp"), columns.timestamp is not None
    try:
        if not _present(tables, columns, "timestamp", named):
            return None, ""
        columns_of = [
            PlacedColumn(table.place, read_times(_values(table, name), table.place)) for table in tables
        ]
    except InteractionsError as cause:
        if named:
            raise
        for table in tables:  # what is a time, but could be read in two ways, is never passed over
            if name in table.columns:
                check_one_way(table.frame[name], table.place)
        return None, str(cause)
    return joined_times(columns_of), ""
