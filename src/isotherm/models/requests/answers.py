"""The lists of a few histories as arrays: what a server asks for at each request.

The pass over the scores is that of ``recommend``, so that a list never depends on how many it came with.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse

from isotherm.checks import one_of
from isotherm.errors import ParameterError
from isotherm.models.requests.histories import checked_block
from isotherm.models.requests.item_filter import ItemFilter
from isotherm.models.requests.recommendations import best_lists
from isotherm.models.requests.requested import known_histories
from isotherm.models.scorer import Scorer
from isotherm.types import Array, Bools, Float32, Int32, Int64, UserItems


@dataclass(frozen=True, eq=False)
class Answers:
    """The lists of n histories, best items first.

    columns: (n, k) int32, rows of ``model.items_``, -1 where a list is shorter.  scores: (n, k) float32, -inf
    there.  new: (n, k) bool, whether nobody had clicked the item in the log of the fit.
    by_popularity: (n,) bool, of a history that says nothing to the model, as one without a known item:
    its scores are the items' numbers of clicks.
    unknown: (n,) int64, how many different ids of each history the model does not know.
    """

    columns: Int32
    scores: Float32
    new: Bools
    by_popularity: Bools
    unknown: Int64


def answers_for(
    model: Scorer,
    histories: Any,
    k: int,
    exclude_seen: bool,
    candidates: Any,
    exclude: Any,
    unknown: str,
) -> Answers:
    """At most k items for each history; the arguments are those of ``Recommender.answer``."""
    unknown = one_of("unknown", unknown, ("error", "popular"))
    block, n_unknown = _known(model, histories, unknown)
    shown = _filter(model, block.shape[0], candidates, exclude, unknown)
    lists, by_popularity = best_lists(model, block, min(k, model.n_items), exclude_seen, shown)
    columns, scores = lists
    new = (columns >= 0) & (model.item_clicks()[columns] == 0)
    return Answers(columns, scores, new, by_popularity, n_unknown)


def _known(model: Scorer, histories: Any, unknown: str) -> tuple[UserItems, Int64]:
    """Histories over the catalogue, and how many ids of each are unknown."""
    if issparse(histories):
        block = checked_block(histories, model.n_items)
        return block, np.zeros(block.shape[0], dtype=np.int64)
    return known_histories(histories, model.items_, unknown)


def _filter(model: Scorer, n: int, candidates: Any, exclude: Any, unknown: str) -> ItemFilter:
    """From flags by column, or ids."""
    ids = {"candidates": candidates, "exclude": exclude}
    flags = {name: ids.pop(name) for name in list(ids) if _are_flags(ids[name])}
    shown = ItemFilter.of(model.items_, n, ids.get("candidates"), ids.get("exclude"), unknown)
    for name, given in flags.items():
        allowed = _checked_flags(name, given, n, model.n_items)
        shown = shown.only(allowed if name == "candidates" else ~allowed)
    return shown


def _are_flags(given: Any) -> bool:
    return isinstance(given, np.ndarray) and given.dtype == np.bool_


def _checked_flags(name: str, flags: Array, n: int, n_items: int) -> Bools:
    """Flags for all, or a row for each history. Raises ParameterError for another shape."""
    if flags.shape not in ((n_items,), (n, n_items)):
        raise ParameterError(
            f"{name} are flags of shape {flags.shape}: give one for each of {n_items} items, for all or in a "
            f"row for each of {n} histories"
        )
    return flags
