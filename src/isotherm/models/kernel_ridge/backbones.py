"""What scores the clicked items of kernel ridge: EASE in closed form, or any other backbone beside it.

All that is learned of new items is learned beside EASE, whose inverse gives the models of kept clicks at
little cost. Another backbone is fitted once, on all clicks, and speaks for the clicked items alone: its
scores s are brought to the level of EASE's for each user (``score_levels``), S = a·s + b. At that level trend
and factors of new items apply; then all scores are taken back, so that those of clicked items are the
backbone's own, and a new item scores (c − b) / a.

An item of few clicks scores θ + m·(S − e), where θ is its score beside EASE and e EASE's own: m goes from 0,
where nobody clicked it, to 1, where its own clicks are all that counts (``warm_up``).
"""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.data import IdMap, Interactions, Items
from isotherm.errors import ParameterError, UnsupportedError
from isotherm.linalg.csr import select_columns
from isotherm.models.base import Recommender
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.kernel_ridge.score_levels import ScoreLevels
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.registry import ModelChoices
from isotherm.models.scorer import Explains
from isotherm.state import Dense, Inner, Stateful
from isotherm.types import Bools, Float32, Float64, ItemIndex, Scores, UserItems

BACKBONES = ModelChoices("ease", "slim", "ials", "multvae", "multdae", "recvae")


def checked_backbone(backbone: Any) -> Recommender:
    """EASE for None, the default model for a name. Raises ParameterError for what is no backbone."""
    if backbone is None:
        return EASE()
    chosen: Recommender = backbone
    if not isinstance(backbone, EASE):
        chosen = BACKBONES.chosen("kernel-ridge: backbone", backbone)
    if getattr(chosen, "collective", 0):
        raise ParameterError("kernel-ridge reads metadata its own way: backbone.collective must be 0")
    return chosen


@dataclass(frozen=True, eq=False)
class AtEaseLevel:
    """Scores (n_users, n_items) of some users at EASE's level, and the way back to the backbone's."""

    scores: Scores

    def at_own_level(self, scores: Scores) -> Scores:
        """These scores, changed since, at the backbone's level, in place."""
        return scores

    def shares_at_own_level(self, by_click: Float32, by_term: Float64) -> tuple[Float32, Float64]:
        """What the first user's clicks, and the terms, give to the score of a new item."""
        return by_click, by_term


@dataclass(frozen=True, eq=False)
class OfOtherBackbone(AtEaseLevel):
    """The same where the backbone is not EASE.

    columns: (n_warm,) of the clicked items.  own, at_level: (n_users, n_warm) s and S of them.
    known: (n_users,) who has clicks on them; nothing can be said to the others.
    """

    columns: ItemIndex
    own: Scores
    at_level: Scores
    levels: ScoreLevels
    known: Bools

    def at_own_level(self, scores: Scores) -> Scores:
        """(S − b) / a; s itself where S did not change."""
        unchanged = scores[:, self.columns] == self.at_level
        self.levels.back(scores)
        scores[:, self.columns] = np.where(unchanged, self.own, scores[:, self.columns])
        scores[~self.known] = 0
        return scores

    def shares_at_own_level(self, by_click: Float32, by_term: Float64) -> tuple[Float32, Float64]:
        """−b/a is parted evenly among the clicks, and belongs to the last term, the constant."""
        a, b = self.levels.spread[0], self.levels.shift[0]
        by_term = by_term / a
        by_term[-1] -= b / a
        return np.asarray((by_click - b / len(by_click)) / a, dtype=np.float32), by_term


class OtherBackbone(Stateful):
    """A fitted backbone that is not EASE, in place of EASE's scores of the clicked items.

    model: over the items of its fit.  own_shares: m of each clicked item, (n_warm,) in [0, 1].
    """

    model: Recommender
    own_shares: Float32

    learned = (
        Inner("model", lambda holder, _: holder.model, {"n_items": "n_fitted"}),
        Dense("own_shares", np.float32, ("n_warm",), least=0, most=1),
    )

    def __init__(self, model: Recommender, n_items: int) -> None:
        """n_items: of the fit."""
        self.model, self.n_items = model, n_items
        self.own_shares = np.empty(0, dtype=np.float32)
        model.items_ = IdMap.numbered(n_items)  # it answers in rows and columns only

    @classmethod
    def fitted(
        cls, backbone: Recommender, clicks: Interactions, items: Items | None, options: FitOptions
    ) -> "OtherBackbone":
        """A copy of ``backbone`` is fitted, once."""
        return cls(copy(backbone).fit(clicks, items, options), clicks.n_items)

    def at_ease_level(self, weights: DenseWeights, user_items: UserItems) -> OfOtherBackbone:
        """Scores of histories (n_users, n_items).

        weights: EASE's, then the columns of items of few clicks and of new ones.
        """
        columns, shares = weights.rows, self.own_shares
        histories = select_columns(user_items, columns)
        own = np.ascontiguousarray(self.model.score(self._of_fit(user_items))[:, columns])
        ease = weights.warm_scores(user_items)
        scores = weights.scores_beside(ease, user_items)
        levels = ScoreLevels.matching(own, ease, histories)
        at_level = levels.to_level(own)
        few = np.flatnonzero(shares < 1)
        blended = scores[:, columns[few]] + shares[few] * (at_level[:, few] - ease[:, few])
        scores[:, columns] = at_level
        scores[:, columns[few]] = blended
        return OfOtherBackbone(scores, columns, own, at_level, levels, np.diff(histories.indptr) > 0)

    def user_vectors(self, user_items: UserItems) -> Float32 | UserItems:
        """As the backbone has them."""
        return self.model.user_vectors(self._of_fit(user_items))

    def shares_of_clicked(
        self, weights: DenseWeights, history: UserItems, column: int, trend: float
    ) -> Float32:
        """What each click of one user gives to (f·(θ + m·(S − e)) − b) / a, the score of a clicked item.

        trend: f, the item's factor.  Raises UnsupportedError where the backbone's s is no sum over clicks.
        """
        if not isinstance(self.model, Explains):
            raise UnsupportedError(
                f"kernel-ridge on {self.model.name} has no exact explanation of the score of an item with "
                "clicks; it has one of new items"
            )
        of_fit = self._of_fit(history)
        own = np.zeros(history.nnz, dtype=np.float32)
        own[: of_fit.nnz] = self.model.contributions(of_fit, column).by_click
        levels = self.at_ease_level(weights, history).levels
        a, b = levels.spread[0], levels.shift[0]
        share = trend * self.own_shares[np.searchsorted(weights.rows, column)]
        rest = trend * weights.shares(history, column) - share * weights.warm_shares(history, column)
        return np.asarray(share * own + (rest + (share - 1) * b / history.nnz) / a, dtype=np.float32)

    def _of_fit(self, user_items: UserItems) -> UserItems:
        """Without items that came later."""
        if user_items.shape[1] == self.n_items:
            return user_items
        return select_columns(user_items, np.arange(self.n_items))
