"""MARec on collective EASE (eq. 8-9 with λ₀): the item features F are explained beside the clicks.

P = (A + λ₀FᵀF + λ₁I)⁻¹ with A = C(I + αGD) is now over all items of the table, as FᵀF is not zero on items
without clicks. D is not zero on the rare and the never-clicked columns R, so that P = Q − L·Q_R by Woodbury
with Q = (C + λ₀FᵀF + λ₁I)⁻¹, as in ``linear``; and Θ = I − P·diag(P)⁻¹ as ever.

An item that comes later borders the matrix by one row and column. By the bordered inverse its column is

    Θ_new = λ₀P·Fᵀf + αβ·P·C·g,   P·C·g = y − λ₁Py − λ₀P·FᵀF·y,   y = (I + αGD)⁻¹g

which is exactly what eq. 9 gives it when it is the only item more; the others' columns, which would move a
little, are held.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.cholesky import invert_in_place
from isotherm.linalg.ridge_inverse import RidgeInverse, woodbury_factor
from isotherm.models.cold_start.calibration import WarmAndCold, top_items
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.linear.penalties import Penalties
from isotherm.models.marec.backbones.base import (
    Aligner,
    BackboneData,
    WeightsBackbone,
)
from isotherm.models.marec.beta import BetaChoice, HiddenItems
from isotherm.models.marec.similarity import ItemMetadata
from isotherm.state import Dense, Field, Inner, Sparse
from isotherm.types import Float32, ItemFeatures, ItemIndex, Similarities, UserItems

_STEPS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.5, 5.0)  # of β, in units of the warm scores' level


@dataclass(frozen=True)
class NewColumns:
    """The two terms of new items' weight columns, as rows (n_new, n).

    from_features: λ₀P·Fᵀf.  from_similarities: αP·C·g, for β = 1.
    """

    from_features: Float32
    from_similarities: Float32

    def at_beta(self, beta: float) -> Float32:
        """Θ_new: from features + β · from similarities, (n_new, n)."""
        both: Float32 = self.from_features + np.float32(beta) * self.from_similarities
        return both


@dataclass(frozen=True)
class CollectiveOperator:
    """From what is known of a new item to its weight column.

    inverse: P, over n items, the n_warm warm ones first.  features: Fᵀ, (n, n_features).  rare: S, (s,).
    rare_similarities: αβD_S·G_S, (s, n_warm).  alpha: α.  l0: λ₀.
    """

    inverse: RidgeInverse
    features: ItemFeatures
    rare: ItemIndex
    rare_similarities: Similarities
    alpha: float
    l0: float

    def columns(self, similarities: Similarities, features: ItemFeatures) -> NewColumns:
        """By the new items' G to the warm ones, (n_new, n_warm), and their features, (n_new, n_features)."""
        l0, n_warm = np.float32(self.l0), similarities.shape[1]
        known = np.zeros((len(similarities), len(self.inverse.scale)), dtype=np.float32)
        known[:, :n_warm] = similarities
        if len(self.rare):  # y = (I + αGD)⁻¹g
            core = np.eye(len(self.rare), dtype=np.float32) + self.rare_similarities[:, self.rare].T
            known[:, :n_warm] -= (
                np.linalg.solve(core, similarities[:, self.rare].T).T @ self.rare_similarities
            )
        alike = (self.features @ (self.features.T @ known.T)).T  # FᵀF·y
        smoothed = self.inverse.times(self.inverse.ridge * known + l0 * alike)
        shared = (self.features @ features.T).toarray().T.astype(np.float32)  # Fᵀf
        return NewColumns(self.inverse.times(l0 * shared), np.float32(self.alpha) * (known - smoothed))


@dataclass(eq=False)
class CollectiveBackbone(WeightsBackbone):
    """Eq. 9 with λ₀ > 0; its first weights are Θ of the warm items, then of the table's without clicks.

    ease: with its λ₀.  scale: diag(P), (n,).  features, rare, rare_similarities: of the operator.
    """

    ease: EASE
    alpha: float
    scale: Float32
    features: ItemFeatures
    rare: ItemIndex
    rare_similarities: Similarities

    learned: ClassVar[Iterable[Field]] = (
        *WeightsBackbone.learned,
        Inner("weights", DenseWeights.empty, {"n_rows": "n"}),
        Dense("scale", np.float32, ("n",)),
        Sparse("features", ("n", "n_features")),
        Dense("rare", np.int64, ("n_rare",), below="n_warm", ascending=True),
        Dense("rare_similarities", np.float32, ("n_rare", "n_warm")),
    )

    @property
    def operator(self) -> CollectiveOperator:
        """From a new item to its column."""
        ridge = np.full(len(self.scale), self.penalties.l2, dtype=np.float32)
        inverse = RidgeInverse(self.weights.warm, self.scale, ridge)
        return CollectiveOperator(
            inverse, self.features, self.rare, self.rare_similarities, self.alpha, self.ease.collective
        )

    def extended(self, n_items: int, columns: ItemIndex, new: ItemMetadata) -> Self:
        """With the columns of eq. 9; the others' are held."""
        weights = self.operator.columns(new.similarities, new.features()).at_beta(self.beta)
        return replace(self, weights=self.weights.appended(n_items, columns, np.ascontiguousarray(weights.T)))


