"""Scores of click histories: the model's, and the items' numbers of clicks where a history says nothing."""

import numpy as np
import polars as pl

from isotherm.data.wording import counted
from isotherm.memory import users_per_block
from isotherm.models.scorer import Scorer
from isotherm.progress import note, stage
from isotherm.types import Bools, Int64, ItemIndex, Scores, UserItems

_FIRST = 256  # scores of a row that are looked at first


def scores_or_popularity(model: Scorer, histories: UserItems) -> tuple[Scores, Bools]:
    """Scores of a block of histories, and (n_users,) which of these are the items' numbers of clicks.

    They are where a history says nothing to the model: it is empty, or gives every item the score 0, as one
    of items that nobody had clicked in the log of the fit may.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is refused where it is ranked
        scores = model._score(histories)
    by_popularity: Bools = empty_histories(histories) | _all_zero(scores)
    if by_popularity.any():
        scores[by_popularity] = model.item_clicks()
    return scores, by_popularity


def _all_zero(scores: Scores) -> Bools:
    """(n_users,) which rows hold nothing but 0; most show another score among the first."""
    zero = np.asarray(~scores[:, :_FIRST].any(axis=1), dtype=bool)
    if zero.any():
        zero[zero] = ~scores[zero].any(axis=1)
    return zero


def empty_histories(histories: UserItems) -> Bools:
    """Which of the histories are empty, (n_users,)."""
    empty: Bools = histories.indptr[1:] == histories.indptr[:-1]
    return empty


def says_nothing(model: Scorer, history: UserItems) -> bool:
    """Whether one history is answered by popularity."""
    return bool(scores_or_popularity(model, history)[1][0])


def note_fallback(by_popularity: Bools) -> None:
    """Count in a note the users who are answered by popularity.  by_popularity: (n_users,) who they are."""
    n, n_all = int(by_popularity.sum()), len(by_popularity)
    if n:
        note(
            f"answered by popularity: {n:,} of {counted(n_all, 'user')}, for want of a usable history; "
            "their scores are the items' numbers of clicks"
        )


def score_pairs(model: Scorer, rows: Int64, columns: ItemIndex) -> pl.DataFrame:
    """user_id, item_id and score of each pair of a fitted user's row and an item's column, as given."""
    users, user_of = np.unique(rows, return_inverse=True)
    by_popularity = np.zeros(len(users), dtype=bool)
    by_user = np.argsort(user_of, kind="stable")
    scores = np.empty(len(rows), dtype=np.float32)
    size = users_per_block(model.n_items)
    with stage("score", len(users), "users") as advance:
        for first in range(0, len(users), size):
            block = model.histories_of(users[first : first + size])
            begin, end = np.searchsorted(user_of[by_user], [first, first + size])
            pairs = by_user[begin:end]
            of_block, by_popularity[first : first + size] = scores_or_popularity(model, block)
            scores[pairs] = of_block[user_of[pairs] - first, columns[pairs]]
            advance(block.shape[0])
    note_fallback(by_popularity)
    return pl.DataFrame(
        {"user_id": model.users_.take(rows), "item_id": model.items_.take(columns), "score": scores}
    )
