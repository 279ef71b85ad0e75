"""Kernel ridge on a catalogue: A = (K + r·I)⁻¹ ready for any number of new items, exactly or on landmarks.

Exactly, the Cholesky factor of K + r·I is kept, n² floats, and a new item is two triangular solves, 2·n²
flops. On m landmark items L (Nyström, subset of regressors) K is K_nL·K_LL⁻¹·K_Ln: n·m floats, 2·n·m² flops,
and 2·n·m for a new item.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.linalg import blas, cho_solve, cholesky, solve_triangular

from isotherm.features.kernels import WeightedKernel
from isotherm.features.metadata import EncodedItems
from isotherm.linalg.cholesky import factorize_in_place
from isotherm.state import Dense, Plain, Stateful
from isotherm.types import Array, Float32, Float64, Int64
from isotherm.untrusted import Number

_BAND = 512
_JITTER = 1e-5  # of the mean diagonal: what float32 products leave undecided on landmarks

Columns = tuple[Float32, Float32]


class Ridge(Stateful, ABC):
    """(n_items,) targets y -> predictions y·Z for any items, from their metadata.

    Some of the n_items are the catalogue, which the ridge learns from; the others' rows of Z are 0.
    """

    def __init__(self, kernel: WeightedKernel, ridge: float, n_items: int, catalogue: Int64) -> None:
        self._kernel = kernel
        self._ridge = ridge
        self._n_items = n_items
        self._catalogue = catalogue

    def compare_with(self, kernel: WeightedKernel, n_items: int) -> None:
        """Take back what is not saved with it."""
        self._kernel, self._n_items = kernel, n_items

    def rows(self, queries: EncodedItems) -> Float32:
        """K of the query items, in the order of ``solve``: (n_queries, n) or (n_queries, n_landmarks)."""
        return self._kernel.to(queries)

    def left_out(self, queries: EncodedItems, rows: Array) -> Columns:
        """``columns`` of the items at ``rows``, each predicted by the others alone.

        With h = Z_jj, what an item says about itself: Z_·j / (1 − h) but 0 at j; its posterior variance is
        r·h / (1 − h).
        """
        solved, certainty = self.columns(queries)
        places = np.arange(len(rows))
        itself = np.clip(solved[rows, places], 0, 1 - 1e-6)
        solved[rows, places] = 0
        solved /= 1 - itself
        variance = self._ridge * itself / (1 - itself)
        alone = np.clip(1 - variance / np.maximum(self._kernel.own(queries), 1e-30), 0, 1)
        return solved, np.where(np.isin(rows, self._catalogue), alone, certainty).astype(np.float32)

    @abstractmethod
    def columns(self, queries: EncodedItems) -> Columns:
        """Z (n_items, n_queries), and the certainty of each query item in [0, 1].

        The certainty is the share of an item's prior variance that the catalogue's metadata explains:
        0 where nothing is alike.
        """

    @abstractmethod
    def solve(self, y: Float32) -> Float32:
        """α with y·Z = α·K for any query items: (n,) for exact ridge, (n_landmarks,) otherwise."""

    def _spread(self, solved: Float32) -> Float32:
        """The catalogue's rows among those of all items."""
        if len(self._catalogue) == self._n_items:
            return solved
        spread = np.zeros((self._n_items, solved.shape[1]), dtype=np.float32)
        spread[self._catalogue] = solved
        return spread


class ExactRidge(Ridge):
    """Every item of the catalogue is used."""

    learned = (
        Plain("_ridge", Number(above=0)),
        Dense("_catalogue", np.int64, ("n_landmarks",), below="n_warm", ascending=True),
        Dense("_factor", np.float32, ("n_landmarks", "n_landmarks")),
    )

    def __init__(self, *common: Any, factor: Float32) -> None:
        super().__init__(*common)
        self._factor = factor

    @classmethod
    def fitted(
        cls,
        kernel: WeightedKernel,
        known: EncodedItems,
        ridge: float,
        n_items: int,
        catalogue: Int64,
    ) -> "ExactRidge":
        """known: the catalogue's metadata, with which ``kernel`` compares. n³ / 3 flops, K in place."""
        factor = np.empty((len(known), len(known)), dtype=np.float32)
        for band in bands(len(known)):
            factor[band] = kernel.to(known.take(band))
        factor.flat[:: len(factor) + 1] += np.float32(ridge)
        factorize_in_place(factor)
        return cls(kernel, ridge, n_items, catalogue, factor=factor)

    def columns(self, queries: EncodedItems) -> Columns:
        """One forward and one backward solve for all queries."""
        rows = self._kernel.to(queries)
        # rows.T is Fortran's order: L⁻¹·Kᵀ and then L⁻ᵀ·L⁻¹·Kᵀ are solved where the rows lie
        half = blas.strsm(1.0, self._factor.T, rows.T, lower=0, trans_a=1, overwrite_b=1)
        certainty = np.einsum("ij,ij->j", half, half) / np.maximum(self._kernel.own(queries), 1e-30)
        solved = blas.strsm(1.0, self._factor.T, half, lower=0, trans_a=0, overwrite_b=1)
        return self._spread(solved), np.clip(certainty, 0, 1)

    def solve(self, y: Float32) -> Float32:
        """(K + r·I)⁻¹·y."""
        return np.asarray(cho_solve((self._factor.T, False), y[self._catalogue]), dtype=np.float32)