class CollectiveAligner(Aligner):
    """EASE with λ₀ > 0."""

    def __init__(self, backbone: EASE, alpha: float) -> None:
        self.backbone, self.alpha = backbone, alpha

    def settled(self, user_items: UserItems) -> "CollectiveAligner":
        """With EASE's λ₁."""
        return CollectiveAligner(self.backbone.settled(user_items), self.alpha)

    def fit(self, data: BackboneData, choice: BetaChoice) -> CollectiveBackbone:
        """Invert without alignment, choose β, align the rare and the never-clicked columns."""
        alignment, features = data.alignment, data.features()
        n_warm = alignment.n_warm
        inverse = self._inverse(features, data.gram)
        beta = choice.choose(lambda hidden: self._learned_beta(hidden, features[:n_warm]), default=1.0)
        strength = np.float32(self.alpha * beta)
        rare = strength * alignment.decay[:, None] * alignment.rare_similarities
        if len(alignment.columns):
            aligned = np.concatenate([rare, strength * alignment.cold_similarities])
            product = inverse[:, :n_warm] @ (data.gram @ aligned.T)  # QV, (n, s + n_cold)
            factor = woodbury_factor(product, alignment.columns)
            inverse -= factor @ inverse[alignment.columns]
        solved = RidgeInverse.of(inverse, self.backbone.penalties.l2)
        order = np.concatenate([data.columns.warm, data.columns.new])
        weights = DenseWeights.among(data.columns.n_items, order, solved.weights)
        return CollectiveBackbone(
            beta, weights, self.backbone.penalties, self.backbone, self.alpha, solved.scale,
            features, alignment.rare, rare,
        )  # fmt: skip

    def empty(self, sizes: Mapping[str, int]) -> CollectiveBackbone:
        """To be filled with what a saved model holds."""
        nothing = np.empty((0, 0), dtype=np.float32)
        rare, features = np.empty(0, dtype=np.int64), csr_array((0, 0), dtype=np.float32)
        weights, none = DenseWeights.empty(self, sizes), nothing.ravel()
        return CollectiveBackbone(
            0.0, weights, Penalties(1.0), self.backbone, self.alpha, none, features, rare, nothing
        )

    def _inverse(self, features: ItemFeatures, gram: Float32) -> Float32:
        """Q = (C + λ₀FᵀF + λ₁I)⁻¹, (n, n).  features: Fᵀ, (n, n_features).  gram: C, (n_warm, n_warm)."""
        n, n_warm = features.shape[0], len(gram)
        total = np.zeros((n, n), dtype=np.float32)
        total[:n_warm, :n_warm] = gram
        self.backbone.add_features(total, features)
        total.flat[:: n + 1] += np.float32(self.backbone.penalties.l2)
        invert_in_place(total)
        return total

    def _learned_beta(self, hidden: HiddenItems, features: ItemFeatures) -> float:
        """Of a grid around the level of warm scores, the β that ranks hidden items best among all.

        features: of the warm items.
        """
        split = hidden.split
        kept_features = features[split.kept_items]
        inverse = self._inverse(kept_features, self.backbone.gram(split.kept_clicks))
        solved = RidgeInverse.of(inverse, self.backbone.penalties.l2)
        nothing = np.empty((0, len(split.kept_items)), dtype=np.float32)
        operator = CollectiveOperator(
            solved, kept_features, np.empty(0, dtype=np.int64), nothing, self.alpha, self.backbone.collective
        )
        columns = operator.columns(hidden.to_kept, features[split.hidden_items])
        warm = top_items(split.histories, solved.weights, split.kept_items, hide_seen=True)

        def lists(weights: Float32) -> WarmAndCold:
            return WarmAndCold(warm, top_items(split.histories, weights.T, split.hidden_items))

        unit = lists(columns.from_similarities).level_ratio()
        betas = (unit * step for step in _STEPS)
        return max(betas, key=lambda beta: lists(columns.at_beta(beta)).ndcg(split.targets))
