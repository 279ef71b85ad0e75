"""Kernel ridge regression: Z_j = (K + r·I)⁻¹·k_j for any items j, exactly or on landmarks.

Training items have metadata and targets y; the prediction for an item j from its metadata is y·Z_j, and its
posterior variance v_j = k_jj − k_j·Z_j (docs/kernel-ridge.md).

Exactly, the Cholesky factor of K + r·I is kept, n² floats, and a new item is two triangular solves, 2·n²
flops. On m landmark items L (Nyström, subset of regressors) K is K_nL·K_LL⁻¹·K_Ln: n·m floats, 2·n·m² flops,
and 2·n·m for a new item. What several r have in common is computed once (``RidgePath``).
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.linalg import blas, cho_solve, cholesky, solve_triangular

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.kernel_index import WeightedKernel
from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.linalg.cholesky import factorize_in_place, inverse_diagonal, inverse_of_factor
from isotherm.models.kernel_ridge.shared_kernel import SharedKernel, bands, kernel_rows
from isotherm.models.kernel_ridge.training_data import random_rows
from isotherm.state import Dense, Plain, Stateful
from isotherm.streams import stream
from isotherm.types import Float32, Float64, ItemIndex, ItemWeights
from isotherm.untrusted import Number

_LEAST_DIAGONAL = 1e-30  # of an inverse
_JITTER = 1e-5  # of the mean diagonal: what float32 products leave undecided on landmarks
_POPULARITY_RIDGE = 1.0  # the kernel's weights alone set its scale
_POPULARITY_ITEMS, _POPULARITY_PART = 8_000, 3  # popularity is learned on so many or a third of the landmarks


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
        self._kernel, self.n_items = kernel, n_items

    @abstractmethod
    def columns_by(self, rows: Float32, prior_variance: Float32) -> RidgeColumns:
        """The rows of the training items in Z, (n_training, n_queries), from k_j of the query items.

        rows: (n_queries, n) as ``kernel_rows`` gives them; overwritten.  prior_variance: k_jj, (n_queries,).
        """

    @abstractmethod
    def dual_coefficients(self, y: Float32) -> Float32:
        """α with y·Z_j = α·k_j: (n_training,) if exact, (n_landmarks,) otherwise; y: (n_items,)."""

    @abstractmethod
    def left_out(self) -> "LeftOutRidge":
        """What predicts each of the n_items by the others alone."""

    def columns(self, queries: EncodedItems) -> RidgeColumns:
        """Z of the query items."""
        columns = self.columns_by(self.kernel_rows(queries), self.prior_variance(queries))
        return RidgeColumns(self.among_all_items(columns.weights), columns.explained_variance)

    def kernel_rows(self, queries: EncodedItems) -> Float32:
        """k_j of the query items, (n_queries, n) in the order of ``dual_coefficients``."""
        return self._kernel.rows(queries)

    def prior_variance(self, queries: EncodedItems) -> Float32:
        """k_jj of the query items, (n_queries,)."""
        return np.maximum(self._kernel.diagonal(queries), 1e-30)

    def among_all_items(self, training_rows: Float32) -> ItemWeights:
        """(n_items, n_queries) from the rows of the training items."""
        if len(self.training_items_) == self.n_items:
            return training_rows
        weights = np.zeros((self.n_items, training_rows.shape[1]), dtype=np.float32)
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
        cls, kernel: WeightedKernel, among: Float32, ridge: float, n_items: int, training_items: ItemIndex
    ) -> Self:
        """among: K of the training items, overwritten by the factor.  n³ / 3 flops."""
        among.flat[:: len(among) + 1] += np.float32(ridge)
        factorize_in_place(among)
        fitted = cls(kernel, ridge, n_items, training_items)
        fitted.factor_ = among
        return fitted

    def columns_by(self, rows: Float32, prior_variance: Float32) -> RidgeColumns:
        """One forward and one backward solve for all queries."""
        # rows.T is Fortran's order: L⁻¹·Kᵀ and then L⁻ᵀ·L⁻¹·Kᵀ are solved where the rows lie
        forward = blas.strsm(1.0, self.factor_.T, rows.T, lower=0, trans_a=1, overwrite_b=1)
        explained = np.einsum("ij,ij->j", forward, forward) / prior_variance
        solved = blas.strsm(1.0, self.factor_.T, forward, lower=0, trans_a=0, overwrite_b=1)
        return RidgeColumns(solved, np.clip(explained, 0, 1))

    def dual_coefficients(self, y: Float32) -> Float32:
        """(K + r·I)⁻¹·y."""
        return np.asarray(cho_solve((self.factor_.T, False), y[self.training_items_]), dtype=np.float32)

    def coefficients_of(self, y: Float32, items: ItemIndex) -> Float32:
        """``dual_coefficients`` in the order of ``items``, 0 where one is no training item; (len(items),)."""
        coefficients = np.zeros(self.n_items, dtype=np.float32)
        coefficients[self.training_items_] = self.dual_coefficients(y)
        return coefficients[items]

    def left_out(self) -> "ExactLeftOut":
        """By the inverse of K + r·I, 2/3·n³ flops."""
        return ExactLeftOut(self, inverse_of_factor(self.factor_))

    def left_out_predictions(self, y: Float32, items: EncodedItems) -> Float32:
        """Each y_j (n_items,) as ``left_out`` predicts it, by the diagonal of the inverse alone: n³/3 flops.

        items: metadata of the n_items.
        """
        training = self.training_items_
        coefficients = self.dual_coefficients(y)
        predictions = np.empty(self.n_items, dtype=np.float32)
        predictions[training] = y[training] - coefficients / np.maximum(
            inverse_diagonal(self.factor_), _LEAST_DIAGONAL
        )
        others = np.setdiff1d(np.arange(self.n_items), training)
        for band in bands(len(others)):
            predictions[others[band]] = self.kernel_rows(items.take(others[band])) @ coefficients
        return predictions


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
        among: "LandmarkKernels",
        ridge: float,
        n_items: int,
        training_items: ItemIndex,
    ) -> Self:
        """among: the kernels that do not depend on r."""
        fitted = cls(kernel, ridge, n_items, training_items)
        fitted.to_landmarks_ = among.to_landmarks
        fitted.factor_ = cholesky(_with_jitter(among.gram + ridge * among.landmarks), lower=True)
        fitted.landmark_factor_ = among.landmark_factor
        return fitted

    def columns_by(self, rows: Float32, prior_variance: Float32) -> RidgeColumns:
        """Two m × m solves and one product with (n, m)."""
        right = rows.T.astype(np.float64)
        solved = cho_solve((self.factor_, True), right)
        forward = solve_triangular(self.landmark_factor_, right, lower=True)
        explained = np.einsum("ij,ij->j", forward, forward) - self.ridge_ * np.einsum(
            "ij,ij->j", right, solved
        )
        explained = np.clip(explained / prior_variance, 0, 1)
        return RidgeColumns(self.to_landmarks_ @ solved.astype(np.float32), explained.astype(np.float32))

    def dual_coefficients(self, y: Float32) -> Float32:
        """(r·K_LL + K_Ln·K_nL)⁻¹·K_Ln·y."""
        return np.asarray(
            cho_solve((self.factor_, True), self.to_landmarks_.T @ y[self.training_items_]), dtype=np.float32
        )

    def left_out(self) -> "LandmarkLeftOut":
        """By a solve for each item that is asked for."""
        return LandmarkLeftOut(self)


@dataclass(frozen=True, eq=False)
class LandmarkKernels:
    """to_landmarks: K_nL.  gram: K_Ln·K_nL.  landmarks: K_LL.  landmark_factor: its Cholesky factor."""

    to_landmarks: Float32
    gram: Float64
    landmarks: Float64
    landmark_factor: Float64

    @classmethod
    def of(cls, kernel: WeightedKernel, training: EncodedItems, landmarks: EncodedItems) -> "LandmarkKernels":
        """training: metadata of the n training items; ``kernel`` compares with the landmarks.

        2·n·m² flops.
        """
        to_landmarks = kernel_rows(kernel, training, len(landmarks))
        among = _with_jitter(kernel.rows(landmarks).astype(np.float64))
        return cls(to_landmarks, _gram(to_landmarks), among, cholesky(among, lower=True))


class LeftOutRidge(ABC):
    """The n_items of a ridge, each predicted by the others alone.

    With h = Z_jj, what an item says of itself: Z_·j / (1 − h) but 0 at j, and v_j = r·h / (1 − h).
    Of an item that is no training item h is 0.
    """

    def __init__(self, ridge: Ridge) -> None:
        self._ridge = ridge
        self._place = np.full(ridge.n_items, -1)
        self._place[ridge.training_items_] = np.arange(len(ridge.training_items_))

    @abstractmethod
    def columns(self, queries: EncodedItems, items: ItemIndex) -> RidgeColumns:
        """The rows of the training items in these Z, (n_training, len(items)).

        items: some of the n_items.  queries: their metadata.
        """

    @abstractmethod
    def predictions(self, y: Float32, items: EncodedItems) -> Float32:
        """y·Z of all n_items, (m, n_items).  y: (m, n_items).  items: their metadata."""

    def explained_variance(self, items: EncodedItems) -> Float32:
        """1 − v_j/k_jj of all n_items, (n_items,).  items: their metadata."""
        every = np.arange(len(items))
        explained = [self.columns(items.take(band), band).explained_variance for band in bands(len(every))]
        return np.concatenate(explained)


class ExactLeftOut(LeftOutRidge):
    """By the inverse P = (K + r·I)⁻¹, where 1 − h = r·P_jj: Z is −P_·j / P_jj, as EASE's weights are."""

    def __init__(self, ridge: ExactRidge, inverse: Float32) -> None:
        super().__init__(ridge)
        self._inverse = inverse
        self._diagonal = np.maximum(np.diag(inverse), _LEAST_DIAGONAL)

    def columns(self, queries: EncodedItems, items: ItemIndex) -> RidgeColumns:
        """Columns of the inverse; of other items, a product with it."""
        ridge, places = self._ridge, self._place[items]
        weights = np.empty((len(self._inverse), len(items)), dtype=np.float32)
        trained, others = np.flatnonzero(places >= 0), np.flatnonzero(places < 0)
        places = places[trained]
        weights[:, trained] = self._inverse[places].T / -self._diagonal[places]
        weights[places, trained] = 0
        prior = ridge.prior_variance(queries)
        explained = 1 - (1 / self._diagonal[places] - ridge.ridge_) / prior[trained]
        explained_variance = np.empty(len(items), dtype=np.float32)
        explained_variance[trained] = np.clip(explained, 0, 1)
        if len(others):
            rows = ridge.kernel_rows(queries.take(others))
            solved = rows @ self._inverse
            weights[:, others] = solved.T
            explained = np.einsum("ij,ij->i", rows, solved) / prior[others]
            explained_variance[others] = np.clip(explained, 0, 1)
        return RidgeColumns(weights, explained_variance)

    def predictions(self, y: Float32, items: EncodedItems) -> Float32:
        """y_j − (Y·P)_j / P_jj; of other items, Y·P·k_j."""
        training = self._ridge.training_items_
        targets = np.ascontiguousarray(y[:, training])
        solved = targets @ self._inverse
        predictions = np.empty(y.shape, dtype=np.float32)
        others = np.flatnonzero(self._place < 0)
        for band in bands(len(others)):
            rows = self._ridge.kernel_rows(items.take(others[band]))
            predictions[:, others[band]] = solved @ rows.T
        solved /= self._diagonal
        predictions[:, training] = np.subtract(targets, solved, out=targets)
        return predictions


