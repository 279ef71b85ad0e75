"""Snapshots of items that somebody else put: what a model cannot read is left out, and says why.

An item is refused when it is put if the model on the air cannot read it. But another model may come, or an
item may come from elsewhere: that must not keep a server from answering.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace

from isotherm.errors import IsothermError, ItemsError, UnsupportedError, one_line
from isotherm.serving.catalogue.items import LiveItem, id_like
from isotherm.serving.catalogue.snapshot import FittedModel, Snapshot

_log = logging.getLogger(__name__)
_NAMED = 5  # items that the log names


def with_readable(snapshot: Snapshot, items: Iterable[LiveItem]) -> Snapshot:
    """This with the items put that the model can read; the log names the others."""
    put = [_typed(snapshot.fitted, item) for item in items]
    try:
        beside = snapshot.with_items(put)
    except Exception as cause:
        marked = {item.key: item for item in _marked(snapshot, [i for i in put if not i.removed], cause)}
        put = [marked.get(item.key, item) for item in put]
        try:
            beside = snapshot.with_items(put)
        except Exception as still:  # each can be read, and not all of them together
            _log.exception("%d items cannot be read together", len(put))
            put = [replace(item, unread=one_line(str(still))) for item in put]
            beside = snapshot.with_items(put)
    left = [item for item in put if item.unread and not item.removed]
    if left:
        words = "; ".join(f"{item.item_id!r}: {item.unread}" for item in left[:_NAMED])
        name = snapshot.fitted.name
        _log.warning("%d items cannot be read by %s and are left out: %s", len(left), name, one_line(words))
    return beside


def of_readable(fitted: FittedModel, base: Snapshot) -> Snapshot:
    """A model with those of the changes of ``base`` that it can read; the log names the others."""
    return with_readable(Snapshot.bare(fitted, base.version), base.changes.values())


def followed(beside: Snapshot, base: Snapshot, now: Snapshot) -> Snapshot:
    """``beside``, which was made of the changes of ``base``, with what changed since, until ``now``."""
    since = [item for key, item in now.changes.items() if base.changes.get(key) is not item]
    return with_readable(beside, since) if since else beside


def left_out(snapshot: Snapshot) -> list[LiveItem]:
    """Items that the model cannot read."""
    return [item for item in snapshot.changes.values() if item.unread and not item.removed]


def _typed(fitted: FittedModel, item: LiveItem) -> LiveItem:
    """With an id of the model's type."""
    try:
        return replace(item, item_id=id_like(fitted.model.items_, item.item_id), unread="")
    except ItemsError as cause:
        return replace(item, unread=str(cause))


def _marked(snapshot: Snapshot, items: list[LiveItem], cause: Exception) -> list[LiveItem]:
    """Of items that cannot be read together, those that cannot be read alone, marked with the reason."""
    if isinstance(cause, UnsupportedError):
        new = [item for item in items if item.is_new_to(snapshot.columns)]
        return [replace(item, unread=str(cause)) for item in new]
    if len(items) == 1:
        words = str(cause) if isinstance(cause, IsothermError) else f"{type(cause).__name__}: {cause}"
        return [replace(items[0], unread=one_line(words))]
    marked = []
    for half in (items[: len(items) // 2], items[len(items) // 2 :]):
        try:
            snapshot.with_items(half)
        except Exception as of_half:
            marked += _marked(snapshot, half, of_half)
    return marked
