"""Snapshots of items that somebody else put: what a model cannot read is left out, and says why.

An item is refused when it is put if the model on the air cannot read it. But another model may come, or an
item may come from elsewhere: that must not keep a server from answering.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from isotherm.errors import IsothermError, ItemsError, UnsupportedError, one_line
from isotherm.serving.live.items import LiveItem, id_like
from isotherm.serving.live.snapshot import FittedModel, Snapshot

_log = logging.getLogger(__name__)
_NAMED = 5  # items that the log names


def with_readable(snapshot: Snapshot, items: Sequence[LiveItem]) -> Snapshot:
    """This with the items put that the model can read."""
    try:
        return snapshot.with_items(items)
    except Exception as cause:
        _log.warning("some changed items cannot be read: %s", one_line(str(cause)))
    changes = {**snapshot.changes, **{item.key: item for item in items}}
    return of_readable(snapshot.fitted, changes, snapshot.version + 1)


def of_readable(fitted: FittedModel, changes: Mapping[str, LiveItem], version: int) -> Snapshot:
    """The model with those of ``changes`` that it can read; the log names the others."""
    typed = {key: _typed(fitted, item) for key, item in changes.items()}
    try:
        beside = Snapshot.of(fitted, typed, version)
    except Exception as cause:
        typed |= {item.key: item for item in _marked(fitted, _told(typed.values()), cause)}
        beside = Snapshot.of(fitted, typed, version)
    left = left_out(beside)
    if left:
        words = "; ".join(f"{item.item_id!r}: {item.unread}" for item in left[:_NAMED])
        _log.warning(
            "%d items cannot be read by %s and are left out: %s", len(left), fitted.name, one_line(words)
        )
    return beside


def left_out(snapshot: Snapshot) -> list[LiveItem]:
    """Items that the model cannot read."""
    return [item for item in snapshot.changes.values() if item.unread and not item.removed]


def _typed(fitted: FittedModel, item: LiveItem) -> LiveItem:
    """With an id of the model's type."""
    try:
        return replace(item, item_id=id_like(fitted.model.items_, item.item_id), unread="")
    except ItemsError as cause:
        return replace(item, unread=str(cause))


def _told(items: Iterable[LiveItem]) -> list[LiveItem]:
    """Those of which something is to be read."""
    return [item for item in items if not item.unread and not item.removed]


def _marked(fitted: FittedModel, items: list[LiveItem], cause: Exception) -> list[LiveItem]:
    """Of items that cannot be read together, those that cannot be read alone, marked with the reason."""
    if isinstance(cause, UnsupportedError):
        new = [item for item in items if item.is_new_to(fitted.items)]
        return [replace(item, unread=str(cause)) for item in new]
    if len(items) == 1:
        words = str(cause) if isinstance(cause, IsothermError) else f"{type(cause).__name__}: {cause}"
        return [replace(items[0], unread=one_line(words))]
    marked = []
    for half in (items[: len(items) // 2], items[len(items) // 2 :]):
        try:
            Snapshot.of(fitted, {item.key: item for item in half}, 0)
        except Exception as of_half:
            marked += _marked(fitted, half, of_half)
    return marked
