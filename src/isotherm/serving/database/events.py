"""An event, as it is given and as it is kept; and what became of a batch of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from isotherm.data.columns import EVENT_TYPES
from isotherm.errors import ParameterError, brief
from isotherm.serving.database.moments import microseconds
from isotherm.serving.database.stored_ids import Id, stored_id

TYPES = EVENT_TYPES
OF_HISTORIES = ("click", "dislike")  #: types that say what a user thinks of an item
MOST_EVENTS = 10_000  #: of a batch
LATE_SECONDS = 24 * 3600  #: an event that comes more than this after its time is late
MOST_VALUE = 1e9  #: of an event; of seconds that is 31 years
FUTURE_SECONDS = 300  #: clocks may differ by this; an event further ahead is dated in the future
_FIELDS = ("id", "type", "user", "item", "time", "value")


@dataclass(frozen=True)
class Event:
    """Something that a user did with an item.

    id: given by the sender, so that a batch may be sent twice.
    type: click, impression, watch, conversion or dislike.
    time: a datetime with its zone, ISO 8601 text with it or seconds since 1970; None for when it is received.
    value: of a watch, its seconds; of a conversion, its worth; a number from 0 to 1e9.
    """

    id: Id
    type: str
    user: Id
    item: Id
    time: datetime | str | float | None = None
    value: float | None = None

    @classmethod
    def of(cls, given: "Event | Mapping[str, Any]") -> "Event":
        """An event, or the fields of one, as they come in JSON. Raises ParameterError."""
        if isinstance(given, Event):
            return given
        if not isinstance(given, Mapping):
            raise ParameterError(f"an event is an object with {', '.join(_FIELDS)}, not {brief(given)}")
        missing = [name for name in _FIELDS[:4] if given.get(name) is None]
        if missing:
            raise ParameterError(f"{missing[0]} is missing; an event has id, type, user and item")
        beyond = [name for name in given if name not in _FIELDS]
        if beyond:
            raise ParameterError(f"{brief(beyond[0])} is no field of an event; they are {', '.join(_FIELDS)}")
        return cls(**given)


@dataclass(frozen=True)
class EventCounts:
    """What became of a batch.

    new, repeated: kept now; kept before, by their id, and passed over. late, future: of the new ones, those
    whose time is long before or after they were received. refused: place in the batch -> why.
    """

    new: int = 0
    repeated: int = 0
    late: int = 0
    future: int = 0
    refused: Mapping[int, str] = field(default_factory=dict)


def event_rows(
    batch: Sequence[Event | Mapping[str, Any]], received: datetime
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """The rows of a batch, in its order; and, of those that cannot be kept, place -> why.

    Raises ParameterError where the batch is longer than MOST_EVENTS.
    """
    if len(batch) > MOST_EVENTS:
        raise ParameterError(f"{len(batch):,} events at once; send at most {MOST_EVENTS:,}")
    rows, refused = [], {}
    arrived = microseconds("received", received)
    for place, given in enumerate(batch):
        try:
            rows.append(_row(Event.of(given), arrived))
        except ParameterError as cause:
            refused[place] = str(cause)
    return rows, refused


def _row(event: Event, received: int) -> dict[str, Any]:
    if event.type not in TYPES:
        raise ParameterError(f"type: {brief(event.type)} is none of {', '.join(TYPES)}")
    time = received if event.time is None else microseconds("time", event.time)
    return {
        "event": stored_id("id", event.id),
        "type": event.type,
        "user": stored_id("user", event.user),
        "item": stored_id("item", event.item),
        "time": time,
        "received": received,
        "value": _value(event.value),
        "late": received - time > LATE_SECONDS * 1_000_000,
        "future": time - received > FUTURE_SECONDS * 1_000_000,
    }


def _value(given: Any) -> float | None:
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ParameterError(f"value: {brief(given)} is no number")
    if not 0 <= given <= MOST_VALUE:  # nor is NaN
        raise ParameterError(f"value: {brief(given)} is not between 0 and {MOST_VALUE:g}")
    return float(given)


def history_rows(new: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What new events, each with its number, say of histories: the last word of each user on each item.

    A time in the future counts as that of receipt: it must not stay the last word for ever.
    """
    last: dict[tuple[str, str], dict[str, Any]] = {}
    for event in new:
        if event["type"] not in OF_HISTORIES:
            continue
        row = {name: event[name] for name in ("user", "item", "type", "number")}
        row["time"] = min(event["time"], event["received"])
        key = (row["user"], row["item"])
        if key not in last or _moment(row) > _moment(last[key]):
            last[key] = row
    return [last[key] for key in sorted(last)]  # in one order, so that two writers never wait for each other


def _moment(row: Mapping[str, Any]) -> tuple[int, int]:
    return row["time"], row["number"]
