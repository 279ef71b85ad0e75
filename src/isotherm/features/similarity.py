"""Item-item similarities of one field: shrunk cosines (MARec, eq. 3-4), products, closeness of numbers.

An index holds the vectors of a catalogue; it is asked for the similarities of some query items to all of
it, a band of rows at a time, so that no items × items matrix needs to exist.
"""

from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import inlined, kernel
from isotherm.linalg.accelerator import dense_product
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, ItemFeatures, Similarities

_LEAST_WIDTH = 1e-6  # of a range: float32 divides by it without overflow


class SimilarityIndex(Protocol):
    """The vectors of a catalogue, ready to be compared with vectors of the same type."""

    def similarities(self, queries: ItemFeatures | Float32) -> Similarities:
        """(n_queries, n_catalogue) float32."""


class ProductIndex(SimilarityIndex, Protocol):
    """One whose similarities are a kernel: it says what an item is to itself, too."""

    def self_similarities(self, queries: ItemFeatures | Float32) -> Float32:
        """(n_queries,) float32."""

    def add_similarities(self, queries: ItemFeatures | Float32, weight: float, total: Similarities) -> None:
        """total += weight · similarities, (n_queries, n_catalogue) C order."""


class SparseProducts:
    """zᵢ·zⱼ over sparse vectors, through an inverted index feature -> items.

    vectors: (n_catalogue, n_features).
    """

    def __init__(self, vectors: ItemFeatures) -> None:
        self._n_items = vectors.shape[0]
        self._items_of = csr_array(vectors.T.tocsr())

    def similarities(self, queries: ItemFeatures) -> Similarities:
        """(n_queries, n_catalogue)."""
        out = np.zeros((queries.shape[0], self._n_items), dtype=np.float32)
        index = self._items_of
        run_bands(
            _sparse_products, len(out), queries.indptr, queries.indices, queries.data,
            index.indptr, index.indices, index.data, out,
        )  # fmt: skip
        return out

    def self_similarities(self, queries: ItemFeatures) -> Float32:
        """Squared norms, (n_queries,)."""
        return sparse_squared_norms(queries)

    def add_similarities(self, queries: ItemFeatures, weight: float, total: Similarities) -> None:
        """In place."""
        total += np.float32(weight) * self.similarities(queries)


class SparseCosines:
    """zᵢ·zⱼ / (‖zᵢ‖‖zⱼ‖ + δ) over sparse vectors, through the same inverted index (MARec, eq. 3-4).

    vectors: (n_catalogue, n_features).  shrinkage: δ >= 0.
    """

    def __init__(self, vectors: ItemFeatures, shrinkage: float) -> None:
        self._items_of = csr_array(vectors.T.tocsr())
        self._norms = _sparse_norms(vectors)
        self._shrinkage = np.float32(shrinkage)

    def similarities(self, queries: ItemFeatures) -> Similarities:
        """(n_queries, n_catalogue); 0 for items without a common feature."""
        out = np.zeros((queries.shape[0], len(self._norms)), dtype=np.float32)
        index = self._items_of
        run_bands(
            _sparse_cosines, len(out), queries.indptr, queries.indices, queries.data,
            index.indptr, index.indices, index.data,
            _sparse_norms(queries), self._norms, self._shrinkage, out,
        )  # fmt: skip
        return out


class DenseProducts:
    """zᵢ·zⱼ over dense vectors.  vectors: (n_catalogue, width)."""

    def __init__(self, vectors: Float32) -> None:
        self._vectors = vectors

    def similarities(self, queries: Float32) -> Similarities:
        """(n_queries, n_catalogue)."""
        return dense_product(queries, self._vectors.T)

    def self_similarities(self, queries: Float32) -> Float32:
        """Squared norms, (n_queries,)."""
        return dense_squared_norms(queries)

    def add_similarities(self, queries: Float32, weight: float, total: Similarities) -> None:
        """In place."""
        total += dense_product(np.float32(weight) * queries, self._vectors.T)


class DenseCosines:
    """zᵢ·zⱼ / (‖zᵢ‖‖zⱼ‖ + δ) over dense vectors, as a matrix product (MARec, eq. 3-4).

    vectors: (n_catalogue, width).  shrinkage: δ >= 0.
    """

    def __init__(self, vectors: Float32, shrinkage: float) -> None:
        self._vectors = vectors
        self._norms = _dense_norms(vectors)
        self._shrinkage = np.float32(shrinkage)

    def similarities(self, queries: Float32) -> Similarities:
        """(n_queries, n_catalogue); 0 for a zero vector."""
        products = dense_product(queries, self._vectors.T)
        scale = np.outer(_dense_norms(queries), self._norms) + self._shrinkage
        products[scale == 0] = 0
        np.divide(products, scale, out=products, where=scale > 0)
        return products


