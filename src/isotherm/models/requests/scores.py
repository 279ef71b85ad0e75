"""Scores of click histories: the model's, and the items' numbers of clicks where a history is empty."""

import numpy as np
import polars as pl

from isotherm.memory import users_per_block
from isotherm.models.scorer import Scorer
from isotherm.progress import note, stage
from isotherm.types import Bools, Int64, ItemIndex, Scores, UserItems


def scores_or_popularity(model: Scorer, histories: UserItems) -> Scores:
    """Scores of a block of histories; of an empty one the items' numbers of clicks."""
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused where it is ranked
        scores = model._score(histories)
    empty = np.diff(histories.indptr) == 0
    if empty.any():
        scores[empty] = model.item_clicks()
    return scores


def empty_histories(histories: UserItems) -> Bools:
    """Which of the histories are empty, (n_users,), and so answered by popularity."""
    empty: Bools = np.diff(histories.indptr) == 0
    return empty


def note_fallback(empty: Bools) -> None:
    """Count in a note the users who are answered by popularity.  empty: (n_users,) whose history is."""
    n, n_all = int(empty.sum()), len(empty)
    if n:
        note(
            f"answered by popularity: {n:,} of {n_all:,} users, who have no usable history; their scores are "
            "the items' numbers of clicks"
        )


def score_pairs(model: Scorer, rows: Int64, columns: ItemIndex) -> pl.DataFrame:
    """user_id, item_id and score of each pair of a fitted user's row and an item's column, as given."""
    users, user_of = np.unique(rows, return_inverse=True)
    note_fallback(empty_histories(model.histories_of(users)))
    by_user = np.argsort(user_of, kind="stable")
    scores = np.empty(len(rows), dtype=np.float32)
    size = users_per_block(model.n_items)
    with stage("score", len(users), "users") as advance:
        for first in range(0, len(users), size):
            block = model.histories_of(users[first : first + size])
            begin, end = np.searchsorted(user_of[by_user], [first, first + size])
            pairs = by_user[begin:end]
            scores[pairs] = scores_or_popularity(model, block)[user_of[pairs] - first, columns[pairs]]
            advance(block.shape[0])
    return pl.DataFrame(
        {"user_id": model.users_.take(rows), "item_id": model.items_.take(columns), "score": scores}
    )
