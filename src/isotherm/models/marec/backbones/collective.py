"""MARec on collective EASE (eq. 8-9 with λ₀): the item features F are explained beside the clicks.

P = (A + λ₀FᵀF + λ₁I)⁻¹ with A = C(I + αGD) is now over all items of the table, as FᵀF is not zero on items
without clicks. D is not zero on the rare and the never-clicked columns R, so that P = Q − L·Q_R by Woodbury
with Q = (C + λ₀FᵀF + λ₁I)⁻¹, as in ``linear``; and Θ = I − P·diag(P)⁻¹ as ever.

An item that comes later borders the matrix by one row and column. By the bordered inverse its column is

    Θ_new = λ₀P·Fᵀf + αβ·P·C·g,   P·C·g = y − λ₁Py − λ₀P·FᵀF·y,   y = (I + αGD)⁻¹g

which is exactly what eq. 9 gives it when it is the only item more; the others' columns, which would move a
little, are held.
"""

from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.cholesky import invert_in_place
from isotherm.linalg.products import products
from isotherm.models.cold_start.calibration import WarmAndCold, top_items
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.marec.backbones.base import Alignment, OnWeights, Rehearsal
from isotherm.progress import stage
from isotherm.state import Dense, Inner, Plain, Sparse
from isotherm.types import Float32, Int64
from isotherm.untrusted import Number

_STEPS = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.5, 5.0)  # of β, in units of the warm scores' level