class LandmarkRidge(Ridge):
    """Nyström: the kernel as far as m landmark items can express it."""

    learned = (
        Plain("_ridge", Number(above=0)),
        Dense("_catalogue", np.int64, ("n_catalogue",), below="n_warm", ascending=True),
        Dense("_to_landmarks", np.float32, ("n_catalogue", "n_landmarks")),
        Dense("_factor", np.float64, ("n_landmarks", "n_landmarks")),
        Dense("_landmark_factor", np.float64, ("n_landmarks", "n_landmarks")),
    )

    def __init__(
        self,
        *common: Any,
        to_landmarks: Float32,
        system_factor: Float64,
        landmark_factor: Float64,
    ) -> None:
        super().__init__(*common)
        self._to_landmarks = to_landmarks
        self._factor = system_factor
        self._landmark_factor = landmark_factor

    @classmethod
    def fitted(
        cls,
        kernel: WeightedKernel,
        known: EncodedItems,
        landmarks: EncodedItems,
        ridge: float,
        n_items: int,
        catalogue: Int64,
    ) -> "LandmarkRidge":
        """known: the catalogue's metadata; ``kernel`` compares with the landmarks. 2·n·m² flops."""
        to_landmarks = np.empty((len(known), len(landmarks)), dtype=np.float32)
        for band in bands(len(known)):
            to_landmarks[band] = kernel.to(known.take(band))
        among = kernel.to(landmarks).astype(np.float64)
        among.flat[:: len(among) + 1] += _JITTER * max(np.trace(among) / len(among), 1e-30)
        system = (to_landmarks.T @ to_landmarks).astype(np.float64) + ridge * among
        system.flat[:: len(system) + 1] += _JITTER * max(np.trace(system) / len(system), 1e-30)
        return cls(
            kernel,
            ridge,
            n_items,
            catalogue,
            to_landmarks=to_landmarks,
            system_factor=cholesky(system, lower=True),
            landmark_factor=cholesky(among, lower=True),
        )

    def columns(self, queries: EncodedItems) -> Columns:
        """Two m × m solves and one product with (n, m)."""
        rows = self._kernel.to(queries).astype(np.float64)
        solved = cho_solve((self._factor, True), rows.T)
        half = solve_triangular(self._landmark_factor, rows.T, lower=True)
        explained = np.einsum("ij,ij->j", half, half) - self._ridge * np.einsum("ji,ij->j", rows, solved)
        certainty = explained / np.maximum(self._kernel.own(queries), 1e-30)
        columns = self._to_landmarks @ solved.astype(np.float32)
        return self._spread(columns), np.clip(certainty, 0, 1).astype(np.float32)

    def solve(self, y: Float32) -> Float32:
        """(r·K_LL + K_Ln·K_nL)⁻¹·K_Ln·y."""
        return np.asarray(
            cho_solve((self._factor, True), self._to_landmarks.T @ y[self._catalogue]), dtype=np.float32
        )


def empty_ridge(exact: bool) -> Ridge:
    """To be filled with what a saved model holds, and then with the kernel (``compare_with``)."""
    return (ExactRidge if exact else LandmarkRidge).__new__(ExactRidge if exact else LandmarkRidge)


def bands(n: int) -> Iterator[Int64]:
    """Bands of rows that cover range(n)."""
    for first in range(0, n, _BAND):
        yield np.arange(first, min(first + _BAND, n))
