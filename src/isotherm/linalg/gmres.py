"""GMRES (Saad & Schultz 1986) for many linear systems side by side, one per row."""

from collections.abc import Callable

import numpy as np

from isotherm.types import Float32, Float64, Int64

_TINY_LENGTH, _TINY_RADIUS = 1e-30, 1e-300  # what a length is divided by at least


def gmres(
    times: Callable[[Float32, Int64], Float32],
    right: Float32,
    tolerance: float,
    max_steps: int,
) -> Float32:
    """Rows y with A_r·y = right_r for each row r of ``right``, (n_systems, n) float32.

    times: A_r·v, a new array, for rows v (m, n) and their systems r (m,).  tolerance: of a residual's norm,
    relative to that of the right side, in (0, 1); a system that meets it takes no further step.  max_steps:
    of each system, whose solution is then the best that these steps give.
    """
    spaces = _KrylovSpaces(right, max_steps)
    for _ in range(max_steps):
        unsolved = spaces.unsolved(tolerance)
        if not len(unsolved):
            break
        rows = unsolved if len(unsolved) < len(right) else slice(None)  # all of them: no copies
        spaces.extend(rows, times(spaces.newest[rows], unsolved))
    return spaces.solution()


class _KrylovSpaces:
    """Each system's orthonormal basis, and its Hessenberg matrix, rotated into a triangle as it grows."""

    def __init__(self, right: Float32, max_steps: int) -> None:
        n_systems = len(right)
        self._norms = np.linalg.norm(right, axis=1)
        first = np.zeros_like(right)
        np.divide(right, self._norms[:, None], out=first, where=self._norms[:, None] > 0)
        self._basis = [first]
        self._hessenberg = np.zeros((n_systems, max_steps + 1, max_steps))
        self._rotations: list[tuple[Float64, Float64]] = []
        self._residuals = np.zeros((n_systems, max_steps + 1))
        self._residuals[:, 0] = self._norms
        self._steps = np.zeros(n_systems, dtype=np.int64)

    @property
    def newest(self) -> Float32:
        """The last basis vector of each system, (n_systems, n)."""
        return self._basis[-1]

    def unsolved(self, tolerance: float) -> Int64:
        """The systems whose residual is above the tolerance."""
        residuals = self._residuals[np.arange(len(self._steps)), self._steps]
        return np.flatnonzero(np.abs(residuals) > tolerance * self._norms)

    def extend(self, systems: Int64 | slice, vectors: Float32) -> None:
        """One dimension more for these systems, from A times their newest vectors, which are overwritten."""
        column = self._orthogonalize(systems, vectors)
        self._rotate(systems, column)
        self._steps[systems] += 1

    def _orthogonalize(self, systems: Int64 | slice, vectors: Float32) -> Float64:
        """Append to the basis; return the vectors' coordinates in it, (m, max_steps + 1)."""
        column = np.zeros((len(vectors), self._hessenberg.shape[1]))
        for _ in range(2):  # float32: once leaves the basis skew
            for j, known in enumerate(self._basis):
                along = np.einsum("rn,rn->r", known[systems], vectors)
                vectors -= along[:, None] * known[systems]
                column[:, j] += along
        length = np.linalg.norm(vectors, axis=1)
        column[:, len(self._basis)] = length
        following = np.zeros_like(self._basis[0])
        following[systems] = vectors / np.maximum(length, _TINY_LENGTH)[:, None]
        self._basis.append(following)
        return column

    def _rotate(self, systems: Int64 | slice, column: Float64) -> None:
        """Turn the new column of the Hessenberg matrices into one of triangles (Givens rotations)."""
        k = len(self._rotations)
        for j, (cosine, sine) in enumerate(self._rotations):
            upper, lower = column[:, j].copy(), column[:, j + 1].copy()
            column[:, j] = cosine[systems] * upper + sine[systems] * lower
            column[:, j + 1] = cosine[systems] * lower - sine[systems] * upper
        radius = np.maximum(np.hypot(column[:, k], column[:, k + 1]), _TINY_RADIUS)
        cosine, sine = np.ones(len(self._norms)), np.zeros(len(self._norms))
        cosine[systems], sine[systems] = column[:, k] / radius, column[:, k + 1] / radius
        self._rotations.append((cosine, sine))
        column[:, k], column[:, k + 1] = radius, 0
        self._hessenberg[systems, :, k] = column
        self._residuals[:, k + 1] = -sine * self._residuals[:, k]
        self._residuals[:, k] *= cosine

    def solution(self) -> Float32:
        """The combination of each basis that leaves the smallest residual, (n_systems, n)."""
        depth = int(self._steps.max(initial=0))
        triangles = self._hessenberg[:, :depth, :depth]
        beyond = np.arange(depth) >= self._steps[:, None]  # the steps that a system did not take
        triangles[beyond[:, :, None] & np.eye(depth, dtype=bool)] = 1
        right = np.where(beyond, 0, self._residuals[:, :depth])
        weights = np.linalg.solve(triangles, right[:, :, None])[:, :, 0]
        solution = np.zeros_like(self._basis[0])
        for j in range(depth):
            solution += weights[:, j, None].astype(np.float32) * self._basis[j]
        return solution
