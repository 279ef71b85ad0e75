"""Eigenvalues and eigenvectors of a small symmetric matrix, by Householder reflections and the QL iteration.

LAPACK's are as quick, but its threads change the last bits of large ones, and wait for each other where
other work keeps the cores busy. (Bowdler, Martin, Reinsch and Wilkinson 1968, tred2 and tql2.)
"""

from typing import Any

import numpy as np

from isotherm.kernels import kernel, reordering_kernel
from isotherm.types import Array, Float64

_MOST_STEPS = 60  # of QL for one eigenvalue; two are usual


def eigenbasis(matrix: Array) -> tuple[Float64, Float64]:
    """Eigenvalues (n,) and eigenvectors (n, n), a row for each, of a symmetric matrix (n, n); in no order.

    The same bits whatever the number of threads. All NaN where a number of the matrix is not finite.

    >>> import numpy as np
    >>> from isotherm.linalg.eigen import eigenbasis
    >>> values, vectors = eigenbasis(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> np.allclose(vectors.T @ np.diag(values) @ vectors, [[2, 1], [1, 2]])
    True
    """
    n = len(matrix)
    work, vectors = np.array(matrix, dtype=np.float64, order="C"), np.eye(n)
    values, beside = np.zeros(n), np.zeros(n)
    if not np.isfinite(work).all():
        return np.full(n, np.nan), np.full((n, n), np.nan)
    _make_tridiagonal(work, vectors, values, beside)
    if not _make_diagonal(values, beside, vectors):
        raise np.linalg.LinAlgError("the QL iteration did not converge")
    return values, vectors


@reordering_kernel
def _make_tridiagonal(work: Array, vectors: Array, diagonal: Array, beside: Array) -> None:
    """Reflect until the diagonal and the numbers beside it are left; ``vectors`` starts as the identity."""
    n = len(work)
    for k in range(n - 2):
        v = work[k, k + 1 :]
        length = np.sqrt(_dot(v, v))
        if length > 0:
            if v[0] > 0:
                length = -length
            beside[k] = length  # what the reflection I − 2vvᵀ/vᵀv leaves of the row
            v[0] -= length
            _reflect(v, work[k + 1 :, k + 1 :], vectors[k + 1 :])
    for k in range(n):
        diagonal[k] = work[k, k]
    if n > 1:
        beside[n - 2] = work[n - 2, n - 1]


@reordering_kernel
def _reflect(v: Array, rest: Array, vectors: Array) -> None:
    """rest = H·rest·H and vectors = H·vectors, H = I − s·vvᵀ."""
    m, scale = len(v), 2 / _dot(v, v)
    p = np.empty(m)
    for i in range(m):
        p[i] = scale * _dot(rest[i], v)
    half = scale * _dot(p, v) / 2
    for i in range(m):
        p[i] -= half * v[i]
    for i in range(m):
        row, one, other = rest[i], v[i], p[i]
        for j in range(m):
            row[j] -= one * p[j] + other * v[j]
    sums = np.zeros(vectors.shape[1])
    for i in range(m):
        _add(v[i], vectors[i], sums)
    for i in range(m):
        _add(-scale * v[i], sums, vectors[i])


@kernel
def _make_diagonal(diagonal: Array, beside: Array, vectors: Array) -> bool:
    """Rotate away the numbers beside the diagonal, one eigenvalue after the other; whether that was done."""
    n, tiny = len(diagonal), 2.0**-52 * np.max(np.abs(diagonal) + np.abs(beside))
    for first in range(n):
        for step in range(_MOST_STEPS + 1):
            last = first
            while last < n - 1 and abs(beside[last]) > tiny:
                last += 1
            if last == first:
                break
            if step == _MOST_STEPS:
                return False
            _ql_step(first, last, diagonal, beside, vectors)
    return True


@kernel
def _ql_step(first: int, last: int, diagonal: Array, beside: Array, vectors: Array) -> None:
    """One sweep of rotations over an unreduced block, with Wilkinson's shift."""
    half = (diagonal[first + 1] - diagonal[first]) / (2 * beside[first])
    root = np.hypot(half, 1.0)
    shift = diagonal[first] - beside[first] / (half + (root if half >= 0 else -root))
    bulge, sine, cosine, moved = diagonal[last] - shift, 1.0, 1.0, 0.0
    for i in range(last - 1, first - 1, -1):
        off, kept = sine * beside[i], cosine * beside[i]
        radius = np.hypot(off, bulge)
        beside[i + 1] = radius
        if radius == 0:  # the block parts here
            diagonal[i + 1] -= moved
            beside[last] = 0
            return
        sine, cosine = off / radius, bulge / radius
        bulge = diagonal[i + 1] - moved
        turned = (diagonal[i] - bulge) * sine + 2 * cosine * kept
        moved = sine * turned
        diagonal[i + 1] = bulge + moved
        bulge = cosine * turned - kept
        _rotate(sine, cosine, vectors[i], vectors[i + 1])
    diagonal[first] -= moved
    beside[first] = bulge
    beside[last] = 0


@kernel
def _rotate(sine: float, cosine: float, one: Array, other: Array) -> None:
    for j in range(len(one)):
        a, b = one[j], other[j]
        one[j], other[j] = cosine * a - sine * b, sine * a + cosine * b


@reordering_kernel
def _dot(one: Array, other: Array) -> Any:
    total = 0.0
    for j in range(len(one)):
        total += one[j] * other[j]
    return total


@kernel
def _add(scale: float, row: Array, total: Array) -> None:
    for j in range(len(row)):
        total[j] += scale * row[j]
