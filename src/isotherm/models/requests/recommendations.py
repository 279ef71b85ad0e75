"""The k best items of each requested history, as a frame of ids."""

import numpy as np
import polars as pl

from isotherm.errors import ParameterError
from isotherm.linalg.csr import row_blocks
from isotherm.memory import users_per_block
from isotherm.models.requests.item_filter import ItemFilter
from isotherm.models.requests.requested import Requested
from isotherm.models.requests.scores import scores_or_popularity
from isotherm.models.scorer import Scorer
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide
from isotherm.types import Bools, Scores


def recommendations(
    model: Scorer, requested: Requested, k: int, exclude_seen: bool, shown: ItemFilter
) -> pl.DataFrame:
    """user_id, item_id, score, rank: at most k of the ``shown`` items for each of the requested."""
    k = min(k, model.n_items)
    lists = [TopK(np.empty((0, k), np.int32), np.empty((0, k), np.float32))]
    first = 0
    with stage("recommend", len(requested.ids)) as advance:
        for block in row_blocks(requested.histories, users_per_block(model.n_items)):
            scores = scores_or_popularity(model, block)
            if exclude_seen:
                hide(scores, block)
            shown.hide_others(scores, slice(first, first + block.shape[0]))
            lists.append(_ranked(model, scores, k, shown.for_all))
            first += block.shape[0]
            advance(block.shape[0])
    columns, best = (np.concatenate(blocks) for blocks in zip(*lists, strict=True))
    filled = columns >= 0
    rows, ranks = np.nonzero(filled)
    return pl.DataFrame(
        {
            "user_id": requested.ids.gather(rows),
            "item_id": model.items_.take(columns[filled]),
            "score": best[filled],
            "rank": (ranks + 1).astype(np.int32),
        }
    )


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
