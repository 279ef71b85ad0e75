"""The least squares of one side of iALS: the factors of each row, with those of the columns held."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel
from isotherm.progress import Advance
from isotherm.threads import run_bands
from isotherm.types import Array, Bools, Float32

_COARSE = 1e5  # condition number of a row's system from which float64 solves it


@dataclass(frozen=True, eq=False)
class HeldFactors:
    """The factors of one side, held while rows of the other are solved for, and what all rows share of them.

    factors: q, (n, d) float32.  gram: w·QᵀQ, (d, d).  longest: the largest ‖q‖².
    """

    factors: Float32
    gram: Array
    longest: float

    @classmethod
    def of(cls, factors: Float32, weight: float) -> "HeldFactors":
        """weight: w, of every cell."""
        longest = np.einsum("ij,ij->i", factors, factors).max(initial=0)
        return cls(factors, weight * (factors.T @ factors), float(longest))

    def with_gram(self, gram: Array) -> "HeldFactors":
        """The same with another G."""
        return HeldFactors(self.factors, gram, self.longest)


def solve_rows(
    matrix: csr_array,
    held: HeldFactors,
    ridge: Float32,
    targets: Float32 | None = None,
    gram_scales: Float32 | None = None,
    right: Float32 | None = None,
    advance: Advance | None = None,
) -> Float32:
    """Each row's r of (s·G + λI + Σ_j x_j·q_j q_jᵀ)·r = b + Σ_j x_j·t_j, (n_rows, d) float32.

    matrix: x, (n_rows, n_columns) CSR float32.  held: q of the columns, and G.  ridge: λ, (n_rows,).
    targets: t, (n_columns, d); q for None.  gram_scales: s, (n_rows,); 1 for None.  right: b, (n_rows, d); 0
    for None.  advance: told of the rows that are done.
    A row is solved in float64 where its clicks weigh so much beside the ridge that float32 would lose the
    solution; what a row gets never depends on the others.
    Costs clicks · d² for the sums and d³ / 3 per row for its solve.
    """
    n_rows, factors = matrix.shape[0], held.factors
    scales = np.ones(n_rows, dtype=np.float32) if gram_scales is None else gram_scales
    solution = np.zeros((n_rows, factors.shape[1]), dtype=np.float32) if right is None else right.copy()
    is_coarse = matrix.sum(axis=1, dtype=np.float64) / ridge * held.longest > _COARSE
    for dtype, rows in ((np.float32, ~is_coarse), (np.float64, is_coarse)):
        if rows.any():
            typed = factors.astype(dtype, copy=False)
            wanted = typed if targets is None else targets.astype(dtype, copy=False)
            gram = np.ascontiguousarray(held.gram, dtype=dtype)
            some, s, l2, b = _rows_of(rows, matrix, scales, ridge, solution.astype(dtype, copy=False))
            _solve(typed, wanted, gram, some, s, l2, b, advance)
            solution[rows] = b
    return solution


def _rows_of(rows: Bools, matrix: csr_array, *arrays: Array) -> Any:
    """Some rows of a matrix and of arrays; all of them without a copy."""
    if rows.all():
        return matrix, *arrays
    return matrix[np.flatnonzero(rows)], *(array[rows] for array in arrays)


def _solve(
    factors: Array,
    targets: Array,
    gram: Array,
    matrix: csr_array,
    gram_scales: Float32,
    ridge: Float32,
    solution: Array,
    advance: Advance | None,
) -> None:
    """Solve all rows in the precision of the arrays."""
    clicks = matrix.indptr, matrix.indices, matrix.data
    arguments = *clicks, factors, targets, gram, gram_scales, ridge, solution
    run_bands(_solve_rows, matrix.shape[0], *arguments, smallest=4, advance=advance)


@kernel
def _solve_rows(
    first: int,
    last: int,
    starts: Array,
    columns: Array,
    values: Array,
    factors: Array,
    targets: Array,
    gram: Array,
    gram_scales: Array,
    ridge: Array,
    solution: Array,
) -> None:
    """``solution`` holds the right sides before and the solutions after; systems are upper triangles."""
    d = factors.shape[1]
    system = np.empty((d, d), gram.dtype)
    for r in range(first, last):
        right = solution[r]
        for i in range(d):
            for j in range(i, d):
                system[i, j] = gram_scales[r] * gram[i, j]
            system[i, i] += ridge[r]
        clicked = slice(starts[r], starts[r + 1])
        _add_outer_products(system, columns[clicked], values[clicked], factors)
        for p in range(starts[r], starts[r + 1]):
            target, v = targets[columns[p]], values[p]
            for j in range(d):
                right[j] += v * target[j]
        _solve_cholesky(system, right)


@kernel
def _add_outer_products(system: Array, columns: Array, values: Array, factors: Array) -> None:
    """system += Σ v·q qᵀ, its upper triangle."""
    d, n = len(system), len(columns)
    p = 0
    while p + 4 <= n:  # four at a time: each number of the system is read and written once for them
        v0, v1, v2, v3 = values[p], values[p + 1], values[p + 2], values[p + 3]
        c0, c1, c2, c3 = columns[p], columns[p + 1], columns[p + 2], columns[p + 3]
        for i in range(d):  # slices from i on: loops that begin at 0 become vector instructions
            row, q0, q1, q2, q3 = (
                system[i, i:], factors[c0, i:], factors[c1, i:], factors[c2, i:], factors[c3, i:]
            )  # fmt: skip
            s0, s1, s2, s3 = v0 * q0[0], v1 * q1[0], v2 * q2[0], v3 * q3[0]
            for j in range(d - i):
                row[j] += s0 * q0[j] + s1 * q1[j] + s2 * q2[j] + s3 * q3[j]
        p += 4
    while p < n:
        for i in range(d):
            row, q0 = system[i, i:], factors[columns[p], i:]
            s0 = values[p] * q0[0]
            for j in range(d - i):
                row[j] += s0 * q0[j]
        p += 1


@kernel
def _solve_cholesky(system: Array, right: Array) -> None:
    """``right`` becomes the solution; UᵀU = system, row by row of U, and Uᵀy = right on the way."""
    d = len(system)
    for k in range(d):
        pivot, rest = system[k, k:], right[k:]
        scale = 1 / np.sqrt(pivot[0])
        for j in range(d - k):
            pivot[j] *= scale
        known = rest[0] * scale
        rest[0] = known
        for j in range(1, d - k):
            rest[j] -= known * pivot[j]
        for i in range(1, d - k):
            row, upper = system[k + i, k + i :], pivot[i:]
            factor = upper[0]
            for j in range(d - k - i):
                row[j] -= factor * upper[j]
    for k in range(d - 1, -1, -1):
        total = right[k]
        for j in range(k + 1, d):
            total -= system[k, j] * right[j]
        right[k] = total / system[k, k]
