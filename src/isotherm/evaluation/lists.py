"""Lists of the best items for each test user, in every candidate set.

One pass over user blocks a model: score, hide what was seen, list the best. No users × items array exists.
"""

from collections.abc import Sequence

import numpy as np

from isotherm.data import Split
from isotherm.errors import ParameterError
from isotherm.evaluation.candidates import CandidateSet
from isotherm.linalg.csr import row_blocks
from isotherm.memory import users_per_block
from isotherm.models.base import Recommender
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide
from isotherm.types import Int32, Int64, Scores, UInt64, UserItems


def ranked_lists(
    model: Recommender, split: Split, sets: Sequence[CandidateSet], k: int, seed: int = 0
) -> dict[str, Int32]:
    """The list of each set for its users, (n_users, k) int32, -1 where fewer items are left.

    Among equal scores lots are drawn, user by user: item ids often follow popularity, and a model that
    knows nothing of new items must not profit from their order.
    Raises ParameterError where the model's scores are not numbers, or of another shape.
    """
    n_users, n_items = split.histories.matrix.shape
    tie_seeds = np.random.default_rng(seed).integers(2**63, size=n_users, dtype=np.uint64)
    users = np.unique(np.concatenate([each.user_rows for each in sets])) if sets else np.arange(0)
    histories = split.histories.matrix if len(users) == n_users else split.histories.matrix[users]
    k = min(k, n_items)
    lists = {each.name: np.empty((len(users), k), dtype=np.int32) for each in sets}
    first = 0
    with stage(f"rank with {model.name}", len(users), "users") as advance:
        for block in row_blocks(histories, users_per_block(n_items)):
            rows = slice(first, first + block.shape[0])
            scores = _scores(model, block)
            hide(scores, block)
            if split.negatives is not None:
                scores = _only_sampled(scores, split, split.negatives, users[rows])
            tops = _tops(model, scores, k, sets, tie_seeds[users[rows]])
            for each, top in zip(sets, tops, strict=True):
                lists[each.name][rows] = top.columns
            advance(block.shape[0])
            first += block.shape[0]
    return {each.name: lists[each.name][np.searchsorted(users, each.user_rows)] for each in sets}


def _scores(model: Recommender, block: UserItems) -> Scores:
    """A model's scores of a block, ours to write to. Raises ParameterError for another shape."""
    given = np.asarray(model.score(block))
    if given.shape != block.shape or given.dtype.kind not in "fiub":
        raise ParameterError(
            f"{model!r}: score gave an array of shape {given.shape} and type {given.dtype} where numbers of "
            f"shape {block.shape} are needed"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and still in order
        return np.require(given, np.float32, ["C", "W"])


def _only_sampled(scores: Scores, split: Split, negatives: Int64, rows: Int64) -> Scores:
    """The scores of each user's target and sampled negatives; -inf elsewhere."""
    target = split.targets.indices[split.targets.indptr[rows]]
    columns = np.column_stack([target, negatives[rows]])
    sampled = np.full_like(scores, -np.inf)
    np.put_along_axis(sampled, columns, np.take_along_axis(scores, columns, axis=1), axis=1)
    return sampled


def _tops(
    model: Recommender, scores: Scores, k: int, sets: Sequence[CandidateSet], tie_seeds: UInt64
) -> list[TopK]:
    """The lists of a block in each set. Raises ParameterError where a score is not a number."""
    try:
        return model.rank(scores, k, [each.items for each in sets], tie_seeds)
    except ValueError as cause:
        raise ParameterError(f"{model!r}: {cause}") from cause
