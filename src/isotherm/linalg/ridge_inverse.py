"""The inverse P = (A + λI)⁻¹ of ridge regressions between items, in the form of EASE's weights.

With Θ = I − P·diag(P)⁻¹ (Steck 2019, eq. 8) and p = diag(P) it is P = (I − Θ)·diag(p): one array (n, n) is
the weights of a model and the inverse that other models solve with. A is a Gram matrix C, or C with metadata
(MARec, eq. 9), which is not symmetric.

Applying P to a vector y reads the columns of Θ where y is not zero: one pass over Θ at most (bandwidth is the
floor), and almost nothing for a vector with few entries.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel
from isotherm.linalg.products import products
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, ItemIndex

_SPARSE = 0.02  # share of nonzeros below which picking columns beats the whole product
_BAND = 1024
_ROWS = 64


@dataclass(frozen=True)
class RidgeInverse:
    """P = (A + λI)⁻¹ as weights and diagonal; vectors are rows.

    weights: Θ (n, n), zero diagonal.  diagonal: diag(P), (n,).  l2: λ.  All float32.
    """

    weights: Float32
    diagonal: Float32
    l2: float

    @classmethod
    def of(cls, inverse: Array, l2: float) -> "RidgeInverse":
        """From P itself, (n, n) float32 or float64, which is overwritten by Θ."""
        diagonal = np.diag(inverse).copy()
        weights = np.multiply(inverse, -1 / diagonal, out=inverse)
        np.fill_diagonal(weights, 0)
        return cls(weights.astype(np.float32, copy=False), diagonal.astype(np.float32, copy=False), l2)

    def times(self, rows: Float32, out: Float32 | None = None) -> Float32:
        """P·y of each row y of (m, n).  out: where to; may be ``rows`` itself."""
        solved: Float32 = np.multiply(rows, self.diagonal, out=out)
        solved -= solved @ self.weights.T
        return solved

    def smoothed(self, rows: Float32) -> Float32:
        """(I − λP)·y of each row y of (m, n): what the ridge regression makes of it, P·A·y."""
        scaled = rows * (np.float32(self.l2) * self.diagonal)
        smoothed: Float32 = rows - scaled
        if np.count_nonzero(scaled) > _SPARSE * scaled.size:
            smoothed += scaled @ self.weights.T
        else:
            picked = csr_array(scaled)
            run_bands(
                _add_picked_columns, len(self.weights),
                picked.indptr, picked.indices, picked.data, self.weights, smoothed, smallest=256,
            )  # fmt: skip
        return smoothed

    def smoothed_by_transpose(self, vector: Float32) -> Float32:
        """(I − λPᵀ)·x of one vector x (n,) with few entries."""
        solved = self.diagonal * (vector - products(csr_array(vector[None, :]), self.weights)[0])  # Pᵀx
        smoothed: Float32 = vector - np.float32(self.l2) * solved
        return smoothed

    def updated(self, rows: ItemIndex, factor: Float32) -> "RidgeInverse":
        """P − L·P_S for the rows S and L = ``factor`` (n, s) of ``woodbury_factor``; in place of this one."""
        inverse = np.multiply(self.weights, -self.diagonal, out=self.weights)
        np.fill_diagonal(inverse, self.diagonal)
        inverse_rows = inverse[rows].copy()
        for first in range(0, len(inverse), _BAND):
            inverse[first : first + _BAND] -= factor[first : first + _BAND] @ inverse_rows
        return RidgeInverse.of(inverse, self.l2)


def woodbury_factor(product: Float32, rows: ItemIndex) -> Float32:
    """L = PV·(I + (PV)_S)⁻¹, (n, s) float32, with which (P⁻¹ + V·E_S)⁻¹ = P − L·P_S (Woodbury).

    product: PV, (n, s).  rows: S, (s,), which E_S (s, n) picks.
    """
    core = np.eye(len(rows)) + product[rows]
    return np.asarray(np.linalg.solve(core.T, product.T.astype(np.float64)).T, dtype=np.float32)


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
                value, offset = values[p], top * width + columns[p]
                for i in range(rows):
                    sums[i] += value * flat[offset + i * width]
            for i in range(rows):
                out[m, top + i] += sums[i]
