"""The operator O = P·C of MARec's eq. 9 on warm items: metadata similarities in, weight columns out.

Kept as the ridge inverse P (``linalg.ridge_inverse``), and one thin matrix for rare items.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.linalg.ridge_inverse import RidgeInverse, woodbury_factor
from isotherm.state import Dense, Stateful
from isotherm.types import Float32, Int64

_SPARSE = 0.02  # share of rare items below which only those near are read


@dataclass
class AlignmentOperator(Stateful):
    """O = I − λP − L·E_S, where E_S picks the rows S.

    inverse: P (n, n).  rare: the rows S (s,).  rare_update: L (n, s) float32.
    """

    inverse: RidgeInverse
    rare: Int64
    rare_update: Float32

    learned = (
        Dense("diagonal", np.float32, ("n",)),
        Dense("rare", np.int64, ("n_rare",), below="n", ascending=True),
        Dense("rare_update", np.float32, ("n", "n_rare")),
    )  # and the weights, which whoever holds the operator saves

    @classmethod
    def empty(cls, l2: float) -> "AlignmentOperator":
        """To be filled with what a saved model holds."""
        nothing = np.empty((0, 0), dtype=np.float32)
        return cls.plain(RidgeInverse(nothing, nothing.ravel(), l2))

    @classmethod
    def plain(cls, inverse: RidgeInverse) -> "AlignmentOperator":
        """Without rare items: P = Q = (C + λI)⁻¹, and O = I − λQ."""
        n = len(inverse.diagonal)
        return cls(inverse, np.empty(0, dtype=np.int64), np.empty((n, 0), dtype=np.float32))

    @property
    def weights(self) -> Float32:
        """Θ (n, n), zero diagonal."""
        return self.inverse.weights

    @weights.setter
    def weights(self, weights: Float32) -> None:
        self.inverse = RidgeInverse(weights, self.inverse.diagonal, self.inverse.l2)

    @property
    def diagonal(self) -> Float32:
        """diag(P), (n,)."""
        return self.inverse.diagonal

    @diagonal.setter
    def diagonal(self, diagonal: Float32) -> None:
        self.inverse = RidgeInverse(self.inverse.weights, diagonal, self.inverse.l2)

    def with_rare(self, rare: Int64, aligned: Float32) -> "AlignmentOperator":
        """The operator and weights once the rare columns are aligned; Θ is changed in place (Woodbury).

        aligned: αD_S·G_S, (s, n), the rare items' similarities to all warm ones, scaled.
        """
        # QV = (I − λQ)·αG_S·D_S, (n, s)
        update = woodbury_factor(self.inverse.smoothed(aligned).T, rare)
        return AlignmentOperator(self.inverse.updated(rare, update), rare, update)

    def columns(self, similarities: Float32) -> Float32:
        """(O·g)ᵀ for each row gᵀ of ``similarities`` (m, n), as rows (m, n)."""
        smoothed = self.inverse.smoothed(similarities)
        if len(self.rare):
            rare, update = similarities[:, self.rare], self.rare_update
            near = np.flatnonzero(rare.any(axis=0))
            if len(near) < _SPARSE * len(self.rare):
                rare, update = rare[:, near], update[:, near]
            smoothed -= rare @ update.T
        return smoothed

    def smoothed_history(self, clicked: Float32) -> Float32:
        """Oᵀ·x for one user's clicks x (n,): a cold item's score is αβ times its product with g."""
        smoothed = self.inverse.smoothed_by_transpose(clicked)
        smoothed[self.rare] -= clicked @ self.rare_update
        return smoothed
