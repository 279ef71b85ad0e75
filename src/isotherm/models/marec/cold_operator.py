"""The operator O = P·C of MARec's eq. 9 on warm items: metadata similarities in, weight columns out.

Kept as the weights Θ = I − P·diag(P)⁻¹ themselves, diag(P), and one thin matrix for rare items. Applying O to
similarities g reads the columns of Θ where g is not zero: one pass over Θ at most (bandwidth is the floor),
and almost nothing for an item with few neighbours.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel
from isotherm.models.linear.item_weights import products
from isotherm.state import Dense, Stateful
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Int64

_SPARSE = 0.02  # share of nonzeros below which picking columns beats the whole product
_BAND = 1024
_ROWS = 64


@dataclass
class AlignmentOperator(Stateful):
    """O = I − λP − L·E_S, where P = (I − Θ)·diag(p) and E_S picks the rows S.

    weights: Θ (n, n), zero diagonal.  diagonal: p = diag(P) (n,).  rare: the rows S (s,).
    rare_update: L (n, s).  All float32.
    """

    weights: Float32
    l2: float
    diagonal: Float32
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
        return cls.plain(nothing, nothing.ravel(), l2)

    @classmethod
    def plain(cls, weights: Float32, diagonal: Float32, l2: float) -> "AlignmentOperator":
        """Without rare items: P = Q = (C + λI)⁻¹, and O = I − λQ."""
        n = len(diagonal)
        return cls(weights, l2, diagonal, np.empty(0, dtype=np.int64), np.empty((n, 0), dtype=np.float32))

    def with_rare(self, rare: Int64, aligned: Float32) -> "AlignmentOperator":
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
        return AlignmentOperator(weights, self.l2, diagonal, rare, update)

    def columns(self, similarities: Float32) -> Float32:
        """(O·g)ᵀ for each row gᵀ of ``similarities`` (m, n), as rows (m, n)."""
        scaled = similarities * (np.float32(self.l2) * self.diagonal)
        smoothed: Float32 = similarities - scaled
        if np.count_nonzero(scaled) > _SPARSE * scaled.size:
            smoothed += scaled @ self.weights.T
        else:
            picked = csr_array(scaled)
            run_bands(
                _add_picked_columns, len(self.weights),
                picked.indptr, picked.indices, picked.data, self.weights, smoothed, smallest=256,
            )  # fmt: skip
        if len(self.rare):
            rare, update = similarities[:, self.rare], self.rare_update
            near = np.flatnonzero(rare.any(axis=0))
            if len(near) < _SPARSE * len(self.rare):
                rare, update = rare[:, near], update[:, near]
            smoothed -= rare @ update.T
        return smoothed

    def smoothed_history(self, clicked: Float32) -> Float32:
        """Oᵀ·x for one user's clicks x (n,): a cold item's score is αβ times its product with g."""
        solved = self.diagonal * (clicked - products(csr_array(clicked[None, :]), self.weights)[0])  # Pᵀx
        smoothed: Float32 = clicked - np.float32(self.l2) * solved
        smoothed[self.rare] -= clicked @ self.rare_update
        return smoothed


@kernel
def _add_picked_columns(
    first: int, last: int, starts: Array, columns: Array, values: Array, weights: Array, out: Array
) -> None:
    """out[m, i] += Σ_c values[m, c]·weights[i, c]: only the columns with a value are read.

    Each read is a cache line of its own, so several rows go side by side: their reads do not wait for each
    other.
    """
    flat, width = weights.ravel(), weights.shape[1]
    sums = np.empty(_ROWS, np.float32)
    for top in range(first, last, _ROWS):
        rows = min(_ROWS, last - top)
        for m in range(len(starts) - 1):
            sums[:] = 0
            for p in range(starts[m], starts[m + 1]):
                value, place = values[p], top * width + columns[p]
                for i in range(rows):
                    sums[i] += value * flat[place + i * width]
            for i in range(rows):
                out[m, top + i] += sums[i]
