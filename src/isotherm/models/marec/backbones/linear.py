"""MARec on item-item weights: EASE (eq. 9) and weighted SLIM (eq. 10-11), exactly, by their structure.

With A = C(I + αGD) + Λ and P = A⁻¹ the weights of eq. 9 are Θ = I − P·diag(m), Λ and m as the backbone has
them (λI and 1/diag(P) in eq. 9). D is not zero on few columns:

* never clicked (cold) items, d = β: the warm block is plain EASE's, and the cold column of item j is
  αβ·O·g_j with O = P·C on the warm items and g_j its metadata similarities to them;
* rarely clicked items S, 0 < d < β: by Woodbury P = Q − L·Q_S with Q = (C + Λ)⁻¹, V = αC·G_S·D_S and
  L = QV(I + (QV)_S)⁻¹; then O = I − PΛ − L·E_S, where E_S picks the rows of S.

So a new item is one product with O, and a score of it is split exactly over fields: scoreⱼ = αβ·(Oᵀx)·g_j.

A cold column of weighted SLIM is the same with λ₁/w₁ for λ: nobody clicked the item, so that all users weigh
w₁. Its clicked columns are solved one by one behind the same P (see ``slim``).
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from isotherm.linalg.csr import row_blocks, select_columns
from isotherm.linalg.products import products
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.cold_start.calibration import mean_ndcg
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.linear.penalties import Penalties
from isotherm.models.linear.slim import SLIM, AlignedColumns
from isotherm.models.marec.backbones.base import (
    AlignedBackbone,
    Aligner,
    BackboneData,
    ExplainsFields,
    WeightsBackbone,
)
from isotherm.models.marec.beta import BetaChoice, HiddenItems, learned_beta
from isotherm.models.marec.cold_operator import AlignmentOperator
from isotherm.models.marec.similarity import ItemMetadata
from isotherm.state import Dense, Field, Inner, Plain
from isotherm.types import Float32, ItemIndex, ItemWeights, Scores, Similarities, UserItems
from isotherm.untrusted import Number

_SMOOTHINGS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # t, tried on hidden items
_ALIKE = 0.98  # of the best ranking: less is the luck of which items are hidden
_USERS = 1_000  # of a block that ranks them


@dataclass(frozen=True)
class WarmWeights:
    """Solved weights of the warm items: Θ, (n_warm, n_warm), and the operator αO."""

    weights: ItemWeights
    operator: AlignmentOperator

    def warm_scores(self, user_items: UserItems) -> Scores:
        """x·Θ, (n_users, n_warm)."""
        return products(user_items, self.weights)

    def new_item_scorer(self, similarities: Similarities) -> Callable[[UserItems], Scores]:
        """x·αO·g, from histories to scores (n_users, n_new)."""
        columns = self.operator.columns(similarities)
        return lambda user_items: products(user_items, columns.T)

    def smoothed_by(self, smoothing: float) -> "WarmWeights":
        """The same with that share t of the smoothing."""
        return WarmWeights(self.weights, replace(self.operator, smoothing=smoothing))


def best_smoothing(fitted: WarmWeights, hidden: HiddenItems) -> float:
    """The t that ranks hidden items best among each other: the middle of those that do so alike.

    fitted: trained without them.
    """
    split = hidden.split
    targets = select_columns(split.targets, split.hidden_items)
    smoothed = fitted.smoothed_by(1.0).operator.columns(hidden.to_kept)
    plain = fitted.smoothed_by(0.0).operator.columns(hidden.to_kept)
    ndcgs = np.zeros(len(_SMOOTHINGS))
    histories = split.histories
    for block, found in zip(row_blocks(histories, _USERS), row_blocks(targets, _USERS), strict=True):
        ends = products(block, smoothed.T), products(block, plain.T)
        for number, share in enumerate(_SMOOTHINGS):
            scores = np.float32(share) * ends[0] + np.float32(1 - share) * ends[1]
            ndcgs[number] += mean_ndcg(scores, found) * np.count_nonzero(np.diff(found.indptr))
    return round(float(np.mean(np.array(_SMOOTHINGS)[ndcgs >= _ALIKE * ndcgs.max()])), 3)


@dataclass(eq=False)
class LinearBackbone(WeightsBackbone, ExplainsFields):
    """Warm weights of the backbone's own, columns of new items through the operator O.

    smoothing: t.  ridge: Λ, (n_warm,).  scale: 1/m, (n_warm,).  rare: S, (s,).  woodbury: L, (n_warm, s).
    """

    alpha: float
    smoothing: float
    ridge: Float32
    scale: Float32
    rare: ItemIndex
    woodbury: Float32

    learned: ClassVar[Iterable[Field]] = (
        *WeightsBackbone.learned,
        Inner("weights", DenseWeights.empty, {"n_rows": "n_warm"}),
        Plain("smoothing", Number(least=0, most=1)),
        Dense("ridge", np.float32, ("n_warm",), least=0),
        Dense("scale", np.float32, ("n_warm",)),
        Dense("rare", np.int64, ("n_rare",), below="n_warm", ascending=True),
        Dense("woodbury", np.float32, ("n_warm", "n_rare")),
    )

    @property
    @abstractmethod
    def inverse(self) -> RidgeInverse:
        """P."""

    @property
    def operator(self) -> AlignmentOperator:
        """αO."""
        return AlignmentOperator(self.alpha, self.inverse, self.rare, self.woodbury, self.smoothing)

    def extended(self, n_items: int, columns: ItemIndex, new: ItemMetadata) -> Self:
        """With αβ·O·g as the weight columns of new items."""
        return self.with_columns(n_items, columns, new.similarities)

    def with_columns(self, n_items: int, columns: ItemIndex, similarities: Similarities) -> Self:
        """The same by their G to the warm items, (n_new, n_warm)."""
        weights = np.float32(self.beta) * self.operator.columns(similarities)
        return replace(self, weights=self.weights.appended(n_items, columns, np.ascontiguousarray(weights.T)))

    def history_projection(self, history: UserItems) -> Float32:
        """αOᵀx."""
        clicked = select_columns(history, self.weights.rows).toarray().ravel().astype(np.float32)
        return self.operator.history_projection(clicked)


@dataclass(eq=False)
class EASEBackbone(LinearBackbone):
    """Eq. 9: P in the form of the model's weights."""

    @property
    def inverse(self) -> RidgeInverse:
        """P, whose weights are the warm block."""
        return RidgeInverse(self.weights.warm, self.scale, self.ridge, self.penalties.relaxation)


