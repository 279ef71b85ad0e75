"""The k best items of each requested history, as a frame of ids, and of words where they are wanted."""

import numpy as np
import polars as pl

from isotherm.errors import ParameterError
from isotherm.linalg.csr import row_blocks
from isotherm.memory import users_per_block
from isotherm.models.requests.catalogue import Catalogue
from isotherm.models.requests.item_filter import ItemFilter
from isotherm.models.requests.requested import Requested
from isotherm.models.requests.scores import empty_histories, note_fallback, scores_or_popularity
from isotherm.models.scorer import Scorer
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide
from isotherm.types import Bools, Int32, Scores


def recommendations(
    model: Scorer, requested: Requested, k: int, exclude_seen: bool, shown: ItemFilter, titles: bool
) -> pl.DataFrame:
    """user_id, item_id, score, rank: at most k of the ``shown`` items for each of the requested.

    titles: whether title, new and answered_by follow.
    """
    note_fallback(empty_histories(requested.histories))
    return answers(model, requested, k, exclude_seen, shown, Catalogue.of(model) if titles else None)


def answers(
    model: Scorer,
    requested: Requested,
    k: int,
    exclude_seen: bool,
    shown: ItemFilter,
    catalogue: Catalogue | None,
) -> pl.DataFrame:
    """``recommendations`` without a note of who has no history.

    catalogue: of the model, where title, new and answered_by shall follow.
    """
    columns, best = _lists(model, requested, min(k, model.n_items), exclude_seen, shown)
    rows, ranks = np.nonzero(columns >= 0)
    chosen = columns[rows, ranks]
    frame = pl.DataFrame(
        {
            "user_id": requested.ids.gather(rows),
            "item_id": model.items_.take(chosen),
            "score": best[rows, ranks],
            "rank": (ranks + 1).astype(np.int32),
        }
    )
    if catalogue is None:
        return frame
    by_popularity = empty_histories(requested.histories)[rows]
    answered_by = pl.Series("answered_by", np.where(by_popularity, "popularity", "model"), pl.String)
    return frame.with_columns(**catalogue.told(chosen), answered_by=answered_by)


def _lists(
    model: Scorer, requested: Requested, k: int, exclude_seen: bool, shown: ItemFilter
) -> tuple[Int32, Scores]:
    """Columns and scores of the k best, (n_requested, k); column -1 where a list is shorter."""
    lists = [TopK(np.empty((0, k), np.int32), np.empty((0, k), np.float32))]
    first = 0
    with stage("recommend", len(requested.ids), "users") as advance:
        for block in row_blocks(requested.histories, users_per_block(model.n_items)):
            scores = scores_or_popularity(model, block)
            if exclude_seen:
                hide(scores, block)
            shown.hide_others(scores, slice(first, first + block.shape[0]))
            lists.append(_ranked(model, scores, k, shown.for_all))
            first += block.shape[0]
            advance(block.shape[0])
    columns, best = (np.concatenate(blocks) for blocks in zip(*lists, strict=True))
    return columns, best


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
