"""Whose lists an item would enter: everybody's list is made, or that of many users, and nothing is saved."""

from dataclasses import dataclass

import numpy as np

from isotherm.memory import users_per_block
from isotherm.models.scorer import evenly
from isotherm.ranking.topk import hide
from isotherm.serving.live.lists import scores_of
from isotherm.serving.live.requests import Id
from isotherm.serving.live.snapshot import Snapshot


@dataclass(frozen=True)
class Audience:
    """Who would be shown an item.

    users: those of ``n_asked`` users in whose k it would be, where it would stand highest first.
    share_of_slots: of all places of their lists, how many it would take.
    """

    users: list[Id]
    share_of_slots: float
    n_asked: int


def audience_of(snapshot: Snapshot, item: str, k: int, most_users: int, now: float) -> Audience:
    """Of the item of this id as text, which is looked at as though it might be shown now.

    most_users: so many users at even distances are asked.
    """
    column, shown = snapshot.columns[item], snapshot.availability.at(now)
    shown[column] = True
    asked = evenly(np.arange(len(snapshot.model.users_)), most_users)
    size = users_per_block(snapshot.model.n_items)
    users, ranks, slots = [], [], 0
    for first in range(0, len(asked), size):
        rows = asked[first : first + size]
        histories = snapshot.model.histories_of(rows)
        scores, _ = scores_of(snapshot, histories)
        hide(scores, histories)
        columns = snapshot.model.rank(scores, min(k, scores.shape[1]), [shown])[0].columns
        where, rank = np.nonzero(columns == column)
        users.append(rows[where])
        ranks.append(rank)
        slots += int((columns >= 0).sum())
    rows = np.concatenate([np.empty(0, dtype=np.int64), *users])
    order = np.argsort(np.concatenate([np.empty(0, dtype=np.int64), *ranks]), kind="stable")
    return Audience(snapshot.model.users_.take(rows[order]).to_list(), len(rows) / max(slots, 1), len(asked))
