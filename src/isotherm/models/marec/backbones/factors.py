"""MARec on matrix factorization: the alignment as confidence-weighted soft targets of iALS.

The guessed clicks of item j, b_uj = β·x_u·g_j (eq. 6 without D), enter the loss with the confidence c_j =
d_j/β, which falls with the clicks that the item has of its own:

    iALS + αw Σ_j c_j Σ_u (b_uj − p_u·q_j)²

No users × items array is needed: Σ_u b_uj p_u = (XᵀP)ᵀ·βg_j, and Σ_j b_uj q_j is a product of x_u with one
item × factor table. A new item's factors are one d × d solve, linear in g_j, so that its score is split
exactly over clicks (Hu et al. 2008, §5) and over fields.
"""

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.cosine import cosines
from isotherm.linalg.csr import select_columns
from isotherm.models.factorization.ials import IALS, Soft
from isotherm.models.marec.backbones.base import Aligned, Alignment, Rehearsal, Vectors, learned_beta
from isotherm.progress import stage
from isotherm.state import Dense, Inner
from isotherm.types import Float32, Int64


class AlignedFactors(Aligned):
    """iALS with guessed columns.

    items: (n_warm, d).  guess: M (n_warm, d), with which the factors of a new item are β·g·M.
    """

    backbone: IALS
    items: Float32
    guess: Float32
    new: Vectors

    learned = (
        Dense("items", np.float32, ("n_warm", "factors")),
        Dense("guess", np.float32, ("n_warm", "factors")),
        Inner(
            "new",
            lambda model, sizes: Vectors(model.factors, sizes["n_items"]),
            {"n_warm": "n_warm", "width": "factors"},
        ),
    )

    @property
    def factors(self) -> int:
        """d."""
        return self.backbone.factors

    def fit(
        self,
        data: Alignment,
        beta: float | None,
        chosen_by: Rehearsal | float | None,
        gram: Float32,
    ) -> float:
        """Train with β as given, or with its natural scale; then β is learned for new items."""
        self._train(data, data.natural_beta() if beta is None else beta)
        if beta is not None:
            return beta
        if not isinstance(chosen_by, Rehearsal):
            return data.natural_beta() if chosen_by is None else chosen_by
        with stage("choose beta on pseudo-cold items"):
            smaller, small = type(self)(self.backbone), chosen_by.part(data.alpha)
            smaller._train(small, small.natural_beta())
            return learned_beta(self, smaller, chosen_by, data.user_items)

    def _train(self, data: Alignment, beta: float) -> None:
        n_warm, n_cold = data.user_items.shape[1], len(data.cold_rows)
        soft = Soft(
            np.concatenate([data.rare, n_warm + np.arange(n_cold)]),
            np.concatenate([data.falling, np.ones(n_cold, dtype=np.float32)]),
            np.float32(beta) * np.concatenate([data.rare_rows, data.cold_rows]),
            data.alpha,
        )
        items, users = self.backbone.train(data.user_items, soft if len(soft.places) else None, n_cold)
        self.items = items[:n_warm].copy()
        sums = np.asarray(data.user_items.T @ users, dtype=np.float32)
        self.guess = self.backbone.guessed(users, sums, weight=data.alpha)

    def columns(self, rows: Float32, features: csr_array | None = None) -> Float32:
        """g·M of each row."""
        found: Float32 = rows @ self.guess
        return found

    def warm_scores(self, user_items: csr_array) -> Float32:
        """Folded-in users times items."""
        scores: Float32 = self.backbone.folded(user_items, self.items) @ self.items.T
        return scores

    def cold_scores(self, user_items: csr_array, columns: Float32) -> Float32:
        """Folded-in users times new items."""
        scores: Float32 = self.backbone.folded(user_items, self.items) @ columns.T
        return scores

    def place(self, n_items: int, warm: Int64) -> None:
        """No new item yet."""
        self.new = Vectors(self.items.shape[1])
        self.new.n_items, self.new.warm = n_items, warm

    def append(self, n_items: int, new: Int64, columns: Float32) -> None:
        """Their factors."""
        self.new.append(n_items, new, columns)

    def score(self, user_items: csr_array) -> Float32:
        """One fold-in, two products."""
        users = self.user_vectors(user_items)
        return self.new.spread(users @ self.items.T, users @ self.new.values.T)

    def nearness(self, column: int) -> Float32:
        """Cosines of factors."""
        table = self.new.table(self.items)
        return cosines(table, table[column])

    def user_vectors(self, user_items: csr_array) -> Float32:
        """Folded-in factors."""
        return self.backbone.folded(select_columns(user_items, self.new.warm), self.items)

    def shares(self, history: csr_array, column: int) -> Float32:
        """Hu et al. 2008, §5; a click on a new item gives nothing."""
        vector = self.new.table(self.items)[column]
        return self.backbone.spread(history, self.new.warm, self.items, vector)

    def carried(self, history: csr_array) -> Float32:
        """M·p of the folded-in user."""
        carried: Float32 = self.guess @ self.user_vectors(history)[0]
        return carried