class LandmarkLeftOut(LeftOutRidge):
    """By the columns of the ridge."""

    def columns(self, queries: EncodedItems, items: ItemIndex) -> RidgeColumns:
        """Columns of the ridge, without what an item says of itself."""
        ridge, places = self._ridge, self._place[items]
        prior = ridge.prior_variance(queries)
        columns = ridge.columns_by(ridge.kernel_rows(queries), prior)
        weights, explained = columns.weights, columns.explained_variance
        trained = np.flatnonzero(places >= 0)
        diagonal = (places[trained], trained)
        itself = np.clip(weights[diagonal], 0, 1 - 1e-6)
        weights[diagonal] = 0
        weights[:, trained] /= 1 - itself
        variance = ridge.ridge_ * itself / (1 - itself)
        explained[trained] = np.clip(1 - variance / prior[trained], 0, 1)
        return RidgeColumns(weights, explained)

    def predictions(self, y: Float32, items: EncodedItems) -> Float32:
        """Band after band of items."""
        targets = np.ascontiguousarray(y[:, self._ridge.training_items_])
        predictions = np.empty(y.shape, dtype=np.float32)
        for band in bands(y.shape[1]):
            predictions[:, band] = targets @ self.columns(items.take(band), band).weights
        return predictions


def _gram(rows: Float32) -> Float64:
    """Σ kᵀk in float64: in float32 its small eigenvalues are lost among the rounding of the large ones."""
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for band in bands(len(rows)):
        some = rows[band].astype(np.float64)
        total += some.T @ some
    return total