class Closeness:
    """1 − |difference| for numbers in units of their range; 0 past one range, or where one is missing.

    numbers: (n_catalogue,), NaN where missing.
    """

    def __init__(self, numbers: Float32) -> None:
        self._numbers = numbers

    def similarities(self, queries: Float32) -> Similarities:
        """(n_queries, n_catalogue)."""
        closeness = np.zeros((len(queries), len(self._numbers)), dtype=np.float32)
        self.add_similarities(queries, 1.0, closeness)
        return closeness

    def add_similarities(self, queries: Float32, weight: float, total: Similarities) -> None:
        """total += weight · similarities, (n_queries, n_catalogue) C order."""
        weights = np.float32(weight) * self._factors(queries)
        run_bands(_add_closeness, len(queries), queries, weights, self._numbers, total, smallest=16)

    def _factors(self, queries: Float32) -> Float32:
        """What each query's closeness is multiplied by, (n_queries,)."""
        return np.ones(len(queries), dtype=np.float32)


class FadingCloseness(Closeness):
    """The same times f: of a number beyond those of the catalogue nothing is known.

    f falls from 1 at the end of their range to 0 an interquartile range of theirs farther out
    (docs/kernel-ridge.md).
    """

    def __init__(self, numbers: Float32) -> None:
        super().__init__(numbers)
        known = numbers[np.isfinite(numbers)]
        least, lower, upper, largest = np.quantile(known if len(known) else [0.0], (0, 0.25, 0.75, 1))
        self._least, self._largest = np.float32(least), np.float32(largest)
        self._width = np.float32(max(upper - lower or largest - least or 1, _LEAST_WIDTH))

    def _factors(self, queries: Float32) -> Float32:
        """f."""
        return self.fading(queries)

    def self_similarities(self, queries: Float32) -> Float32:
        """f² where there is a number, else 0, (n_queries,)."""
        known: Float32 = np.isfinite(queries) * np.square(self.fading(queries))
        return known

    def fading(self, queries: Float32) -> Float32:
        """f of each number, (n_queries,); 1 where it is missing."""
        beyond = np.nan_to_num(np.maximum(self._least - queries, queries - self._largest), nan=0.0)
        fading: Float32 = np.clip(1 - beyond / self._width, 0, 1)
        return fading


def sparse_squared_norms(vectors: ItemFeatures) -> Float32:
    """‖z‖² of each row, (n_items,)."""
    return np.asarray(vectors.multiply(vectors).sum(axis=1), dtype=np.float32).ravel()


def dense_squared_norms(vectors: Float32) -> Float32:
    """‖z‖² of each row, (n_items,)."""
    return np.asarray((vectors * vectors).sum(axis=1), dtype=np.float32)


def _sparse_norms(vectors: ItemFeatures) -> Float32:
    return np.sqrt(sparse_squared_norms(vectors))


def _dense_norms(vectors: Float32) -> Float32:
    return np.sqrt(dense_squared_norms(vectors))


@kernel
def _add_closeness(
    first: int, last: int, queries: Array, weights: Array, numbers: Array, total: Array
) -> None:
    """What is missing is NaN, and no comparison with it is true."""
    for q in range(first, last):
        query, weight, row = queries[q], weights[q], total[q]
        for j in range(len(numbers)):
            closeness = np.float32(1) - abs(query - numbers[j])
            row[j] += weight * (closeness if closeness > 0 else np.float32(0))


@inlined
def _add_products(
    row: Array,
    query: int,
    starts: Array,
    features: Array,
    values: Array,
    item_starts: Array,
    items: Array,
    item_values: Array,
) -> None:
    """row += z_query·zⱼ for every item j of the inverted index."""
    for p in range(starts[query], starts[query + 1]):
        feature, value = features[p], values[p]
        for c in range(item_starts[feature], item_starts[feature + 1]):
            row[items[c]] += value * item_values[c]


@kernel
def _sparse_products(
    first: int,
    last: int,
    starts: Array,
    features: Array,
    values: Array,
    item_starts: Array,
    items: Array,
    item_values: Array,
    out: Array,
) -> None:
    for q in range(first, last):
        _add_products(out[q], q, starts, features, values, item_starts, items, item_values)


@kernel
def _sparse_cosines(
    first: int,
    last: int,
    starts: Array,
    features: Array,
    values: Array,
    item_starts: Array,
    items: Array,
    item_values: Array,
    norms: Array,
    item_norms: Array,
    shrinkage: float,
    out: Array,
) -> None:
    for q in range(first, last):
        row = out[q]
        _add_products(row, q, starts, features, values, item_starts, items, item_values)
        for j in range(len(row)):
            if row[j] != 0:
                row[j] /= norms[q] * item_norms[j] + shrinkage
