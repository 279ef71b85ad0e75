"""Which items an answer may tell of: the one rule for all of them.

An item that may not be shown now, as it is hidden, removed or out of its time, is unknown to whoever may not
see such items: it is not named, described, scored, explained or likened. In a history, or among candidates,
such an item counts only where it is no secret: it was on show before, or clicked in the log of the fit.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from isotherm.errors import UnknownIdError, brief
from isotherm.models.requests.explanation import Explanation
from isotherm.serving.catalogue.items import Id
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.types import Bools


def visible_items(snapshot: Snapshot, now: float, unavailable: bool) -> Bools:
    """(n_items,) flags of what may be told of.  unavailable: also what may not be shown now."""
    if not unavailable:
        return snapshot.availability.at(now)
    flags = np.ones(snapshot.model.n_items, dtype=bool)
    flags[list(snapshot.catalogue.left)] = False
    return flags


def visible_column(snapshot: Snapshot, item: Id, now: float, unavailable: bool) -> int:
    """Column of an item. Raises UnknownIdError, also for one that was removed, or may not be told of."""
    column = snapshot.columns.get(str(item), -1)
    change = snapshot.changes.get(str(item))
    is_removed = change is not None and change.removed
    if column < 0 or is_removed or not (unavailable or snapshot.availability.at(now)[column]):
        raise UnknownIdError(f"item {brief(item)} is unknown; put it first")
    return column


def secret_items(snapshot: Snapshot, now: float) -> Bools | None:
    """(n_items,) flags of what nobody can have clicked: new items that are hidden or not yet on show.

    None where there are none.
    """
    flags: Bools = snapshot.cold & ~snapshot.availability.opened_at(now)
    return flags if flags.any() else None


def without_unseen(why: Explanation, snapshot: Snapshot, now: float) -> Explanation:
    """An explanation whose clicked items are not named where they may not be shown now; shares stay."""
    columns = [snapshot.columns[str(item)] for item in why.by_item["item_id"].to_list()]
    seen = pl.Series(snapshot.availability.at(now)[np.array(columns, dtype=np.int64)])
    if seen.all():
        return why
    named = [pl.when(seen).then(pl.col(name)).alias(name) for name in ("item_id", "title")]
    return replace(why, by_item=why.by_item.with_columns(named))
