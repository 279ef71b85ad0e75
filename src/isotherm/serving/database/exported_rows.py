"""Rows of the database as Parquet has them: which columns, of which types."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlalchemy import Column

from isotherm.errors import OutputError
from isotherm.serving.database import tables
from isotherm.serving.database.exposures import chances_of
from isotherm.serving.database.stored_ids import Id, given_id

Kinds = Mapping[str, str]  #: of ids of events, users and items: integer, text or mixed
Columns = dict[str, tuple[Any, list[Any]]]  #: name -> Arrow type, values
_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class ExportedTable:
    """A table of which files are written.

    number: the column by which its rows are counted.  ids: the kinds of ids that its rows hold.
    columns: of some rows, those of the files.
    """

    name: str
    number: Column[Any]
    ids: tuple[str, ...]
    columns: Callable[[Sequence[Any], Kinds], Columns]

    def arrow(self, rows: Sequence[Any], kinds: Kinds) -> Any:
        """The rows of the files, as an Arrow table; none for the schema alone."""
        columns = self.columns(rows, kinds)
        schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()])
        return pa.table({name: values for name, (_, values) in columns.items()}, schema=schema)


def _events(rows: Sequence[Any], kinds: Kinds) -> Columns:
    """event_id, user_id, item_id, type, timestamp, received, value, late, future."""
    others = {
        "type": ("type", pa.string()), "timestamp": ("time", _TIME), "received": ("received", _TIME),
        "value": ("value", pa.float64()), "late": ("late", pa.bool_()), "future": ("future", pa.bool_()),
    }  # fmt: skip
    return _ids(rows, kinds, ("event", "user", "item")) | _as_kept(rows, others)


def _assignments(rows: Sequence[Any], kinds: Kinds) -> Columns:
    """experiment, arm, user_id, timestamp, reason, weights: a row for each user who was shown something."""
    others = {
        "experiment": ("experiment", pa.string()), "arm": ("arm", pa.string()), "timestamp": ("time", _TIME),
        "reason": ("reason", pa.string()), "weights": ("weights", pa.int64()),
    }  # fmt: skip
    return _ids(rows, kinds, ("user",)) | _as_kept(rows, others)


def _exposures(rows: Sequence[Any], kinds: Kinds) -> Columns:
    """request_id, user_id, experiment, arm, model, timestamp, items, cold, propensities, teams.

    A row for each list and experiment that its user was in; experiment and arm are null where he was in none.
    """
    each = [(row, chances_of(row)) for row in rows]
    nowhere: list[tuple[str | None, str | None]] = [(None, None)]
    lists = [(row, chances, arm) for row, chances in each for arm in list(chances.arms) or nowhere]
    item = _type(kinds["item"])
    return _ids([row for row, _, _ in lists], kinds, ("user",)) | {
        "request_id": (pa.string(), [row.request[1:] for row, _, _ in lists]),
        "experiment": (pa.string(), [experiment for _, _, (experiment, _) in lists]),
        "arm": (pa.string(), [arm for _, _, (_, arm) in lists]),
        "model": (pa.string(), [row.model for row, _, _ in lists]),
        "timestamp": (_TIME, [row.time for row, _, _ in lists]),
        "items": (pa.list_(item), [_items(row, kinds["item"]) for row, _, _ in lists]),
        "cold": (pa.list_(pa.int64()), [json.loads(row.cold) for row, _, _ in lists]),
        "propensities": (pa.list_(pa.float64()), [chances.propensities for _, chances, _ in lists]),
        "teams": (pa.list_(pa.int64()), [chances.teams for _, chances, _ in lists]),
    }


def _model_swaps(rows: Sequence[Any], _: Kinds) -> Columns:
    """timestamp, experiment, arm, model, action; experiment and arm are null for the server's own model."""
    names = ("experiment", "arm", "model", "action")
    return _as_kept(rows, {"timestamp": ("time", _TIME), **{name: (name, pa.string()) for name in names}})


EVENTS = ExportedTable("events", tables.events.c.number, ("event", "user", "item"), _events)
EXPORTED = (
    EVENTS,
    ExportedTable("assignments", tables.assignments.c.number, ("user",), _assignments),
    ExportedTable("exposures", tables.exposures.c.number, ("user", "item"), _exposures),
    ExportedTable("model_swaps", tables.model_swaps.c.version, (), _model_swaps),
)


def _as_kept(rows: Sequence[Any], names: Mapping[str, tuple[str, Any]]) -> Columns:
    """Columns that are as they are kept.  names: name -> name in the table, type."""
    return {name: (kind, [getattr(row, kept) for row in rows]) for name, (kept, kind) in names.items()}


def _ids(rows: Sequence[Any], kinds: Kinds, names: Sequence[str]) -> Columns:
    """Columns of ids, and beside those of both types which are numbers."""
    columns: Columns = {}
    for what in names:
        given = [None if each is None else given_id(each) for each in (getattr(row, what) for row in rows)]
        columns[f"{what}_id"] = _type(kinds[what]), _checked(what, given, kinds[what])
        if kinds[what] == "mixed":
            columns[f"{what}_is_number"] = pa.bool_(), [isinstance(each, int) for each in given]
    return columns


def _items(row: Any, kind: str) -> list[Any]:
    return _checked("item", [given_id(item) for item in json.loads(row.items)], kind)


def _type(kind: str) -> Any:
    return pa.int64() if kind == "integer" else pa.string()


def _checked(what: str, given: Sequence[Id | None], kind: str) -> list[Any]:
    """Ids of the type of the folder's. Raises OutputError where one is not."""
    wanted = {"integer": int, "text": str}.get(kind)
    known = [each for each in given if each is not None]
    other = next((each for each in known if wanted is not None and not isinstance(each, wanted)), None)
    if other is None and kind == "integer":
        other = next((each for each in known if not -(2**63) <= int(each) < 2**63), None)
    if other is not None:
        raise OutputError(
            f"{what}_id {other!r} is no {kind}, as all were at the first export to this folder; "
            "export to a new folder"
        )
    return [each if each is None or kind == "integer" else str(each) for each in given]
