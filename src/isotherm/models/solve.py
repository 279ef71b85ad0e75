"""Inverts a symmetric positive definite matrix in place: Cholesky (potrf), then the inverse (potri)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from isotherm.data.gram import mirror_upper

#: Largest order whose square fits LAPACK's 32-bit indices.
LAPACK_LIMIT = 46_340


class NotPositiveDefiniteError(ArithmeticError):
    """The factorization met a pivot that is not positive (in this precision)."""


def invert_in_place(matrix: NDArray[Any], largest: int = LAPACK_LIMIT) -> None:
    """Replace a symmetric positive definite (n, n) matrix, C order, float32 or float64, by its inverse.

    n³ flops and no second matrix up to order ``largest``; past it, the same by 2 × 2 blocks (Schur
    complement) with temporaries of n² / 4 entries each, three at most at one time.
    Raises NotPositiveDefiniteError; the matrix is then spoilt.
    """
    n = len(matrix)
    if n <= largest:
        potrf, potri = lapack.get_lapack_funcs(("potrf", "potri"), (matrix,))
        # matrix.T is the same memory in LAPACK's order: its lower triangle is our upper one
        factor, trouble = potrf(matrix.T, lower=True, clean=False, overwrite_a=True)
        if trouble:
            raise NotPositiveDefiniteError(f"pivot {trouble} of {n} is not positive")
        inverse, _ = potri(factor, lower=True, overwrite_c=True)
        if not np.shares_memory(inverse, matrix):
            matrix.T[...] = inverse
        mirror_upper(matrix)
        return
    half = n // 2
    corner = matrix[:half, :half].copy()
    invert_in_place(corner, largest)
    matrix[:half, :half] = corner
    carried = corner @ matrix[:half, half:]  # A⁻¹B
    del corner
    schur = matrix[half:, half:] - matrix[half:, :half] @ carried
    invert_in_place(schur, largest)
    matrix[half:, half:] = schur
    np.matmul(carried, schur, out=(right := np.empty_like(carried)))
    del schur
    matrix[:half, :half] += right @ carried.T
    np.negative(right, out=matrix[:half, half:])
    matrix[half:, :half] = matrix[:half, half:].T
