"""An item, as it is given and as it is kept."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from isotherm.errors import ItemsError, ParameterError, brief
from isotherm.serving.database.moments import microseconds, moment
from isotherm.serving.database.stored_ids import Id, given_id, stored_id

LARGEST_METADATA = 4_000_000  #: bytes of an item's metadata as JSON
MOST_ITEMS = 10_000  #: at once


@dataclass(frozen=True)
class StoredItem:
    """An item of the catalogue: what is known of it, and whether it may be shown.

    metadata: field -> value, as JSON has them, kept to the letter; None where nothing was said of it but that
    it is hidden or deleted. available_from, available_until: shown from the first on and before the second;
    None for no limit. version: of the change that made it so.
    deleted: it is gone; kept so that whoever follows the changes learns it.
    """

    id: Id
    metadata: Mapping[str, Any] | None = field(default_factory=dict)
    available_from: datetime | None = None
    available_until: datetime | None = None
    hidden: bool = False
    deleted: bool = False
    version: int = 0

    def available_at(self, time: datetime) -> bool:
        """Whether it may be shown at this time.

        >>> from datetime import UTC, datetime, timedelta
        >>> from isotherm.serving.database import StoredItem
        >>> end = datetime(2026, 3, 1, tzinfo=UTC)
        >>> until = StoredItem(7, available_until=end)
        >>> until.available_at(end - timedelta(days=1)), until.available_at(end)
        (True, False)
        """
        begun = self.available_from is None or self.available_from <= time
        ended = self.available_until is not None and self.available_until <= time
        return begun and not ended and not self.hidden and not self.deleted


def item_row(item: StoredItem) -> dict[str, Any]:
    """The row of an item, but for its version. Raises ItemsError that names the item and the cure."""
    try:
        key = stored_id("item", item.id)
        first = None if item.available_from is None else microseconds("available_from", item.available_from)
        last = None if item.available_until is None else microseconds("available_until", item.available_until)
    except ParameterError as cause:
        raise ItemsError(f"item {brief(item.id)}: {cause}") from cause
    if first is not None and last is not None and first >= last:
        raise ItemsError(
            f"item {brief(item.id)}: available_until {item.available_until} is not after available_from "
            f"{item.available_from}; it would never be shown"
        )
    if not isinstance(item.hidden, bool):
        raise ItemsError(f"item {brief(item.id)}: hidden is true or false, not {brief(item.hidden)}")
    return {
        "item": key,
        "metadata": None if item.metadata is None else _json(item.metadata, item.id),
        "available_from": first,
        "available_until": last,
        "hidden": item.hidden,
        "deleted": False,
    }


def _json(metadata: Mapping[str, Any], item: Id) -> str:
    """Metadata of an item as ASCII: what no database and no encoding can change."""
    if not isinstance(metadata, Mapping) or not all(isinstance(name, str) for name in metadata):
        raise ItemsError(f"item {brief(item)}: metadata is an object, field -> value")
    try:
        text = json.dumps(dict(metadata), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as cause:
        raise ItemsError(f"item {brief(item)}: metadata is no JSON ({cause})") from cause
    if len(text) > LARGEST_METADATA:
        raise ItemsError(
            f"item {brief(item)}: metadata is {len(text):,} bytes of JSON; at most {LARGEST_METADATA:,}"
        )
    return text


def item_of(row: Any) -> StoredItem:
    """The item of a row."""
    return StoredItem(
        id=given_id(row.item),
        metadata=None if row.metadata is None else json.loads(row.metadata),
        available_from=None if row.available_from is None else moment(row.available_from),
        available_until=None if row.available_until is None else moment(row.available_until),
        hidden=row.hidden,
        deleted=row.deleted,
        version=row.version,
    )
