"""Inverts or factorizes a symmetric positive definite matrix in place: Cholesky (potrf), inverse (potri)."""

import numpy as np
from scipy.linalg import blas, lapack

from isotherm.linalg.gram import mirror_upper
from isotherm.types import Array

#: Largest order for one LAPACK call. 32-bit indices would end at 46,340, but OpenBLAS's threaded Cholesky
#: overruns its buffers and crashes long before, on few cores between 22,000 and 28,000.
LAPACK_LIMIT = 16_384
_BLOCK = 4_096


class NotPositiveDefiniteError(ArithmeticError):
    """The factorization met a pivot that is not positive (in this precision)."""


def invert_in_place(matrix: Array, largest: int = LAPACK_LIMIT, block: int = _BLOCK) -> None:
    """Replace a symmetric positive definite (n, n) matrix, C order, float32 or float64, by its inverse.

    n³ flops and no second matrix; past order ``largest`` by blocks, with a few (n, block) arrays beside it.
    Raises NotPositiveDefiniteError; the matrix is then spoilt.
    """
    if len(matrix) <= largest:
        _invert_by_cholesky(matrix)
    else:
        _invert_by_sweeps(matrix, block)
    mirror_upper(matrix)


def factorize_in_place(matrix: Array, largest: int = LAPACK_LIMIT, block: int = _BLOCK) -> None:
    """Replace a symmetric positive definite (n, n) matrix, C order, by L, lower, with L·Lᵀ = matrix.

    n³ / 3 flops; past order ``largest`` by blocks of columns.
    Raises NotPositiveDefiniteError; the matrix is then spoilt.
    """
    n = len(matrix)
    width = n if n <= largest else block
    for first in range(0, n, width):
        last = min(first + width, n)
        _potrf(matrix[first:last, first:last])
        (trsm,) = blas.get_blas_funcs(("trsm",), (matrix,))
        pivot = np.asfortranarray(matrix[first:last, first:last])
        for top in range(last, n, width):
            rows = slice(top, min(top + width, n))
            panel = np.asfortranarray(matrix[rows, first:last])
            matrix[rows, first:last] = trsm(1.0, pivot, panel, side=1, lower=1, trans_a=1, overwrite_b=1)
        for left in range(last, n, width):
            columns = matrix[left : left + width, first:last]
            matrix[left:, left : left + width] -= matrix[left:, first:last] @ columns.T
        matrix[first:last, last:] = 0


def _potrf(matrix: Array) -> None:
    """L in place of one block, zeros above its diagonal."""
    (potrf,) = lapack.get_lapack_funcs(("potrf",), (matrix,))
    # matrix.T is the same memory in LAPACK's order: its upper triangle is our lower one
    factor, failed_pivot = potrf(matrix.T, lower=False, clean=True, overwrite_a=True)
    if failed_pivot:
        raise NotPositiveDefiniteError(f"pivot {failed_pivot} of {len(matrix)} is not positive")
    if not np.shares_memory(factor, matrix):
        matrix.T[...] = factor


def _invert_by_cholesky(matrix: Array) -> None:
    """The upper triangle of the inverse, in place."""
    potrf, potri = lapack.get_lapack_funcs(("potrf", "potri"), (matrix,))
    # matrix.T is the same memory in LAPACK's order: its lower triangle is our upper one
    factor, failed_pivot = potrf(matrix.T, lower=True, clean=False, overwrite_a=True)
    if failed_pivot:
        raise NotPositiveDefiniteError(f"pivot {failed_pivot} of {len(matrix)} is not positive")
    inverse, _ = potri(factor, lower=True, overwrite_c=True)
    if not np.shares_memory(inverse, matrix):
        matrix.T[...] = inverse


def _invert_by_sweeps(matrix: Array, block: int) -> None:
    """The same by sweeping block after block of pivots (Goodnight 1979); only the upper triangle is kept.

    A sweep of the pivots K turns A_KK into −A_KK⁻¹, A_KR into A_KK⁻¹·A_KR and A_RR into its Schur
    complement; after all sweeps −A⁻¹ is left.
    """
    n = len(matrix)
    for first in range(0, n, block):
        last = min(first + block, n)
        pivot = matrix[first:last, first:last].copy()
        _invert_by_cholesky(pivot)
        mirror_upper(pivot)
        row = np.concatenate([matrix[:first, first:last].T, matrix[first:last, last:]], axis=1)
        scaled = pivot @ row
        for left in range(0, n, block):
            right = min(left + block, n)
            if right <= first:
                matrix[:right, left:right] -= row[:, :right].T @ scaled[:, left:right]
            elif left >= last:  # ``row`` has no columns for the pivots themselves
                columns = scaled[:, left - (last - first) : right - (last - first)]
                matrix[:first, left:right] -= row[:, :first].T @ columns
                matrix[last:right, left:right] -= row[:, first : right - (last - first)].T @ columns
        matrix[:first, first:last] = scaled[:, :first].T
        matrix[first:last, last:] = scaled[:, first:]
        matrix[first:last, first:last] = -pivot
    np.negative(matrix, out=matrix)