class AlignedCollective(OnWeights):
    """Eq. 9 with λ₀ > 0; warm items come first in its order, then those of the table without clicks."""

    wants_features: ClassVar[bool] = True
    splits_fields: ClassVar[bool] = False

    backbone: EASE
    inner: Float32  #: Θ (n, n) in its own order
    diagonal: Float32  #: diag(P), (n,)
    features: csr_array  #: Fᵀ, (n, n_features)
    rare: Int64  #: S
    rare_rows: Float32  #: αD_S·G_S, (s, n_warm)
    n_warm: int
    alpha: float

    learned = (
        Plain("alpha", Number(above=0)),
        Inner("weights", DenseWeights.empty, {"n_rows": "n"}),
        Dense("diagonal", np.float32, ("n",)),
        Sparse("features", ("n", "n_features")),
        Dense("rare", np.int64, ("n_rare",), below="n_warm", ascending=True),
        Dense("rare_rows", np.float32, ("n_rare", "n_warm")),
    )

    def restored(self) -> None:
        """The first group of the weights is Θ."""
        self.inner, self.n_warm = self.weights.warm, self.rare_rows.shape[1]

    def fit(
        self,
        data: Alignment,
        beta: float | None,
        chosen_by: Rehearsal | float | None,
        gram: Float32,
    ) -> float:
        """Train; β is learned before any column is aligned."""
        inverse = self._plain(data, gram)
        if beta is None:
            beta = (
                self._learned_beta(chosen_by, data.alpha) if isinstance(chosen_by, Rehearsal) else chosen_by
            )
            beta = 1.0 if beta is None else beta
        self._align(data, beta, gram, inverse)
        return beta

    def _learned_beta(self, rehearsal: Rehearsal, alpha: float) -> float:
        """Of a grid around the level of warm scores, the β that ranks pseudo-cold items best among all."""
        pseudo = rehearsal.pseudo
        with stage("choose beta on pseudo-cold items"):
            smaller = type(self)(self.backbone)
            smaller._hold(smaller._plain(rehearsal.part(alpha)))
            columns = smaller.columns(rehearsal.kept_rows, rehearsal.hidden_features)
            aligned = columns.copy()
            aligned[:, : columns.shape[1] // 2] = 0
            warm = smaller.best_warm(pseudo.histories, pseudo.kept_items)
            unit = WarmAndCold(
                warm, smaller.best_cold(pseudo.histories, aligned, pseudo.hidden_items)
            ).level_ratio()

            def quality(beta: float) -> float:
                weights = smaller.strengthened(columns, beta).T
                cold = top_items(pseudo.histories, weights, pseudo.hidden_items)
                return WarmAndCold(warm, cold).ndcg(pseudo.targets)

            return max((unit * step for step in _STEPS), key=quality)

    def _plain(self, data: Alignment, gram: Float32 | None = None) -> Float32:
        """Q."""
        assert data.features is not None
        self.alpha, self.n_warm, self.features = data.alpha, data.user_items.shape[1], data.features
        self.rare = np.empty(0, dtype=np.int64)
        self.rare_rows = np.empty((0, self.n_warm), dtype=np.float32)
        n = self.features.shape[0]
        total = np.zeros((n, n), dtype=np.float32)
        clicked = self.backbone.gram(data.user_items) if gram is None else gram
        total[: self.n_warm, : self.n_warm] = clicked
        self.backbone.add_features(total, self.features)
        total.flat[:: n + 1] += np.float32(self.backbone.l2)
        invert_in_place(total)
        return total

    def _align(self, data: Alignment, beta: float, gram: Float32, inverse: Float32) -> None:
        """P and Θ with the aligned columns, from Q in place."""
        n, n_warm = len(inverse), self.n_warm
        strength = np.float32(data.alpha * beta)
        self.rare, self.rare_rows = data.rare, strength * data.falling[:, None] * data.rare_rows
        columns = np.concatenate([data.rare, np.arange(n_warm, n)])
        if len(columns):
            aligned = np.concatenate([self.rare_rows, strength * data.cold_rows])
            carried = inverse[:, :n_warm] @ (gram @ aligned.T)  # QV, (n, r)
            core = np.eye(len(columns)) + carried[columns]
            update = np.linalg.solve(core.T, carried.T.astype(np.float64)).T.astype(np.float32)
            inverse -= update @ inverse[columns]
        self._hold(inverse)

    def _hold(self, inverse: Float32) -> None:
        """Θ and diag(P) from P, in place."""
        self.diagonal = np.diag(inverse).copy()
        self.inner = np.multiply(inverse, -1 / self.diagonal, out=inverse)
        np.fill_diagonal(self.inner, 0)

    def _behind(self, rows: Float32) -> Float32:
        """P·y of each row yᵀ (m, n)."""
        scaled: Float32 = rows * self.diagonal
        scaled -= scaled @ self.inner.T
        return scaled

    def columns(self, rows: Float32, features: csr_array | None = None) -> Float32:
        """The two parts of the columns side by side, (m, 2n): from features, and from G for β = 1."""
        assert features is not None
        l0 = np.float32(self.backbone.collective)
        known = np.zeros((len(rows), len(self.diagonal)), dtype=np.float32)
        known[:, : self.n_warm] = rows
        if len(self.rare):  # y = (I + αGD)⁻¹g
            core = np.eye(len(self.rare), dtype=np.float32) + self.rare_rows[:, self.rare].T
            known[:, : self.n_warm] -= np.linalg.solve(core, rows[:, self.rare].T).T @ self.rare_rows
        spread = (self.features @ (self.features.T @ known.T)).T
        smoothed = self._behind(np.float32(self.backbone.l2) * known + l0 * spread)
        collective = self._behind(l0 * (self.features @ features.T).toarray().T.astype(np.float32))
        return np.concatenate([collective, np.float32(self.alpha) * (known - smoothed)], axis=1)

    def strengthened(self, columns: Float32, beta: float) -> Float32:
        """Features + β · alignment, (m, n)."""
        n = columns.shape[1] // 2
        both: Float32 = columns[:, :n] + np.float32(beta) * columns[:, n:]
        return both

    def warm_scores(self, user_items: csr_array) -> Float32:
        """x·Θ among warm items."""
        return products(user_items, self.inner[: self.n_warm, : self.n_warm])

    def cold_scores(self, user_items: csr_array, columns: Float32) -> Float32:
        """x times the columns for β = 1."""
        return products(user_items, self.strengthened(columns, 1.0)[:, : self.n_warm].T)

    def place(self, n_items: int, warm: Int64) -> None:
        """Not alone: the items without clicks are part of Θ."""
        raise NotImplementedError

    def place_all(self, n_items: int, warm: Int64, cold: Int64, data: Alignment, beta: float) -> None:
        """All columns of Θ are the fit's own."""
        order = np.concatenate([warm, cold])
        self.weights = DenseWeights.among(n_items, order, self.inner)
