"""The least squares of one side of iALS: the factors of each row, with those of the columns held."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel, reordering_kernel
from isotherm.progress import Advance
from isotherm.threads import run_bands
from isotherm.types import Array, Bools, Float32

COARSE = 1e5  #: condition number of a row's system from which float64 solves it
_MOST = 256  # clicks that are gathered at a time
_MOST_ROWS, _MOST_PARTS = 512, 64  # that inner products are summed up in
_LANES = 16  # numbers that lie beside each other are taken in whole multiples of this


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
        return cls(factors, weight * inner_products(factors), float(longest))

    def with_gram(self, gram: Array) -> "HeldFactors":
        """The same with another G."""
        return HeldFactors(self.factors, gram, self.longest)


def inner_products(factors: Float32) -> Float32:
    """FᵀF, (d, d), of factors F (n, d).

    The same bits whatever the number of threads. The product is small beside the cost of waking up BLAS's
    threads, which wait for each other where others keep the cores busy.
    """
    n, d = factors.shape
    rows = max(_MOST_ROWS, -(-n // _MOST_PARTS))  # of a part: by n alone
    parts = np.zeros((-(-n // rows), _padded(d), _padded(d)), dtype=np.float32)
    run_bands(_add_parts, len(parts), np.ascontiguousarray(factors), rows, parts)
    total = np.triu(parts.sum(axis=0)[:d, :d])
    return np.asarray(total + np.triu(total, 1).T)


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
    is_coarse = matrix.sum(axis=1, dtype=np.float64) / ridge * held.longest > COARSE
    for dtype, rows in ((np.float32, ~is_coarse), (np.float64, is_coarse)):
        if rows.any():
            typed = factors.astype(dtype, copy=False)
            none = np.empty((0, factors.shape[1]), dtype)
            wanted = none if targets is None else targets.astype(dtype, copy=False)
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
    clicks = matrix.indptr, matrix.indices, matrix.data.astype(gram.dtype, copy=False)
    arguments = *clicks, factors, targets, gram, gram_scales, ridge, solution
    run_bands(_solve_rows, matrix.shape[0], *arguments, smallest=4, advance=advance)


@kernel
def _padded(d: int) -> Any:
    """Rows of a system with its right side, in whole fours."""
    return (d + 1 + 3) // 4 * 4


@kernel
def _add_parts(first: int, last: int, factors: Array, rows: int, parts: Array) -> None:
    """Inner products of the factors of some rows each."""
    near = np.zeros((parts.shape[1], _MOST + _LANES), factors.dtype)
    for part in range(first, last):
        end = min((part + 1) * rows, len(factors))
        for begin in range(part * rows, end, _MOST):
            some = np.arange(begin, min(begin + _MOST, end))
            n = _gather(some, np.ones(len(some), factors.dtype), factors, False, near)
            _add_products(near, n, parts[part])


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
    """``solution`` holds the right sides before and the solutions after.

    A system is an upper triangle with its right side as one more column: what is done to the rows is done to
    both. Where no targets are given, these are the factors, and a row of √x below √x·q sums up Σ x·q as well.
    """
    d = factors.shape[1]
    padded = (d + 1 + 3) // 4 * 4
    system = np.zeros((padded, padded), gram.dtype)
    near = np.zeros(
        (padded, _MOST + _LANES), gram.dtype
    )  # no power of two, whose multiples share a cache set
    for r in range(first, last):
        _begin(system, gram, gram_scales[r], ridge[r], solution[r])
        for begin in range(starts[r], starts[r + 1], _MOST):
            clicked = slice(begin, min(begin + _MOST, starts[r + 1]))
            n = _gather(columns[clicked], values[clicked], factors, len(targets) == 0, near)
            _add_products(near, n, system)
        if len(targets):
            for p in range(starts[r], starts[r + 1]):
                target, v = targets[columns[p]], values[p]
                for i in range(d):
                    system[i, d] += v * target[i]
        _solve_cholesky(system, solution[r])


@kernel
def _begin(system: Array, gram: Array, scale: Any, ridge: Any, right: Array) -> None:
    """The triangle s·G + λI, and the right side behind it."""
    d = len(gram)
    for i in range(d):
        row, shared = (
            system[i, i:],
            gram[i, i:],
        )  # slices, as loops that begin at 0 become vector instructions
        for j in range(d - i):
            row[j] = scale * shared[j]
        row[0] += ridge
        row[d - i] = right[i]


@kernel
def _gather(columns: Array, values: Array, factors: Array, with_roots: bool, near: Array) -> Any:
    """√x·q, and √x below it, of each click as a column of ``near``, zeros behind; the number of all these."""
    n, d = len(columns), factors.shape[1]
    filled = (n + _LANES - 1) // _LANES * _LANES
    for p in range(n):
        q, root = factors[columns[p]], np.sqrt(values[p])
        for i in range(d):
            near[i, p] = root * q[i]
        near[d, p] = root if with_roots else 0
    for i in range(d + 1):
        for p in range(n, filled):
            near[i, p] = 0
    return filled


@reordering_kernel
def _add_products(near: Array, n: int, system: Array) -> None:
    """system += NNᵀ of the first n columns N, upper triangle: eight sums that share six rows at a time.

    Nothing is written while they are summed up, so that the compiler need not fear that arrays overlap.
    """
    for i in range(0, len(system), 2):
        one, two = near[i, :n], near[i + 1, :n]
        for j in range(i // 4 * 4, len(system), 4):
            q0, q1, q2, q3 = near[j, :n], near[j + 1, :n], near[j + 2, :n], near[j + 3, :n]
            a0, a1, a2, a3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            b0, b1, b2, b3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
            for p in range(n):
                a0 += one[p] * q0[p]
                a1 += one[p] * q1[p]
                a2 += one[p] * q2[p]
                a3 += one[p] * q3[p]
                b0 += two[p] * q0[p]
                b1 += two[p] * q1[p]
                b2 += two[p] * q2[p]
                b3 += two[p] * q3[p]
            above, below = system[i, j : j + 4], system[i + 1, j : j + 4]
            above[0], above[1], above[2], above[3] = (
                above[0] + a0,
                above[1] + a1,
                above[2] + a2,
                above[3] + a3,
            )
            below[0], below[1], below[2], below[3] = (
                below[0] + b0,
                below[1] + b1,
                below[2] + b2,
                below[3] + b3,
            )


@reordering_kernel
def _solve_cholesky(system: Array, solution: Array) -> None:
    """The solution of (A b), A's upper triangle: it becomes (U y), UᵀU = A and Uᵀy = b, row by row."""
    d = len(solution)
    for k in range(d):
        row = system[k, k:]  # a part of ``system`` would not be known to lie in one piece
        _subtract_rows_above(system, k, row)
        scale = 1 / np.sqrt(row[0])
        for j in range(len(row)):
            row[j] *= scale
    for k in range(d - 1, -1, -1):
        row, rest, total = system[k, k:], solution[k:], np.float32(0)
        for j in range(1, d - k):
            total += row[j] * rest[j]
        rest[0] = (row[d - k] - total) / row[0]


@reordering_kernel
def _subtract_rows_above(system: Array, k: int, row: Array) -> None:
    """row −= Σ_m U_mk·U_m over the rows m above row k, from column k on: four at a time."""
    m = 0
    while m + 4 <= k:
        u0, u1, u2, u3 = system[m, k:], system[m + 1, k:], system[m + 2, k:], system[m + 3, k:]
        f0, f1, f2, f3 = u0[0], u1[0], u2[0], u3[0]
        for j in range(len(row)):
            row[j] -= f0 * u0[j] + f1 * u1[j] + f2 * u2[j] + f3 * u3[j]
        m += 4
    while m < k:
        u0 = system[m, k:]
        f0 = u0[0]
        for j in range(len(row)):
            row[j] -= f0 * u0[j]
        m += 1
