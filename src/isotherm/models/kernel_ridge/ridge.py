"""Kernel ridge regression: Z_j = (K + r·I)⁻¹·k_j for any items j, exactly or on landmarks.

Training items have metadata and targets y; the prediction for an item j from its metadata is y·Z_j, and its
posterior variance v_j = k_jj − k_j·Z_j (docs/kernel-ridge.md).

Exactly, the Cholesky factor of K + r·I is kept, n² floats, and a new item is two triangular solves, 2·n²
flops. On m landmark items L (Nyström, subset of regressors) K is K_nL·K_LL⁻¹·K_Ln: n·m floats, 2·n·m² flops,
and 2·n·m for a new item.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import blas, cho_solve, cholesky, solve_triangular

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.kernel_index import WeightedKernel
from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.linalg.cholesky import factorize_in_place
from isotherm.models.kernel_ridge.training_data import random_rows
from isotherm.progress import stage
from isotherm.state import Dense, Plain, Stateful
from isotherm.streams import stream
from isotherm.types import Float32, Float64, Int64, ItemIndex, ItemWeights
from isotherm.untrusted import Number

_BAND = 512
_JITTER = 1e-5  # of the mean diagonal: what float32 products leave undecided on landmarks
_POPULARITY_RIDGE = 1.0  # the kernel's weights alone set its scale


@dataclass(frozen=True, eq=False)
class RidgeColumns:
    """Z of some query items.

    weights: (n_items, n_queries) float32, what the target of each item counts.
    explained_variance: (n_queries,) float32 in [0, 1], 1 − v_j/k_jj, the share of an item's prior variance
    that the metadata of the training items explains; 0 where nothing is alike.
    """

    weights: ItemWeights
    explained_variance: Float32


class Ridge(Stateful, ABC):
    """A fitted ridge regression of targets y (n_items,) on a metadata kernel.

    Some of the n_items are training items; the rows of the others in Z are 0.
    """

    ridge_: float  #: r
    training_items_: ItemIndex  #: (n_training,)

    def __init__(self, kernel: WeightedKernel, ridge: float, n_items: int, training_items: ItemIndex) -> None:
        """kernel: compares any items with the landmarks, which are the training items themselves if exact."""
        self.attach(kernel, n_items)
        self.ridge_, self.training_items_ = ridge, training_items

    @classmethod
    def empty(cls) -> Self:
        """To be filled with what a saved model holds, and then with a kernel (``attach``)."""
        return cls.__new__(cls)

    def attach(self, kernel: WeightedKernel, n_items: int) -> None:
        """Take what is not saved with it."""
        self._kernel, self._n_items = kernel, n_items

    @abstractmethod
    def columns(self, queries: EncodedItems) -> RidgeColumns:
        """Z of the query items."""

    @abstractmethod
    def dual_coefficients(self, y: Float32) -> Float32:
        """α with y·Z_j = α·k_j: (n_training,) if exact, (n_landmarks,) otherwise; y: (n_items,)."""

    def kernel_rows(self, queries: EncodedItems) -> Float32:
        """k_j of the query items, (n_queries, n) in the order of ``dual_coefficients``."""
        return self._kernel.rows(queries)

    def left_out_columns(self, queries: EncodedItems, items: ItemIndex) -> RidgeColumns:
        """Z of some of the n_items, each predicted by the others alone; queries: their metadata.

        With h = Z_jj, what an item says of itself: Z_·j / (1 − h) but 0 at j, and v_j = r·h / (1 − h).
        """
        columns = self.columns(queries)
        weights, diagonal = columns.weights, (items, np.arange(len(items)))
        itself = np.clip(weights[diagonal], 0, 1 - 1e-6)
        weights[diagonal] = 0
        weights /= 1 - itself
        variance = self.ridge_ * itself / (1 - itself)
        explained = np.clip(1 - variance / self._prior_variance(queries), 0, 1)
        trained = np.isin(items, self.training_items_)
        return RidgeColumns(
            weights, np.where(trained, explained, columns.explained_variance).astype(np.float32)
        )

    def _prior_variance(self, queries: EncodedItems) -> Float32:
        """k_jj of the query items, (n_queries,)."""
        return np.maximum(self._kernel.diagonal(queries), 1e-30)

    def _among_all_items(self, training_rows: Float32) -> ItemWeights:
        """(n_items, n_queries) from the rows of the training items."""
        if len(self.training_items_) == self._n_items:
            return training_rows
        weights = np.zeros((self._n_items, training_rows.shape[1]), dtype=np.float32)
        weights[self.training_items_] = training_rows
        return weights


class ExactRidge(Ridge):
    """With all training items: the Cholesky factor of K + r·I."""

    factor_: Float32  #: L, (n_training, n_training)

    learned = (
        Plain("ridge_", Number(above=0)),
        Dense("training_items_", np.int64, ("n_landmarks",), below="n_warm", ascending=True),
        Dense("factor_", np.float32, ("n_landmarks", "n_landmarks")),
    )

    @classmethod
    def fitted(
        cls,
        kernel: WeightedKernel,
        training: EncodedItems,
        ridge: float,
        n_items: int,
        training_items: ItemIndex,
    ) -> Self:
        """training: metadata of these items, with which ``kernel`` compares. n³ / 3 flops, in place."""
        factor = _kernel_rows(kernel, training, len(training))
        factor.flat[:: len(factor) + 1] += np.float32(ridge)
        factorize_in_place(factor)
        fitted = cls(kernel, ridge, n_items, training_items)
        fitted.factor_ = factor
        return fitted

    def columns(self, queries: EncodedItems) -> RidgeColumns:
        """One forward and one backward solve for all queries."""
        rows = self._kernel.rows(queries)
        # rows.T is Fortran's order: L⁻¹·Kᵀ and then L⁻ᵀ·L⁻¹·Kᵀ are solved where the rows lie
        forward = blas.strsm(1.0, self.factor_.T, rows.T, lower=0, trans_a=1, overwrite_b=1)
        explained = np.einsum("ij,ij->j", forward, forward) / self._prior_variance(queries)
        solved = blas.strsm(1.0, self.factor_.T, forward, lower=0, trans_a=0, overwrite_b=1)
        return RidgeColumns(self._among_all_items(solved), np.clip(explained, 0, 1))

    def dual_coefficients(self, y: Float32) -> Float32:
        """(K + r·I)⁻¹·y."""
        return np.asarray(cho_solve((self.factor_.T, False), y[self.training_items_]), dtype=np.float32)


class LandmarkRidge(Ridge):
    """Nyström: the kernel as far as m landmark items can express it."""

    to_landmarks_: Float32  #: K_nL
    factor_: Float64  #: of r·K_LL + K_Ln·K_nL
    landmark_factor_: Float64  #: of K_LL

    learned = (
        Plain("ridge_", Number(above=0)),
        Dense("training_items_", np.int64, ("n_training",), below="n_warm", ascending=True),
        Dense("to_landmarks_", np.float32, ("n_training", "n_landmarks")),
        Dense("factor_", np.float64, ("n_landmarks", "n_landmarks")),
        Dense("landmark_factor_", np.float64, ("n_landmarks", "n_landmarks")),
    )

    @classmethod
    def fitted(
        cls,
        kernel: WeightedKernel,
        training: EncodedItems,
        landmarks: EncodedItems,
        ridge: float,
        n_items: int,
        training_items: ItemIndex,
    ) -> Self:
        """training: metadata of the training items; ``kernel`` compares with the landmarks. 2·n·m² flops."""
        to_landmarks = _kernel_rows(kernel, training, len(landmarks))
        among_landmarks = _with_jitter(kernel.rows(landmarks).astype(np.float64))
        system = _with_jitter(_gram(to_landmarks) + ridge * among_landmarks)
        fitted = cls(kernel, ridge, n_items, training_items)
        fitted.to_landmarks_ = to_landmarks
        fitted.factor_ = cholesky(system, lower=True)
        fitted.landmark_factor_ = cholesky(among_landmarks, lower=True)
        return fitted

    def columns(self, queries: EncodedItems) -> RidgeColumns:
        """Two m × m solves and one product with (n, m)."""
        rows = self._kernel.rows(queries).astype(np.float64)
        solved = cho_solve((self.factor_, True), rows.T)
        forward = solve_triangular(self.landmark_factor_, rows.T, lower=True)
        explained = np.einsum("ij,ij->j", forward, forward) - self.ridge_ * np.einsum(
            "ji,ij->j", rows, solved
        )
        explained = np.clip(explained / self._prior_variance(queries), 0, 1)
        training_rows = self.to_landmarks_ @ solved.astype(np.float32)
        return RidgeColumns(self._among_all_items(training_rows), explained.astype(np.float32))

    def dual_coefficients(self, y: Float32) -> Float32:
        """(r·K_LL + K_Ln·K_nL)⁻¹·K_Ln·y."""
        return np.asarray(
            cho_solve((self.factor_, True), self.to_landmarks_.T @ y[self.training_items_]), dtype=np.float32
        )


def _gram(rows: Float32) -> Float64:
    """Σ kᵀk in float64: in float32 its small eigenvalues are lost among the rounding of the large ones."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for band in bands(len(rows)):
        some = rows[band].astype(np.float64)
        total += some.T @ some
    return total


