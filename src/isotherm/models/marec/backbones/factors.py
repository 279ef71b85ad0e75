"""MARec on matrix factorization: the alignment as confidence-weighted soft targets of iALS.

The soft targets of item j, b_uj = β·x_u·g_j (eq. 6 without D), enter the loss with the confidence c_j =
d_j/β, which falls with the clicks that the item has of its own:

    iALS + αw Σ_j c_j Σ_u (b_uj − p_u·q_j)²

No users × items array is needed: Σ_u b_uj p_u = (XᵀP)ᵀ·βg_j, and Σ_j b_uj q_j is a product of x_u with one
item × factor table. A new item's factors are one d × d solve, linear in g_j, so that its score is split
exactly over clicks (Hu et al. 2008, §5) and over fields.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import select_columns
from isotherm.linalg.products import fill_table_products, table_products
from isotherm.models.factorization.auto import Regularization
from isotherm.models.factorization.ials import IALS, SoftTargets
from isotherm.models.factorization.least_squares import HeldFactors
from isotherm.models.marec.backbones.base import (
    AlignedBackbone,
    Aligner,
    Alignment,
    BackboneData,
    CatalogueColumns,
    ExplainsFields,
)
from isotherm.models.marec.beta import BetaChoice, HiddenItems, learned_beta
from isotherm.models.marec.similarity import ItemMetadata
from isotherm.state import Dense, Field, Inner, Stateful
from isotherm.types import Float32, ItemIndex, Scores, Similarities, UserItems


@dataclass(eq=False)
class TrainedFactors(Stateful):
    """Factors before β is chosen.

    model: whose settings, with λ and w of ``regularization``, fold users in.  items: q of the warm items,
    (n_warm, d).
    of_similarities: M (n_warm, d), with which the factors of a new item are β·g·M.
    """

    model: IALS
    regularization: Regularization
    items: Float32
    of_similarities: Float32

    learned: ClassVar[Iterable[Field]] = (
        Regularization.declared("regularization"),
        Dense("items", np.float32, ("n_warm", "factors")),
        Dense("of_similarities", np.float32, ("n_warm", "factors")),
    )

    @property
    def factors(self) -> int:
        """d."""
        return self.model.factors

    @cached_property
    def backbone(self) -> IALS:
        """With numbers."""
        return self.model.by(self.regularization)

    def new_factors(self, similarities: Similarities, beta: float = 1.0) -> Float32:
        """β·g·M of each row g of G, (n_new, d)."""
        factors: Float32 = np.float32(beta) * (similarities @ self.of_similarities)
        return factors

    @cached_property
    def held(self) -> HeldFactors:
        """The warm items' factors, as users are folded in by."""
        return self.backbone.held(self.items)

    def fold_in(self, user_items: UserItems) -> Float32:
        """Factors p of users, (n_users, d), by their histories over the warm items."""
        return self.backbone.fold_in(user_items, self.held)

    def warm_scores(self, user_items: UserItems) -> Scores:
        """p·q, (n_users, n_warm)."""
        return table_products(self.fold_in(user_items), self.items)

    def new_item_scorer(self, similarities: Similarities) -> Callable[[UserItems], Scores]:
        """p·(g·M), from histories to scores (n_users, n_new)."""
        factors = self.new_factors(similarities)
        return lambda user_items: table_products(self.fold_in(user_items), factors)


