"""An item between the database, which keeps it, and the model on the air, which shows it."""

from collections.abc import Iterable
from datetime import datetime

from isotherm.errors import ItemsError, ParameterError, brief
from isotherm.serving.catalogue.items import LiveItem, id_like
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.database import StoredItem
from isotherm.serving.database.moments import microseconds, moment


def stored_items(snapshot: Snapshot, items: Iterable[LiveItem]) -> list[StoredItem]:
    """Items as they are kept, with ids of the model's type.

    An item that is put without metadata, and of which none was put before, has none; where the model was
    fitted with it, nothing was said of its metadata, so that a model without it does not take it up.
    Raises ItemsError for an id or a time that is none.
    """
    return [_stored(snapshot, item) for item in items]


def _stored(snapshot: Snapshot, item: LiveItem) -> StoredItem:
    item_id = id_like(snapshot.model.items_, item.item_id)
    metadata = item.metadata
    if metadata is None:
        before = snapshot.changes.get(str(item_id))
        if before is not None and not before.removed and not before.of_fit:
            metadata = before.metadata
        elif str(item_id) not in snapshot.fitted.items:
            metadata = {}
    times = [
        _moment(name, item_id, seconds)
        for name, seconds in (("from", item.available_from), ("until", item.available_until))
    ]
    return StoredItem(item_id, metadata, times[0], times[1], item.hidden)


def _moment(name: str, item: int | str, seconds: float | None) -> datetime | None:
    try:
        return None if seconds is None else moment(microseconds(f"available_{name}", seconds))
    except ParameterError as cause:
        raise ItemsError(f"item {brief(item)}: {cause}") from cause


def live_item(item: StoredItem) -> LiveItem:
    """An item as it is shown: never, where a window of less than what a float tells apart is left of it."""
    begin, end = (
        None if each is None else each.timestamp() for each in (item.available_from, item.available_until)
    )
    never = begin is not None and end is not None and begin >= end
    metadata = {name: value for name, value in (item.metadata or {}).items() if name != "item_id"}
    return LiveItem(
        item.id,
        metadata,
        None if never else begin,
        None if never else end,
        item.hidden or never,
        item.deleted,
        of_fit=item.metadata is None,
    )
