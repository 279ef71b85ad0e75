"""Item-item similarity of one field (MARec, eq. 3): shrunk cosine, or closeness for numbers.

An index holds the vectors of a catalogue; it is asked for the similarities of some query items to all of
it, a band of rows at a time, so that no items × items matrix needs to exist.
"""

from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from isotherm.features.encoders import Vectors
from isotherm.kernels import kernel
from isotherm.threads import run_bands
from isotherm.types import Array, Float32


class SimilarityIndex(Protocol):
    """The vectors of a catalogue, ready to be compared with."""

    def to(self, queries: Vectors) -> Float32:
        """(n_queries, n_catalogue) float32 similarities."""


def similarity_index(vectors: Vectors, shrinkage: float) -> SimilarityIndex:
    """The index that fits the vectors: CSR, dense (n_items, n_features), or numbers (n_items,)."""
    if isinstance(vectors, csr_array):
        return SparseCosine(vectors, shrinkage)
    return DenseCosine(vectors, shrinkage) if vectors.ndim == 2 else Closeness(vectors)


def smoothed_cosine(vectors: Vectors, shrinkage: float) -> Float32:
    """Item-item cosine, shrunk for items with little metadata (MARec, eq. 3-4).

    vectors: (n_items, n_features).  shrinkage: δ, added to the product of norms, >= 0.
    Returns (n_items, n_items) float32, symmetric, zero diagonal.
    Raises ValueError if shrinkage is negative or a vector is not finite.
    """
    if shrinkage < 0:
        raise ValueError(f"shrinkage must be >= 0, not {shrinkage}")
    if not np.isfinite(vectors.data if isinstance(vectors, csr_array) else vectors).all():
        raise ValueError("vectors hold a value that is not finite")
    similarity = similarity_index(vectors, shrinkage).to(vectors)
    np.fill_diagonal(similarity, 0.0)
    return similarity


class SparseCosine:
    """zᵢ·zⱼ / (‖zᵢ‖‖zⱼ‖ + δ) over sparse vectors, through an inverted index feature -> items."""

    def __init__(self, vectors: csr_array, shrinkage: float) -> None:
        self._items_of = csr_array(vectors.T.tocsr())
        self._norms = _norms(vectors)
        self._shrinkage = np.float32(shrinkage)

    def to(self, queries: csr_array) -> Float32:
        """(n_queries, n_catalogue)."""
        out = np.zeros((queries.shape[0], len(self._norms)), dtype=np.float32)
        index = self._items_of
        run_bands(
            _sparse_cosine_rows, len(out), queries.indptr, queries.indices, queries.data, _norms(queries),
            index.indptr, index.indices, index.data, self._norms, self._shrinkage, out,
        )  # fmt: skip
        return out


class SparseProducts(SparseCosine):
    """Plain zᵢ·zⱼ over sparse vectors, through the same inverted index."""

    def __init__(self, vectors: csr_array) -> None:
        super().__init__(vectors, 1.0)
        self._norms = np.zeros_like(self._norms)  # zᵢ·zⱼ / (0 + 1)


class DenseCosine:
    """The same over dense vectors, as a matrix product."""

    def __init__(self, vectors: Float32, shrinkage: float) -> None:
        self._vectors = vectors
        self._norms = _norms(vectors)
        self._shrinkage = np.float32(shrinkage)

    def to(self, queries: Float32) -> Float32:
        """(n_queries, n_catalogue)."""
        similarity: Float32 = queries @ self._vectors.T
        scale = np.outer(_norms(queries), self._norms) + self._shrinkage
        similarity[scale == 0] = 0  # a zero vector is similar to nothing
        np.divide(similarity, scale, out=similarity, where=scale > 0)
        return similarity


class Closeness:
    """1 − |difference| for numbers in units of their range; 0 past one range, or where one is missing."""

    def __init__(self, values: Float32) -> None:
        self._values = values

    def to(self, queries: Float32) -> Float32:
        """(n_queries, n_catalogue)."""
        closeness: Float32 = 1 - np.abs(queries[:, None] - self._values[None, :])
        np.nan_to_num(closeness, copy=False, nan=0.0)
        return np.maximum(closeness, 0, out=closeness)


def squared_norms(vectors: Vectors) -> Float32:
    """‖z‖² of each row, (n_items,)."""
    squares = vectors.multiply(vectors) if isinstance(vectors, csr_array) else vectors * vectors
    return np.asarray(squares.sum(axis=1), dtype=np.float32).ravel()


def _norms(vectors: Vectors) -> Float32:
    return np.sqrt(squared_norms(vectors))


@kernel
def _sparse_cosine_rows(
    first: int,
    last: int,
    starts: Array,
    features: Array,
    values: Array,
    norms: Array,
    item_starts: Array,
    items: Array,
    item_values: Array,
    item_norms: Array,
    shrinkage: float,
    out: Array,
) -> None:
    for q in range(first, last):
        row = out[q]
        for p in range(starts[q], starts[q + 1]):
            feature, value = features[p], values[p]
            for c in range(item_starts[feature], item_starts[feature + 1]):
                row[items[c]] += value * item_values[c]
        for j in range(len(row)):
            if row[j] != 0:
                row[j] /= norms[q] * item_norms[j] + shrinkage
