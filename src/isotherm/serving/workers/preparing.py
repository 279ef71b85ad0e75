"""What the parent does before any worker answers: the model is verified, the database opened and filled."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from isotherm.data import Items
from isotherm.models.base import Recommender
from isotherm.models.persistence import load
from isotherm.serving.database import Database, StoredItem
from isotherm.serving.shared.following import content_of
from isotherm.serving.workers.settings import ServerSettings

_BATCH = 5_000  # items of one change


def prepare(settings: ServerSettings, items: Path | None) -> str | None:
    """Open the database, bring its tables to their newest form, and add items to it.

    items: a table; what of it neither the model nor the database knows goes to the database, and where the
    model holds no titles, all that the database does not know. Returns what tells the model from others.
    Raises ModelFolderError, DatabaseError and ItemsError for what cannot be used.
    """
    content = content_of(settings.model)
    model = load(settings.model, mapped=True, verify=False)
    with Database.open(settings.database, seconds=settings.limits.database_seconds) as database:
        if items is not None:
            _add(database, model, items)
    return content


def verify(folder: str) -> None:
    """Read the whole model and hold it against its SHA-256, so that workers need not.

    Raises ModelFolderError where it is damaged.
    """
    load(folder, mapped=True)


def _add(database: Database, model: Recommender, path: Path) -> None:
    """Add what is not known of an item table."""
    table = Items.read(path)
    known = {item.id for batch in _batches_of(database) for item in batch}
    if model.labels_.title_field is not None:
        known |= set(model.items_.values.to_list())
    new = [row for row in table.to_frame().to_dicts() if row["item_id"] not in known]
    for first in range(0, len(new), _BATCH):
        database.put_items([_stored(row) for row in new[first : first + _BATCH]])


def _batches_of(database: Database) -> Iterator[Sequence[StoredItem]]:
    """All items of which the database knows, deleted ones too."""
    version, more = 0, True
    while more:
        changes = database.items_changed_since(version)
        version, more = changes.version, changes.more
        yield changes.items


def _stored(row: dict[str, object]) -> StoredItem:
    metadata = {name: value for name, value in row.items() if name != "item_id" and value is not None}
    return StoredItem(row["item_id"], metadata)  # type: ignore[arg-type]
