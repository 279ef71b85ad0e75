"""The k best items of each requested history, as a frame of ids, and of words where they are wanted."""

from contextlib import nullcontext

import numpy as np
import polars as pl

from isotherm.errors import ParameterError
from isotherm.linalg.csr import row_blocks
from isotherm.memory import users_per_block
from isotherm.models.requests.catalogue import Catalogue
from isotherm.models.requests.item_filter import ItemFilter
from isotherm.models.requests.requested import Requested
from isotherm.models.requests.scores import note_fallback, scores_or_popularity
from isotherm.models.scorer import Scorer
from isotherm.progress import Advance, stage
from isotherm.ranking.topk import TopK, hide
from isotherm.types import Bools, Int64, Scores, UserItems

_FEW = 16  # users whose lists are there before anybody could read that they are being made


def recommendations(
    model: Scorer, requested: Requested, k: int, exclude_seen: bool, shown: ItemFilter, titles: bool
) -> pl.DataFrame:
    """user_id, item_id, score, rank: at most k of the ``shown`` items for each of the requested.

    titles: whether title, new and answered_by follow.
    """
    catalogue = Catalogue.of(model) if titles else None
    frame, by_popularity = answers(model, requested, k, exclude_seen, shown, catalogue)
    note_fallback(by_popularity)
    return frame


def answers(
    model: Scorer,
    requested: Requested,
    k: int,
    exclude_seen: bool,
    shown: ItemFilter,
    catalogue: Catalogue | None,
) -> tuple[pl.DataFrame, Bools]:
    """``recommendations``, and (n_users,) who is answered by popularity, of which no note tells.

    catalogue: of the model, where title, new and answered_by shall follow.
    """
    n, k = len(requested.ids), min(k, model.n_items)
    with stage("recommend", n, "users") if n > _FEW else nullcontext() as advance:
        lists, by_popularity = best_lists(model, requested.histories, k, exclude_seen, shown, advance)
    columns, best = lists
    rows, ranks = np.nonzero(columns >= 0)
    chosen = columns[rows, ranks]
    user_ids = _repeated(requested.ids, rows).rename("user_id").to_frame()
    frame = user_ids.hstack(  # pl.DataFrame takes twice as long to see that these are columns
        [
            model.items_.take(chosen).rename("item_id"),
            pl.Series("score", best[rows, ranks]),
            pl.Series("rank", (ranks + 1).astype(np.int32)),
        ]
    )
    if catalogue is None:
        return frame, by_popularity
    answered_by = np.where(by_popularity[rows], "popularity", "model")
    told = catalogue.told(chosen) | {"answered_by": pl.Series(answered_by, dtype=pl.String)}
    return frame.with_columns(**told), by_popularity


def _repeated(ids: pl.Series, rows: Int64) -> pl.Series:
    """The id at each row."""
    return ids.new_from_index(0, len(rows)) if len(ids) == 1 else ids[rows]


def best_lists(
    model: Scorer,
    histories: UserItems,
    k: int,
    exclude_seen: bool,
    shown: ItemFilter,
    advance: Advance | None = None,
) -> tuple[TopK, Bools]:
    """The k best of each history, at most ``n_items``; column -1 where a list is shorter.

    And (n,) which are answered by popularity.

    histories: (n, n_items).  advance: told of those that are done.
    """
    lists, first, by_popularity = [], 0, np.zeros(histories.shape[0], dtype=bool)
    for block in row_blocks(histories, users_per_block(model.n_items)):
        scores, by_popularity[first : first + block.shape[0]] = scores_or_popularity(model, block)
        if exclude_seen:
            hide(scores, block)
        shown.hide_others(scores, slice(first, first + block.shape[0]))
        lists.append(_ranked(model, scores, k, shown.for_all))
        first += block.shape[0]
        if advance is not None:
            advance(block.shape[0])
    if len(lists) == 1:
        return lists[0], by_popularity
    nothing = TopK(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
    return TopK(*(np.concatenate(blocks) for blocks in zip(nothing, *lists, strict=True))), by_popularity


def _ranked(model: Scorer, scores: Scores, k: int, candidates: Bools | None) -> TopK:
    """The list of each row. Raises ParameterError where a score is not finite."""
    try:
        top = model.rank(scores, k, [candidates])[0]
        if np.isfinite(top.scores[top.columns >= 0]).all():
            return top
        wrong = "a score is infinite"
    except ValueError as cause:
        wrong = str(cause)
    raise ParameterError(f"{model.name}: {wrong}; are weights of the histories too large?")
