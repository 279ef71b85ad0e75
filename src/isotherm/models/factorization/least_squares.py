"""The least squares of one side of iALS: the factors of each row, with those of the columns held."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel
from isotherm.progress import Advance
from isotherm.threads import run_bands
from isotherm.types import Array, Float32

_COARSE = 1e5  # condition number of a row's system from which float64 solves it


def solve_rows(
    matrix: csr_array,
    factors: Float32,
    gram: Array,
    ridge: Float32,
    targets: Float32 | None = None,
    gram_scales: Float32 | None = None,
    right: Float32 | None = None,
    advance: Advance | None = None,
) -> Float32:
    """Each row's r of (s·G + λI + Σ_j x_j·q_j q_jᵀ)·r = b + Σ_j x_j·t_j, (n_rows, d) float32.

    matrix: x, (n_rows, n_columns) CSR float32.  factors: q, (n_columns, d).  gram: G, (d, d).  ridge: λ,
    (n_rows,).  targets: t, (n_columns, d); q for None.  gram_scales: s, (n_rows,); 1 for None.  right: b,
    (n_rows, d); 0 for None.  advance: told of the rows that are done.
    Costs clicks · d² for the sums and d³ / 3 per row for its solve.
    """
    n_rows, width = matrix.shape[0], factors.shape[1]
    dtype = _precision(matrix, factors, ridge)
    solution = np.zeros((n_rows, width), dtype=dtype) if right is None else right.astype(dtype)
    factors = factors.astype(dtype, copy=False)
    run_bands(
        _solve_rows, n_rows, matrix.indptr, matrix.indices, matrix.data, factors,
        factors if targets is None else targets.astype(dtype, copy=False),
        np.ascontiguousarray(gram, dtype=dtype),
        np.ones(n_rows, dtype=np.float32) if gram_scales is None else gram_scales, ridge, solution,
        smallest=4, advance=advance,
    )  # fmt: skip
    return solution.astype(np.float32, copy=False)


def _precision(matrix: csr_array, factors: Float32, ridge: Float32) -> type[Any]:
    """float64 where clicks weigh so much beside the ridge that float32 would lose the solution."""
    heaviest = matrix.sum(axis=1, dtype=np.float64) / ridge
    longest = np.einsum("ij,ij->i", factors, factors).max(initial=0)
    return np.float64 if heaviest.max(initial=0) * float(longest) > _COARSE else np.float32


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
