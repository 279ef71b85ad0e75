"""Inverts or factorizes a symmetric positive definite matrix in place: Cholesky (potrf), inverse (potri).

On a CUDA device where there is one and the matrix fits (``accelerator``), else by LAPACK on the processor.
"""

import numpy as np
from scipy.linalg import blas, lapack

from isotherm.linalg.accelerator import accelerator
from isotherm.linalg.gram import mirror_lower, mirror_upper
from isotherm.linalg.lapack import potrf, potri
from isotherm.progress import Advance, stage
from isotherm.types import Array

#: Largest order for one LAPACK call. 32-bit indices would end at 46,340, but OpenBLAS's threaded Cholesky
#: overruns its buffers and crashes long before, on few cores between 22,000 and 28,000.
LAPACK_LIMIT = 16_384
_BLOCK = 4_096
_ON_DEVICE = 3.2  # matrices: the one given, its factor, the inverse, and what the solver needs beside them


class NotPositiveDefiniteError(ArithmeticError):
    """The factorization met a pivot that is not positive (in this precision)."""


def invert_in_place(matrix: Array, largest: int = LAPACK_LIMIT, block: int = _BLOCK) -> None:
    """Replace a symmetric positive definite (n, n) matrix, C order, float32 or float64, by its inverse.

    n³ flops and no second matrix; past order ``largest`` by blocks, with a few (n, block) arrays beside it.
    Raises NotPositiveDefiniteError; the matrix is then spoilt.
    """
    n = len(matrix)
    if (found := accelerator(_ON_DEVICE * matrix.nbytes, n)) is not None:
        with stage(f"invert a matrix of order {n:,} on {found.device}"):
            _check_pivots(found.invert(matrix), n)
        return
    if n <= largest:
        with stage(f"invert a matrix of order {n:,}"):
            _invert_by_cholesky(matrix)
    else:
        n_blocks = -(-n // block)
        with stage(f"invert a matrix of order {n:,}", n_blocks**2, "blocks") as advance:
            _invert_by_sweeps(matrix, block, advance)
    mirror_upper(matrix)


def factorize_in_place(matrix: Array, largest: int = LAPACK_LIMIT, block: int = _BLOCK) -> None:
    """Replace a symmetric positive definite (n, n) matrix, C order, by L, lower, with L·Lᵀ = matrix.

    n³ / 3 flops; past order ``largest`` by blocks of columns.
    Raises NotPositiveDefiniteError; the matrix is then spoilt.
    """
    n = len(matrix)
    if (found := accelerator(_ON_DEVICE * matrix.nbytes, n)) is not None:
        with stage(f"factorize a matrix of order {n:,} on {found.device}"):
            _check_pivots(found.factorize(matrix), n)
        return
    width = n if n <= largest else block
    n_blocks = -(-n // max(width, 1))
    with stage(f"factorize a matrix of order {n:,}", n_blocks * (n_blocks + 1) / 2, "blocks") as advance:
        for first in range(0, n, width):
            last = min(first + width, n)
            _factorize_block(matrix[first:last, first:last])
            if last < n:
                _solve_panels(matrix, first, last, width)
            for left in range(last, n, width):
                columns = matrix[left : left + width, first:last]
                matrix[left:, left : left + width] -= matrix[left:, first:last] @ columns.T
                advance(1)
            matrix[first:last, last:] = 0
            advance(1)


def inverse_of_factor(factor: Array, largest: int = LAPACK_LIMIT) -> Array:
    """(L·Lᵀ)⁻¹, (n, n), from L as ``factorize_in_place`` leaves it: 2/3·n³ flops, and L stays as it is."""
    n = len(factor)
    if n > largest or accelerator(_ON_DEVICE * factor.nbytes, n) is not None:
        inverse = factor @ factor.T
        invert_in_place(inverse, largest)
        return inverse
    inverse = factor.copy()
    with stage(f"invert a matrix of order {n:,}"):
        potri(inverse, lower=False)
        mirror_lower(inverse)
    return inverse


def inverse_diagonal(factor: Array, largest: int = LAPACK_LIMIT) -> Array:
    """The diagonal of (L·Lᵀ)⁻¹, (n,): n³/3 flops, half of what the whole inverse takes.

    It is the sums of squares of the columns of L⁻¹.

    >>> import numpy as np
    >>> from isotherm.linalg.cholesky import inverse_diagonal
    >>> inverse_diagonal(np.array([[2.0, 0.0], [1.0, 1.0]]))
    array([0.5, 1. ])
    """
    n = len(factor)
    if n == 0 or n > largest or accelerator(_ON_DEVICE * factor.nbytes, n) is not None:
        return np.diag(inverse_of_factor(factor, largest)).copy()
    (trtri,) = lapack.get_lapack_funcs(("trtri",), (factor,))
    # factor.T of a copy is Fortran's order, an upper triangle; its inverse is (L⁻¹)ᵀ
    inverse, _ = trtri(factor.copy().T, lower=0, overwrite_c=1)
    return np.asarray(np.einsum("ij,ij->i", inverse, inverse))


def _solve_panels(matrix: Array, first: int, last: int, width: int) -> None:
    """The rows below the block L at [first, last) times L⁻ᵀ, in place."""
    (trsm,) = blas.get_blas_funcs(("trsm",), (matrix,))
    pivot = np.asfortranarray(matrix[first:last, first:last])
    for top in range(last, len(matrix), width):
        rows = slice(top, min(top + width, len(matrix)))
        panel = np.asfortranarray(matrix[rows, first:last])
        matrix[rows, first:last] = trsm(1.0, pivot, panel, side=1, lower=1, trans_a=1, overwrite_b=1)


def _factorize_block(matrix: Array) -> None:
    """L in place of one block, zeros above its diagonal."""
    block = np.ascontiguousarray(matrix)
    # block.T is the same memory in LAPACK's order: its upper triangle is our lower one
    _check_pivots(potrf(block, lower=False), len(block))
    for row in range(len(block)):
        block[row, row + 1 :] = 0
    if block is not matrix:
        matrix[...] = block


def _invert_by_cholesky(matrix: Array) -> None:
    """The upper triangle of the inverse, in place."""
    # matrix.T is the same memory in LAPACK's order: its lower triangle is our upper one
    _check_pivots(potrf(matrix, lower=True), len(matrix))
    potri(matrix, lower=True)


def _check_pivots(failed: int, n: int) -> None:
    """Raise NotPositiveDefiniteError where a pivot, counted from 1, failed."""
    if failed:
        raise NotPositiveDefiniteError(f"pivot {failed} of {n} is not positive")


def _invert_by_sweeps(matrix: Array, block: int, advance: Advance) -> None:
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
            advance(1)
        matrix[:first, first:last] = scaled[:, :first].T
        matrix[first:last, last:] = scaled[:, first:]
        matrix[first:last, first:last] = -pivot
    np.negative(matrix, out=matrix)
