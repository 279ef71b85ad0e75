"""Why a user is shown an item: what each click, and each metadata field, contributes to the score."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl

from isotherm.data import IdMap
from isotherm.models.scorer import Contributions
from isotherm.types import UserItems


@dataclass(frozen=True)
class Explanation:
    """Why a user is shown an item: exact additive shares of its score, largest first.

    by_item: item_id, share — from each item of the user's history.
    by_field: field, share — for an item known by its metadata only; None for one with clicks of its own.
    certainty: in [0, 1], how much of such an item its metadata explains; None where the model does not say.
    answered_by: "model", or "popularity" for a user without history, who was shown the most clicked items:
    the score is the item's number of clicks, and by_item is empty.
    """

    user: Any
    item: Any
    score: float
    by_item: pl.DataFrame
    by_field: pl.DataFrame | None = None
    certainty: float | None = None
    answered_by: Literal["model", "popularity"] = "model"


def explanation_of(
    user: Any, item: Any, history: UserItems, items: IdMap, contributions: Contributions
) -> Explanation:
    """The contributions with the ids of the history's items, largest first."""
    by_click = contributions.by_click
    order = np.argsort(-by_click, kind="stable")
    by_item = pl.DataFrame({"item_id": items.take(history.indices[order]), "share": by_click[order]})
    return Explanation(
        user, item, float(by_click.sum()), by_item, contributions.by_field, contributions.certainty
    )


def popularity_explanation(user: Any, item: Any, items: IdMap, n_clicks: int) -> Explanation:
    """For a user without history: the item's number of clicks."""
    by_item = pl.DataFrame({"item_id": items.take(np.arange(0)), "share": np.empty(0, dtype=np.float32)})
    return Explanation(user, item, float(n_clicks), by_item, answered_by="popularity")
