"""The nearest items or users, as a frame of ids."""

import numpy as np
import polars as pl

from isotherm.data import IdMap
from isotherm.errors import ParameterError
from isotherm.linalg.cosine import cosines
from isotherm.models.scorer import Scorer
from isotherm.progress import stage
from isotherm.ranking.topk import top_k
from isotherm.types import Bools, Float32, Int32

_USERS_PER_BLOCK = 4096


def user_similarities(model: Scorer, row: int) -> Float32:
    """The cosine of each fitted user to the one at ``row``, (n_users,); 0 for a user without history."""
    history = model.histories_of(np.array([row]))
    vectors = model.user_vectors(history)
    vector = vectors[0] if isinstance(vectors, np.ndarray) else vectors.toarray()[0]
    n_users = len(model.users_)
    similarities = np.zeros(n_users, dtype=np.float32)
    with stage("compare users", n_users, "users") as advance:
        for first in range(0, n_users if history.nnz else 0, _USERS_PER_BLOCK):
            last = min(first + _USERS_PER_BLOCK, n_users)
            block = model.histories_of(np.arange(first, last))
            similarities[first:last] = cosines(model.user_vectors(block), vector)
            similarities[first:last][np.diff(block.indptr) == 0] = 0
            advance(last - first)
    return similarities


def nearest(
    name: str, ids: IdMap, similarities: Float32, itself: int, k: int, candidates: Bools | None = None
) -> tuple[Int32, pl.DataFrame]:
    """The k rows of the largest similarities (n,), and the frame of them: the column ``name``, score, rank.

    itself: the row that they are similar to; it is left out, as are those of similarity 0.
    Raises ParameterError where one is not a number.
    """
    if np.isnan(similarities).any():
        raise ParameterError("a similarity is not a number: what the model learned is too large for float32")
    scores = np.where(similarities == 0, np.float32(-np.inf), similarities)[None, :]
    scores[:, itself] = -np.inf
    top = top_k(scores, min(k, len(ids)), candidates)
    n = np.count_nonzero(top.columns[0] >= 0)
    rows, best = top.columns[0, :n], top.scores[0, :n]
    ranks = np.arange(1, n + 1, dtype=np.int32)
    return rows, pl.DataFrame({name: ids.take(rows), "score": best, "rank": ranks})