def _with_jitter(matrix: Float64) -> Float64:
    """A little on the diagonal, in place."""
    matrix.flat[:: len(matrix) + 1] += _JITTER * max(np.trace(matrix) / len(matrix), 1e-30)
    return matrix


@dataclass(frozen=True, eq=False)
class RidgeFitter:
    """Fits the two regressions of a model to some of its items.

    taste_weights, popularity_weights: μ and ν, what each kernel term is worth.  exact_items: the most
    training items that are used exactly; past them ``landmarks`` of them stand for all.  seed: of the draw.
    shared_taste, shared_popularity: what is known of their kernels (``sharing``).
    """

    kernel: MetadataKernel
    taste_weights: Float64
    popularity_weights: Float64
    exact_items: int
    landmarks: int
    seed: int
    shared_taste: SharedKernel | None = None
    shared_popularity: SharedKernel | None = None

    def sharing(self, items: EncodedItems, training_items: ItemIndex) -> "RidgeFitter":
        """With the kernels among the training items of a catalogue, for its ridges and those of its parts."""
        if not self.is_exact(training_items):
            return self
        popularity = self._popularity_items(training_items)
        return replace(
            self,
            shared_taste=self._shared(items, training_items, self.taste_weights),
            shared_popularity=self._shared(items, popularity, self.popularity_weights),
        )

    def _shared(self, items: EncodedItems, some: ItemIndex, weights: Float64) -> SharedKernel:
        known = items.take(some)
        return SharedKernel(some, kernel_rows(self.kernel.index(known).weighted(weights), known, len(some)))

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
        """The ridge of what each user would click; items: metadata of all that have targets.

        What is shared among these training items is used up.
        """
        return self.taste_path(items, training_items).at(ridge, last=True)

    def taste_path(
        self, items: EncodedItems, training_items: ItemIndex, part: ItemIndex | None = None
    ) -> "RidgePath":
        """The same for several r.  part: which items of the catalogue, whose kernel is shared, these are."""
        landmarks = items.take(self.landmark_items(training_items))
        kernel = self.kernel.index(landmarks).weighted(self.taste_weights)
        among: Float32 | LandmarkKernels
        if self.is_exact(training_items):
            among = _among(self.shared_taste, kernel, landmarks, training_items, part)
        else:
            among = LandmarkKernels.of(kernel, items.take(training_items), landmarks)
        return RidgePath(kernel, among, len(items), training_items)

    def popularity(
        self, items: EncodedItems, training_items: ItemIndex, part: ItemIndex | None = None
    ) -> "ExactRidge":
        """The ridge of what everybody would click, by some of the landmarks.  part: as in ``taste_path``.

        It has one target instead of hundreds, for which fewer items are enough.
        """
        some = self._popularity_items(training_items)
        landmarks = items.take(some)
        kernel = self.kernel.index(landmarks).weighted(self.popularity_weights)
        among = _among(self.shared_popularity, kernel, landmarks, some, part)
        return ExactRidge.fitted(kernel, among, _POPULARITY_RIDGE, len(items), some)

    def _popularity_items(self, training_items: ItemIndex) -> ItemIndex:
        """Those of the landmarks that popularity is learned on."""
        some = self.landmark_items(training_items)
        most = max(_POPULARITY_ITEMS, len(some) // _POPULARITY_PART)
        if len(some) <= most:
            return some
        return some[random_rows(len(some), most, stream(self.seed, "items of popularity"))]


def _among(
    shared: SharedKernel | None,
    kernel: WeightedKernel,
    landmarks: EncodedItems,
    items: ItemIndex,
    part: ItemIndex | None,
) -> Float32:
    """K among the landmarks, which are ``items`` of the catalogue or of a part of it."""
    if shared is None:
        return kernel_rows(kernel, landmarks, len(landmarks))
    if part is not None:
        return shared.part(kernel, landmarks, part[items])
    among = shared.taken(items)
    return kernel_rows(kernel, landmarks, len(landmarks)) if among is None else among


class RidgePath:
    """Ridges of several r on one kernel.

    among: K of the training items, (n_training, n_training), or their kernels with the landmarks.
    """

    def __init__(
        self,
        kernel: WeightedKernel,
        among: Float32 | LandmarkKernels,
        n_items: int,
        training_items: ItemIndex,
    ) -> None:
        self.kernel = kernel
        self._among: Float32 | LandmarkKernels | None = among
        self._n_items, self._training_items = n_items, training_items

    def at(self, ridge: float, last: bool = False) -> Ridge:
        """The ridge of one r.  last: no other is asked for, so what they have in common may be used up."""
        among = self._among
        assert among is not None, "the last ridge of this path has been taken"
        if last:
            self._among = None
        if isinstance(among, LandmarkKernels):
            return LandmarkRidge.fitted(self.kernel, among, ridge, self._n_items, self._training_items)
        own = among if last else among.copy()
        return ExactRidge.fitted(self.kernel, own, ridge, self._n_items, self._training_items)
