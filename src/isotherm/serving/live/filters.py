"""Which items a request may show, as flags; what of it the model does not know is counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.data.wording import listed
from isotherm.errors import InteractionsError, UnknownIdError, brief
from isotherm.serving.live.filter_fields import items_having
from isotherm.serving.live.requests import Asker, Id, Rules
from isotherm.serving.live.snapshot import Snapshot
from isotherm.types import Bools, Int64, UserItems

_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class History:
    """One history, (1, n_items) CSR, and how many ids of it the model does not know."""

    clicks: UserItems
    unknown: int

    @property
    def seen(self) -> Int64:
        """Columns of its items."""
        columns: Int64 = self.clicks.indices
        return columns


def history_of(snapshot: Snapshot, asker: Asker, unknown: str) -> History:
    """That of a fitted user, or the one that is given; of an unknown user, an empty one.

    Raises UnknownIdError where ``unknown`` is "refuse", and InteractionsError for what is no weight.
    """
    if asker.history is not None:
        return _given(snapshot, asker.history, unknown)
    row = snapshot.fitted.users.get(str(asker.user), -1)
    if row < 0 and unknown == "refuse":
        raise UnknownIdError(f"user {brief(asker.user)} is unknown; give the history instead")
    return History(snapshot.model.histories_of(np.array([row])), int(row < 0))


def _given(snapshot: Snapshot, history: Sequence[tuple[Id, float]], unknown: str) -> History:
    for item, weight in history:
        if not _SMALLEST <= weight <= _LARGEST:
            raise InteractionsError(
                f"history: the weight of item {brief(item)} is {brief(weight)}; give a finite number above 0"
            )
    columns, n_unknown = columns_of(snapshot, [item for item, _ in history], "history", unknown)
    weights = np.array([weight for _, weight in history], dtype=np.float64)
    n_items = snapshot.model.n_items
    sums = np.bincount(columns[columns >= 0], weights[columns >= 0], minlength=n_items)
    seen = np.flatnonzero(sums)
    data = sums[seen]
    if (data > _LARGEST).any():
        raise InteractionsError("history: an item's weights are beyond float32 when added up")
    shape = (1, n_items)
    indices = seen.astype(np.int32), np.array([0, len(seen)], dtype=np.int32)
    return History(csr_array((data.astype(np.float32), *indices), shape=shape), n_unknown)


def columns_of(snapshot: Snapshot, items: Iterable[Id], what: str, unknown: str) -> tuple[Int64, int]:
    """Column of each item, -1 where it is unknown, and how many different ones are.

    Raises UnknownIdError that names them where ``unknown`` is "refuse".
    """
    ids = list(items)
    columns = np.array([snapshot.columns.get(str(item), -1) for item in ids], dtype=np.int64)
    missing = list(dict.fromkeys(str(ids[n]) for n in np.flatnonzero(columns < 0)))
    if missing and unknown == "refuse":
        raise UnknownIdError(f"{what}: {len(missing)} unknown items: {listed(missing)}; leave them out")
    return columns, len(missing)


def shown_items(snapshot: Snapshot, rules: Rules, seen: Int64, now: float) -> tuple[Bools, int]:
    """(n_items,) flags of what may be shown, and how many candidates are unknown."""
    flags, n_unknown = snapshot.availability.at(now), 0
    if rules.candidates is not None:
        columns, n_unknown = columns_of(snapshot, rules.candidates, "candidates", rules.unknown)
        flags &= _flags(columns, len(flags))
    if rules.filters:
        flags &= items_having(snapshot.filter_fields, rules.filters, len(flags))
    flags &= ~_flags(columns_of(snapshot, rules.exclude, "exclude", "ignore")[0], len(flags))
    if rules.exclude_seen:
        flags[seen] = False
    return flags, n_unknown


def _flags(columns: Int64, n_items: int) -> Bools:
    """(n_items,) flags; column -1 counts for nothing."""
    flags = np.zeros(n_items, dtype=bool)
    flags[columns[columns >= 0]] = True
    return flags