def _kernel_rows(kernel: WeightedKernel, training: EncodedItems, n_landmarks: int) -> Float32:
    """K of the training items and the landmarks, (n_training, n_landmarks)."""
    rows = np.empty((len(training), n_landmarks), dtype=np.float32)
    with stage("compare items by metadata", len(training), "items") as advance:
        for band in bands(len(training)):
            rows[band] = kernel.rows(training.take(band))
            advance(len(band))
    return rows


def _with_jitter(matrix: Float64) -> Float64:
    """A little on the diagonal, in place."""
    matrix.flat[:: len(matrix) + 1] += _JITTER * max(np.trace(matrix) / len(matrix), 1e-30)
    return matrix


@dataclass(frozen=True, eq=False)
class RidgeFitter:
    """Fits the two regressions of a model to some of its items.

    taste_weights, popularity_weights: μ and ν, what each kernel term is worth.  exact_items: the most
    training items that are used exactly; past them ``landmarks`` of them stand for all.  seed: of the draw.
    """

    kernel: MetadataKernel
    taste_weights: Float64
    popularity_weights: Float64
    exact_items: int
    landmarks: int
    seed: int

    def is_exact(self, training_items: ItemIndex) -> bool:
        """Whether every training item is a landmark."""
        return len(training_items) <= self.exact_items

    def landmark_items(self, training_items: ItemIndex) -> ItemIndex:
        """The landmarks among the training items."""
        if self.is_exact(training_items):
            return training_items
        return training_items[
            random_rows(len(training_items), self.landmarks, stream(self.seed, "landmarks"))
        ]

    def taste(self, items: EncodedItems, training_items: ItemIndex, ridge: float) -> Ridge:
        """The ridge of what each user would click; items: metadata of all that have targets."""
        return self._fit(items, training_items, self.taste_weights, ridge)

    def popularity(self, items: EncodedItems, training_items: ItemIndex) -> Ridge:
        """The ridge of what everybody would click."""
        return self._fit(items, training_items, self.popularity_weights, _POPULARITY_RIDGE)

    def _fit(self, items: EncodedItems, training_items: ItemIndex, weights: Float64, ridge: float) -> Ridge:
        landmarks = items.take(self.landmark_items(training_items))
        kernel = self.kernel.index(landmarks).weighted(weights)
        if self.is_exact(training_items):
            return ExactRidge.fitted(kernel, landmarks, ridge, len(items), training_items)
        training = items.take(training_items)
        return LandmarkRidge.fitted(kernel, training, landmarks, ridge, len(items), training_items)


def bands(n: int) -> Iterator[Int64]:
    """Bands of rows that cover range(n)."""
    for first in range(0, n, _BAND):
        yield np.arange(first, min(first + _BAND, n))