@dataclass(eq=False)
class SLIMBackbone(LinearBackbone):
    """Eq. 10-11.  inverse_weights: Θ of the inverse that all columns share, (n_warm, n_warm)."""

    inverse_weights: ItemWeights

    learned: ClassVar[Iterable[Field]] = (
        *LinearBackbone.learned,
        Dense("inverse_weights", np.float32, ("n_warm", "n_warm")),
    )

    @property
    def inverse(self) -> RidgeInverse:
        """P, which is not the model's weights here."""
        return RidgeInverse(self.inverse_weights, self.scale, self.ridge, self.penalties.relaxation)


class LinearAligner(Aligner):
    """What EASE and SLIM share: β is chosen before the rare columns are aligned, which depend on it.

    smoothing: t, or "auto".
    """

    def __init__(self, alpha: float, smoothing: float | str) -> None:
        self.alpha, self.smoothing = alpha, smoothing

    def held(self, fitted: AlignedBackbone) -> Self:
        """With the smoothing of that fit."""
        held = copy(self)
        held.smoothing = getattr(fitted, "smoothing", self.smoothing)
        return held

    def fit(self, data: BackboneData, choice: BetaChoice) -> LinearBackbone:
        """Solve without rare items, choose β, align the rare columns and then those never clicked."""
        alignment, columns = data.alignment, data.columns
        solved, kept = self._solved(alignment.user_items, data.gram), None
        smoothing = 1.0 if isinstance(self.smoothing, str) else self.smoothing
        if choice.hidden is not None:
            kept = self._solved(choice.hidden.split.kept_clicks)
            if self.smoothing == "auto":
                smoothing = best_smoothing(kept, choice.hidden)
        solved = solved.smoothed_by(smoothing)

        def learn(hidden: HiddenItems) -> float:
            assert kept is not None
            return learned_beta(solved, kept.smoothed_by(smoothing), hidden, alignment.user_items)

        beta = choice.choose(learn, default=1.0)
        kept = None  # as large as the other
        if len(alignment.rare):
            strength = np.float32(self.alpha * beta) * alignment.decay
            rare = AlignedColumns(alignment.rare, alignment.rare_similarities * strength[:, None])
            solved = self._with_rare(solved, alignment.user_items, rare)
        weights = DenseWeights.among(columns.n_items, columns.warm, solved.weights)
        backbone = self._backbone(beta, weights, solved.operator, self.penalties)
        return backbone.with_columns(columns.n_items, columns.new, alignment.cold_similarities)

    def empty(self, sizes: Mapping[str, int]) -> LinearBackbone:
        """To be filled with what a saved model holds."""
        nothing = np.empty((0, 0), dtype=np.float32)
        operator = AlignmentOperator.without_rare(self.alpha, RidgeInverse.of(nothing, 1.0))
        return self._backbone(0.0, DenseWeights.empty(self, sizes), operator, Penalties(1.0))

    @property
    @abstractmethod
    def penalties(self) -> Penalties:
        """Of the operator."""

    @abstractmethod
    def _solved(self, user_items: UserItems, gram: Float32 | None = None) -> WarmWeights:
        """Without rare items.  gram: XᵀX where the caller has it, which is overwritten."""

    @abstractmethod
    def _with_rare(self, solved: WarmWeights, user_items: UserItems, rare: AlignedColumns) -> WarmWeights:
        """With them, in place of ``solved``."""

    @abstractmethod
    def _backbone(
        self, beta: float, weights: DenseWeights, operator: AlignmentOperator, penalties: Penalties
    ) -> LinearBackbone:
        """The fitted thing."""


