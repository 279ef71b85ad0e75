"""The operator O = P·C of MARec's eq. 9 on warm items: metadata similarities in, weight columns out.

Kept as the weights Θ = I − P·diag(P)⁻¹ themselves, diag(P), and two thin matrices for rare items, so that
applying O reads Θ once: bandwidth is the floor, and only the rows of the neighbours are read where few are.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.models.item_item import add_products

_SPARSE = 0.1  # below this share of neighbours, gathering rows beats the whole product
_BAND = 1024


@dataclass
class AlignmentOperator:
    """O = I − λP − L·E_S.

    weights: Θ (n, n), zero diagonal.  diagonal: diag(P) (n,).  rare: the rows S (s,).
    rare_update: L (n, s).  rare_inverse: Q_S (s, n), rows of Q = (C + λI)⁻¹.  All float32.
    """

    weights: NDArray[np.float32]
    l2: float
    diagonal: NDArray[np.float32]
    rare: NDArray[np.int64]
    rare_update: NDArray[np.float32]
    rare_inverse: NDArray[np.float32]

    @classmethod
    def plain(
        cls, weights: NDArray[np.float32], diagonal: NDArray[np.float32], l2: float
    ) -> "AlignmentOperator":
        """Without rare items: P = Q, and O = I − λQ."""
        n = len(diagonal)
        nothing = np.empty((n, 0), dtype=np.float32)
        return cls(weights, l2, diagonal, np.empty(0, dtype=np.int64), nothing, nothing.T)

    def with_rare(self, rare: NDArray[np.int64], aligned: NDArray[np.float32]) -> "AlignmentOperator":
        """The operator and weights once the rare columns are aligned; Θ is changed in place (Woodbury).

        aligned: αD_S·G_S, (s, n), the rare items' similarities to all warm ones, scaled.
        """
        carried = self.columns(aligned).T  # QV = (I − λQ)·αG_S·D_S, (n, s)
        core = np.eye(len(rare)) + carried[rare]
        update = np.linalg.solve(core.T, carried.T.astype(np.float64)).T.astype(np.float32)
        inverse = np.multiply(self.weights, -self.diagonal, out=self.weights)  # Q = (I − B)·diag(q), in place
        np.fill_diagonal(inverse, self.diagonal)
        rare_inverse = inverse[rare].copy()
        for first in range(0, len(inverse), _BAND):
            inverse[first : first + _BAND] -= update[first : first + _BAND] @ rare_inverse
        diagonal = np.diag(inverse).copy()
        weights = np.multiply(inverse, -1 / diagonal, out=inverse)
        np.fill_diagonal(weights, 0)
        return AlignmentOperator(weights, self.l2, diagonal, rare, update, rare_inverse)

    def columns(self, similarities: NDArray[np.float32]) -> NDArray[np.float32]:
        """(O·g)ᵀ for each row gᵀ of ``similarities`` (m, n), as rows (m, n)."""
        solved = (similarities - self._times_weights(similarities)) * self.diagonal  # gᵀP
        picked = similarities[:, self.rare]
        if len(self.rare):  # gᵀQ = gᵀP + (gᵀL)Q_S, and Q is symmetric; then (I − L·E_S)(g − λQg)
            solved += (similarities @ self.rare_update) @ self.rare_inverse
        smoothed: NDArray[np.float32] = similarities - np.float32(self.l2) * solved
        if len(self.rare):
            picked = picked - np.float32(self.l2) * solved[:, self.rare]
            smoothed -= picked @ self.rare_update.T
        return smoothed

    def smoothed_history(self, clicked: NDArray[np.float32]) -> NDArray[np.float32]:
        """Oᵀ·x for one user's clicks x (n,): a cold item's score is αβ times its product with g."""
        solved = self.diagonal * (clicked - self._times_weights(clicked[None, :])[0])  # Pᵀx
        smoothed: NDArray[np.float32] = clicked - np.float32(self.l2) * solved
        smoothed[self.rare] -= clicked @ self.rare_update
        return smoothed

    def _times_weights(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        if np.count_nonzero(rows) > _SPARSE * rows.size:
            return rows @ self.weights
        out = np.zeros_like(rows)
        every = np.arange(rows.shape[1])
        add_products(csr_array(rows), every.astype(np.int32), self.weights, every, out)
        return out

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the weights do not hold, for saving."""
        return {
            "diagonal": self.diagonal,
            "rare": self.rare,
            "rare_update": self.rare_update,
            "rare_inverse": np.ascontiguousarray(self.rare_inverse),
        }
