"""Which items a request may show, as flags; what of it the model does not know is counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from isotherm.data.wording import counted, listed
from isotherm.errors import InteractionsError, UnknownIdError, brief
from isotherm.linalg.csr import one_row
from isotherm.serving.catalogue.filter_fields import FilterField, items_having
from isotherm.serving.catalogue.items import Id
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.catalogue.visible import secret_items
from isotherm.serving.live.requests import Asker, Rules
from isotherm.types import Bools, Float32, Int32, Int64, UserItems

_SMALLEST, _LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class History:
    """One history, (1, n_items) CSR, and how many ids of it the model does not know.

    disliked: columns of items that the user does not want to see.
    """

    clicks: UserItems
    unknown: int
    disliked: Int64 = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    @property
    def seen(self) -> Int32:
        """Columns of its items."""
        columns: Int32 = self.clicks.indices
        return columns


def history_of(snapshot: Snapshot, asker: Asker, unknown: str, secret: Bools | None = None) -> History:
    """That of a fitted user, or the one that is given; of an unknown user, an empty one.

    secret: (n_items,) which items are unknown in a history that is given.

    Raises UnknownIdError where ``unknown`` is "refuse", and InteractionsError for what is no weight.
    """
    if asker.history is not None:
        return _given(snapshot, asker.history, unknown, secret)
    row = snapshot.fitted.users.get(str(asker.user), -1)
    is_known = row >= 0 or bool(asker.clicked or asker.disliked)
    if not is_known and unknown == "refuse":
        raise UnknownIdError(f"user {brief(asker.user)} is unknown; give the history instead")
    columns, weights, disliked = entries_of(snapshot, row, asker.clicked, asker.disliked)
    clicks = one_row(columns, weights, snapshot.model.n_items)
    return History(clicks, int(not is_known), np.array(disliked, dtype=np.int64))


def entries_of(
    snapshot: Snapshot, row: int, clicked: Sequence[Id], disliked: Sequence[Id]
) -> tuple[Int32, Float32, list[int]]:
    """Columns and weights of a user's history, and the columns that he dislikes.

    row: of the fit, -1 for none.  clicked, disliked: what the user said since.
    """
    clicks = snapshot.model.clicks_
    entries = slice(clicks.indptr[row], clicks.indptr[row + 1]) if row >= 0 else slice(0, 0)
    columns, weights = clicks.indices[entries], clicks.data[entries]
    more, fewer = (_known(snapshot, items) for items in (clicked, disliked))
    if more or fewer:
        columns, weights = _joined(columns, weights, more, fewer)
    return columns, weights, fewer


def _known(snapshot: Snapshot, items: Sequence[Id]) -> list[int]:
    """Columns of those that the model knows."""
    columns = (snapshot.columns.get(str(item), -1) for item in items)
    return [column for column in columns if column >= 0]


def _joined(
    columns: Int32, weights: Float32, clicked: list[int], disliked: list[int]
) -> tuple[Int32, Float32]:
    """Columns and weights of a history of the fit with what was said since."""
    weight_of = dict(zip(columns.tolist(), weights.tolist(), strict=True))
    for column in clicked:
        weight_of[column] = max(weight_of.get(column, 0.0), 1.0)
    for column in disliked:
        weight_of.pop(column, None)
    seen = sorted(weight_of)
    return np.array(seen, dtype=np.int32), np.array([weight_of[n] for n in seen], dtype=np.float32)


def _given(
    snapshot: Snapshot, history: Sequence[tuple[Id, float]], unknown: str, secret: Bools | None
) -> History:
    items, weights = [item for item, _ in history], [weight for _, weight in history]
    is_plain = set(weights) == {1.0}
    if not is_plain:
        _check_weights(history)
    columns, n_unknown = columns_of(snapshot, items, "history", unknown, secret)
    sums: dict[int, float] = {}
    if is_plain and not n_unknown and len(set(columns)) == len(columns):
        seen, data = columns, np.ones(len(columns))
    else:
        for column, weight in zip(columns, weights, strict=True):
            sums[column] = sums.get(column, 0.0) + weight
        sums.pop(-1, None)
        seen, data = list(sums), np.array(list(sums.values()), dtype=np.float64)
    if (data > _LARGEST).any():
        raise InteractionsError("history: an item's weights are beyond float32 when added up")
    row = one_row(np.array(seen, dtype=np.int32), data.astype(np.float32), snapshot.model.n_items)
    return History(row, n_unknown)


def _check_weights(history: Sequence[tuple[Id, float]]) -> None:
    for item, weight in history:
        if not _SMALLEST <= weight <= _LARGEST:
            raise InteractionsError(
                f"history: the weight of item {brief(item)} is {brief(weight)}; give a finite number above 0"
            )


def columns_of(
    snapshot: Snapshot, items: Iterable[Id], what: str, unknown: str, secret: Bools | None = None
) -> tuple[list[int], int]:
    """Column of each item, -1 where it is unknown, and how many different ones are.

    secret: (n_items,) which are unknown, too.
    Raises UnknownIdError that names them where ``unknown`` is "refuse".
    """
    ids, column_of = [str(item) for item in items], snapshot.columns
    columns = [column_of.get(item, -1) for item in ids]
    if secret is not None:
        columns = [-1 if column < 0 or secret[column] else column for column in columns]
    if -1 not in columns:
        return columns, 0
    missing = list(dict.fromkeys(item for item, column in zip(ids, columns, strict=True) if column < 0))
    if unknown == "refuse":
        words = counted(len(missing), "unknown item")
        raise UnknownIdError(f"{what}: {words}: {listed(missing)}; leave them out")
    return columns, len(missing)


def shown_items(snapshot: Snapshot, rules: Rules, seen: Int32, now: float) -> tuple[Bools, int]:
    """(n_items,) flags of what may be shown, and how many candidates are unknown."""
    flags, n_unknown = snapshot.availability.at(now), 0
    if rules.candidates is not None:
        secret = secret_items(snapshot, now)
        columns, n_unknown = columns_of(snapshot, rules.candidates, "candidates", rules.unknown, secret)
        allowed = np.zeros_like(flags)
        allowed[[column for column in columns if column >= 0]] = True
        flags &= allowed
    if rules.filters:
        flags &= items_having(_fields(snapshot, rules), rules.filters, len(flags))
    if rules.exclude:
        columns, _ = columns_of(snapshot, rules.exclude, "exclude", "ignore")
        flags[[column for column in columns if column >= 0]] = False
    if rules.exclude_seen:
        flags[seen] = False
    return flags, n_unknown


def _fields(snapshot: Snapshot, rules: Rules) -> Mapping[str, FilterField]:
    """Those by which items are filtered; of names that the model does not know, what items were put with."""
    known = snapshot.filter_fields
    return known if all(name in known for name in rules.filters) else {**snapshot.told_fields, **known}