@dataclass(eq=False)
class FactorsBackbone(AlignedBackbone, ExplainsFields):
    """iALS with soft targets.  new_factors: of the new items, (n_new, d)."""

    trained: TrainedFactors
    columns: CatalogueColumns
    new_factors: Float32

    learned: ClassVar[Iterable[Field]] = (
        *AlignedBackbone.learned,
        Inner("trained", lambda backbone, _: backbone.trained, {"n_warm": "n_warm"}),
        Inner("columns", lambda backbone, _: backbone.columns, {"n_warm": "n_warm", "n_new": "n_new"}),
        Dense("new_factors", np.float32, ("n_new", "factors")),
    )

    @property
    def factors(self) -> int:
        """d."""
        return self.trained.factors

    @property
    def regularization(self) -> Regularization:
        """Of iALS."""
        return self.trained.regularization

    def extended(self, n_items: int, columns: ItemIndex, new: ItemMetadata) -> Self:
        """With the factors of new items."""
        factors = self.trained.new_factors(new.similarities, self.beta)
        return replace(
            self,
            columns=self.columns.appended(n_items, columns),
            new_factors=np.concatenate([self.new_factors, factors]),
        )

    def scores(self, user_items: UserItems) -> Scores:
        """p·q: one fold-in, two products."""
        users = self.user_vectors(user_items)
        scores = np.zeros((len(users), self.columns.n_items), dtype=np.float32)
        fill_table_products(users, self.trained.items, self.columns.warm, scores)
        fill_table_products(users, self.new_factors, self.columns.new, scores)
        return scores

    def similarities(self, column: int) -> Float32:
        """Cosines of factors."""
        table = self._item_factors()
        return cosines(table, table[column])

    def user_vectors(self, user_items: UserItems) -> Float32:
        """Folded-in factors."""
        return self.trained.fold_in(select_columns(user_items, self.columns.warm))

    def click_shares(self, history: UserItems, column: int) -> Float32:
        """Hu et al. 2008, §5; a click on a new item gives nothing."""
        factors = self._item_factors()[column]
        return self.trained.backbone.click_shares(history, self.columns.warm, self.trained.items, factors)

    def history_projection(self, history: UserItems) -> Float32:
        """M·p of the folded-in user."""
        projection: Float32 = self.trained.of_similarities @ self.user_vectors(history)[0]
        return projection

    def _item_factors(self) -> Float32:
        return self.columns.table(self.trained.items, self.new_factors)


class FactorsAligner(Aligner):
    """iALS.  alpha: α, the weight of a soft target beside an unclicked cell."""

    def __init__(self, backbone: IALS, alpha: float) -> None:
        self.backbone, self.alpha = backbone, alpha

    def settled(self, user_items: UserItems) -> "FactorsAligner":
        """With iALS's λ and w."""
        return FactorsAligner(self.backbone.settled(user_items), self.alpha)

    def fit(self, data: BackboneData, choice: BetaChoice) -> FactorsBackbone:
        """Train with β as given, or with its natural scale and then choose it for new items."""
        alignment = data.alignment
        natural = _natural_beta(alignment)
        trained = self._train(alignment, choice.for_training(natural))

        def learn(hidden: HiddenItems) -> float:
            small = Alignment.of_new_items(hidden.split.kept_clicks, hidden.to_kept)
            on_kept = self._train(small, _natural_beta(small))
            return learned_beta(trained, on_kept, hidden, alignment.user_items)

        beta = choice.choose(learn, default=natural)
        new_factors = trained.new_factors(alignment.cold_similarities, beta)
        return FactorsBackbone(beta, trained, data.columns, new_factors)

    def empty(self, sizes: Mapping[str, int]) -> FactorsBackbone:
        """To be filled with what a saved model holds."""
        nothing = np.empty((0, self.backbone.factors), dtype=np.float32)
        trained = TrainedFactors(self.backbone, Regularization(), nothing, nothing)
        return FactorsBackbone(0.0, trained, CatalogueColumns.empty(sizes["n_items"]), nothing)

    def _train(self, alignment: Alignment, beta: float) -> TrainedFactors:
        user_items, cold = alignment.user_items, alignment.cold_similarities
        soft = SoftTargets(
            alignment.columns,
            np.concatenate([alignment.decay, np.ones(len(cold), dtype=np.float32)]),
            np.float32(beta) * np.concatenate([alignment.rare_similarities, cold]),
            self.alpha,
        )
        factors = self.backbone.train(user_items, soft if len(soft.columns) else None, len(cold))
        sums = np.asarray(user_items.T @ factors.users, dtype=np.float32)
        of_similarities = self.backbone.factors_from_targets(factors.users, sums, weight=self.alpha)
        warm = factors.items[: alignment.n_warm].copy()
        return TrainedFactors(self.backbone, self.backbone.regularization, warm, of_similarities)


def _natural_beta(alignment: Alignment) -> float:
    """Of soft targets in units of a click's, which is 1 whatever the click weighs."""
    return alignment.natural_beta() / float(alignment.user_items.data.mean(dtype=np.float64))
