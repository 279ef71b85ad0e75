"""Whose lists an item would enter: everybody's list is made, or that of many users, and nothing is saved."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.memory import users_per_block
from isotherm.models.scorer import evenly
from isotherm.ranking.topk import hide
from isotherm.serving.catalogue.items import Id
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.live.filters import entries_of
from isotherm.serving.live.lists import scores_of
from isotherm.types import Float32, Int32, UserItems


@dataclass(frozen=True)
class Audience:
    """Who would be shown an item.

    users: those of ``n_asked`` users in whose k it would be, where it would stand highest first.
    share_of_slots: of all places of their lists, how many it would take.
    """

    users: list[Id]
    share_of_slots: float
    n_asked: int


@dataclass(frozen=True)
class Sayings:
    """What users said since the fit.

    others: users of whom the fit knows nothing.  of: users -> what each clicked and disliked, where he did.
    """

    others: Sequence[Id] = ()
    of: Callable[[Sequence[Id]], Mapping[Id, tuple[Sequence[Id], Sequence[Id]]]] = lambda _: {}


def audience_of(
    snapshot: Snapshot, item: str, k: int, most_users: int, now: float, since: Sayings | None = None
) -> Audience:
    """Of the item of this id as text, which is looked at as though it might be shown now.

    most_users: so many users at even distances are asked.
    """
    column, shown = snapshot.columns[item], snapshot.availability.at(now)
    shown[column] = True
    since = since or Sayings()
    asked, size = _asked(snapshot, since, most_users), users_per_block(snapshot.model.n_items)
    users: list[Id] = []
    ranks, slots = [np.empty(0, dtype=np.int64)], 0
    for first in range(0, len(asked), size):
        block = asked[first : first + size]
        histories, dislikes = _histories(snapshot, block, since)
        scores, _ = scores_of(snapshot, histories)
        hide(scores, histories)
        hide(scores, dislikes)
        columns = snapshot.model.rank(scores, min(k, scores.shape[1]), [shown])[0].columns
        where, rank = np.nonzero(columns == column)
        users += [block[row] for row in where.tolist()]
        ranks.append(rank)
        slots += int((columns >= 0).sum())
    order = np.argsort(np.concatenate(ranks), kind="stable").tolist()
    return Audience([users[n] for n in order], len(users) / max(slots, 1), len(asked))


def _asked(snapshot: Snapshot, since: Sayings, most: int) -> list[Id]:
    """Users of the fit and others, at even distances."""
    fitted = snapshot.model.users_
    rows = evenly(np.arange(len(fitted) + len(since.others)), most)
    of_fit: list[Id] = fitted.take(rows[rows < len(fitted)]).to_list()
    return of_fit + [since.others[row - len(fitted)] for row in rows[rows >= len(fitted)].tolist()]


def _histories(snapshot: Snapshot, users: Sequence[Id], since: Sayings) -> tuple[UserItems, UserItems]:
    """(n_users, n_items) histories, and what they dislike."""
    said = since.of(users)
    told = [
        entries_of(snapshot, snapshot.fitted.users.get(str(user), -1), *said.get(user, ((), ())))
        for user in users
    ]
    shape = len(users), snapshot.model.n_items
    clicks = _rows([columns for columns, _, _ in told], [weights for _, weights, _ in told], shape)
    disliked = [np.array(columns, dtype=np.int32) for _, _, columns in told]
    return clicks, _rows(disliked, [np.ones(len(each), dtype=np.float32) for each in disliked], shape)


def _rows(columns: list[Int32], weights: list[Float32], shape: tuple[int, int]) -> UserItems:
    ends = np.cumsum([0, *(len(each) for each in columns)])
    data = np.concatenate([np.empty(0, dtype=np.float32), *weights])
    return csr_array((data, np.concatenate([np.empty(0, dtype=np.int32), *columns]), ends), shape=shape)