class EASEAligner(LinearAligner):
    """Eq. 9."""

    def __init__(self, backbone: EASE, alpha: float, smoothing: float | str = 1.0) -> None:
        super().__init__(alpha, smoothing)
        self.backbone = backbone

    def settled(self, user_items: UserItems) -> "EASEAligner":
        """With EASE's penalties."""
        return EASEAligner(self.backbone.settled(user_items), self.alpha, self.smoothing)

    @property
    def penalties(self) -> Penalties:
        """EASE's."""
        return self.backbone.penalties

    def _solved(self, user_items: UserItems, gram: Float32 | None = None) -> WarmWeights:
        operator = AlignmentOperator.without_rare(self.alpha, self.backbone.solve(user_items, gram))
        return WarmWeights(operator.inverse.weights, operator)

    def _with_rare(self, solved: WarmWeights, user_items: UserItems, rare: AlignedColumns) -> WarmWeights:
        operator = solved.operator.with_rare(rare.columns, rare.similarities)
        return WarmWeights(operator.inverse.weights, operator)

    def _backbone(
        self, beta: float, weights: DenseWeights, operator: AlignmentOperator, penalties: Penalties
    ) -> EASEBackbone:
        inverse = operator.inverse
        return EASEBackbone(
            beta, weights, penalties, self.alpha, operator.smoothing, inverse.ridge, inverse.scale,
            operator.rare, operator.woodbury,
        )  # fmt: skip


class SLIMAligner(LinearAligner):
    """Eq. 10-11."""

    def __init__(self, backbone: SLIM, alpha: float, smoothing: float | str = 1.0) -> None:
        super().__init__(alpha, smoothing)
        self.backbone = backbone

    def settled(self, user_items: UserItems) -> "SLIMAligner":
        """With SLIM's λ₁."""
        return SLIMAligner(self.backbone.settled(user_items), self.alpha, self.smoothing)

    @property
    def penalties(self) -> Penalties:
        """λ₁/w₁: nobody clicked a new item, so that all users weigh w₁."""
        return self.backbone.inverse_penalties

    def _solved(self, user_items: UserItems, gram: Float32 | None = None) -> WarmWeights:
        operator = AlignmentOperator.without_rare(self.alpha, self.backbone.ridge_inverse(user_items, gram))
        weights = self.backbone.solve_columns(user_items, operator.inverse)
        return WarmWeights(weights, operator)

    def _with_rare(self, solved: WarmWeights, user_items: UserItems, rare: AlignedColumns) -> WarmWeights:
        operator = solved.operator.with_rare(rare.columns, rare.similarities)
        weights = self.backbone.solve_columns(user_items, operator.inverse, rare)
        return WarmWeights(weights, operator)

    def _backbone(
        self, beta: float, weights: DenseWeights, operator: AlignmentOperator, penalties: Penalties
    ) -> SLIMBackbone:
        inverse = operator.inverse
        return SLIMBackbone(
            beta, weights, penalties, self.alpha, operator.smoothing, inverse.ridge, inverse.scale,
            operator.rare, operator.woodbury, inverse.weights,
        )  # fmt: skip
