"""The inverse P = (A + Λ)⁻¹ of ridge regressions between items, in the form of EASE's weights.

With Θ = I − P·diag(m) it is P = (I − Θ)·diag(1/m): one array (n, n) is the weights of a model and the inverse
that other models solve with. EASE has m = 1/diag(P), so that the diagonal of Θ is 0 (Steck 2019, eq. 8); with
a diagonal of at most ξ it is m_j = max(Λ_j, (1 − ξ)/P_jj) (Moon et al. 2023). A is a Gram matrix C, or C with
metadata (MARec, eq. 9), which is not symmetric; Λ is diagonal.

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
    """P = (A + Λ)⁻¹ as weights and their scale; vectors are rows.

    weights: Θ (n, n).  scale: 1/m, (n,); diag(P) where ξ = 0.  ridge: Λ, (n,).  All float32.  relaxation: ξ.
    """

    weights: Float32
    scale: Float32
    ridge: Float32
    relaxation: float = 0.0

    @classmethod
    def of(cls, inverse: Array, ridge: Array | float, relaxation: float = 0.0) -> "RidgeInverse":
        """From P itself, (n, n) float32 or float64, which is overwritten by Θ.

        ridge: Λ, (n,), or the one number that it holds.
        """
        diagonal = np.diag(inverse).copy()
        ridge = np.broadcast_to(np.asarray(ridge, dtype=diagonal.dtype), diagonal.shape)
        multipliers = (1 - relaxation) / diagonal
        if relaxation:
            np.maximum(multipliers, ridge, out=multipliers)
        weights = np.multiply(inverse, -multipliers, out=inverse)
        np.fill_diagonal(weights, 1 - diagonal * multipliers if relaxation else 0)
        scale = (1 / multipliers).astype(np.float32, copy=False)
        return cls(weights.astype(np.float32, copy=False), scale, ridge.astype(np.float32), relaxation)

    def times(self, rows: Float32, out: Float32 | None = None) -> Float32:
        """P·y of each row y of (m, n).  out: where to; may be ``rows`` itself."""
        solved: Float32 = np.multiply(rows, self.scale, out=out)
        solved -= solved @ self.weights.T
        return solved

    def smoothed(self, rows: Float32) -> Float32:
        """(I − PΛ)·y of each row y of (m, n): what the ridge regression makes of it, P·A·y."""
        scaled = rows * (self.ridge * self.scale)
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
        """(I − ΛPᵀ)·x of one vector x (n,) with few entries."""
        solved = self.scale * (vector - products(csr_array(vector[None, :]), self.weights)[0])  # Pᵀx
        smoothed: Float32 = vector - self.ridge * solved
        return smoothed

    def updated(self, rows: ItemIndex, factor: Float32) -> "RidgeInverse":
        """P − L·P_S for the rows S and L = ``factor`` (n, s) of ``woodbury_factor``; in place of this one."""
        diagonal = self.scale * (1 - np.diag(self.weights))
        inverse = np.multiply(self.weights, -self.scale, out=self.weights)
        np.fill_diagonal(inverse, diagonal)
        inverse_rows = inverse[rows].copy()
        for first in range(0, len(inverse), _BAND):
            inverse[first : first + _BAND] -= factor[first : first + _BAND] @ inverse_rows
        return RidgeInverse.of(inverse, self.ridge, self.relaxation)


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
