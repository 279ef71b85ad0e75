"""What an encoder makes of a metadata field: a sparse vector, a dense vector or a number for each item.

Each type knows how its items are compared (``cosine_index``, ``product_index``), which of them have a value
(``known``), and how it is saved (``declaration``). Nothing here changes the arrays.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, vstack

from isotherm.features.similarity import (
    Closeness,
    DenseCosines,
    DenseProducts,
    FadingCloseness,
    ProductIndex,
    SimilarityIndex,
    SparseCosines,
    SparseProducts,
    dense_squared_norms,
    sparse_squared_norms,
)
from isotherm.state import Dense, Field, Sparse
from isotherm.types import Array, Bools, Float32, Float64, ItemFeatures, Similarities


@dataclass(frozen=True, eq=False)
class FieldVectors(ABC):
    """The vectors of one field, rows in the order of the items.

    array: (n_items, width), or (n_items,) for numbers.
    """

    array: Any

    def __len__(self) -> int:
        return int(self.array.shape[0])

    @property
    def width(self) -> int:
        """Numbers an item."""
        return int(self.array.shape[1])

    @property
    def form(self) -> "FieldForm":
        """Type and width."""
        return FieldForm(type(self), self.width)

    def take(self, rows: Array) -> Self:
        """The vectors of the items at ``rows``."""
        return type(self)(self.array[rows])

    @classmethod
    @abstractmethod
    def stacked(cls, blocks: Sequence[Self]) -> Self:
        """The items of all blocks, one block after the other; all of one width."""

    @classmethod
    @abstractmethod
    def declaration(cls, name: str, width: int) -> Field:
        """How the array of ``n`` items is saved under ``name``."""

    @property
    @abstractmethod
    def stored(self) -> Array:
        """The numbers in memory, of any shape."""

    @property
    @abstractmethod
    def known(self) -> Bools:
        """(n_items,), whether an item has a value; one without is similar to nothing."""

    @property
    @abstractmethod
    def log_amounts(self) -> Float64:
        """(n_items,), how much an item has of the field: log(1 + features), or 1 where there is a value."""

    @abstractmethod
    def cosine_index(self, shrinkage: float) -> SimilarityIndex:
        """The similarities of MARec's eq. 3-4 to these items; of numbers, their closeness.

        shrinkage: δ, added to the product of the norms.
        """

    def fading_index(self, shrinkage: float) -> SimilarityIndex:
        """The same where numbers beyond those of these items fade; vectors have no range to leave."""
        return self.cosine_index(shrinkage)

    @abstractmethod
    def product_index(self) -> ProductIndex:
        """Inner products with these items; of numbers, their closeness, which fades beyond them."""

    @abstractmethod
    def self_products(self) -> Float32:
        """What ``product_index`` of these items says of each and itself, (n_items,)."""


@dataclass(frozen=True, eq=False)
class SparseVectors(FieldVectors):
    """Categories, tags, words.  array: (n_items, n_features) CSR float32."""

    array: ItemFeatures

    @classmethod
    def stacked(cls, blocks: Sequence[Self]) -> Self:
        """One after the other."""
        return cls(csr_array(vstack([block.array for block in blocks], format="csr")))

    @classmethod
    def declaration(cls, name: str, width: int) -> Field:
        """A CSR matrix."""
        return Sparse(name, ("n", width))

    @property
    def stored(self) -> Float32:
        """The values of the entries."""
        return np.asarray(self.array.data)

    @property
    def known(self) -> Bools:
        """Items with a feature."""
        return np.asarray(np.diff(self.array.indptr) > 0)

    @property
    def log_amounts(self) -> Float64:
        """log(1 + number of features)."""
        return np.asarray(np.log1p(np.diff(self.array.indptr)), dtype=np.float64)

    def cosine_index(self, shrinkage: float) -> SparseCosines:
        """Shrunk cosines."""
        return SparseCosines(self.array, shrinkage)

    def product_index(self) -> SparseProducts:
        """Inner products."""
        return SparseProducts(self.array)

    def self_products(self) -> Float32:
        """Squared norms."""
        return sparse_squared_norms(self.array)


@dataclass(frozen=True, eq=False)
class DenseVectors(FieldVectors):
    """Given vectors, the meaning of texts and images.  array: (n_items, width) float32; zero: no value."""

    array: Float32

    @classmethod
    def stacked(cls, blocks: Sequence[Self]) -> Self:
        """One after the other."""
        return cls(np.concatenate([block.array for block in blocks]))

    @classmethod
    def declaration(cls, name: str, width: int) -> Field:
        """A matrix."""
        return Dense(name, np.float32, ("n", width))

    @property
    def stored(self) -> Float32:
        """The array."""
        return self.array

    @property
    def known(self) -> Bools:
        """Items whose vector is not zero."""
        return np.asarray(self.array.any(axis=1))

    @property
    def log_amounts(self) -> Float64:
        """1 where there is a vector, else 0."""
        return self.known.astype(np.float64)

    def cosine_index(self, shrinkage: float) -> DenseCosines:
        """Shrunk cosines."""
        return DenseCosines(self.array, shrinkage)

    def product_index(self) -> DenseProducts:
        """Inner products."""
        return DenseProducts(self.array)

    def self_products(self) -> Float32:
        """Squared norms."""
        return dense_squared_norms(self.array)


@dataclass(frozen=True, eq=False)
class Numbers(FieldVectors):
    """Numbers in units of the field's range.  array: (n_items,) float32; NaN: no value."""

    array: Float32

    @property
    def width(self) -> int:
        """One number per item."""
        return 1

    @classmethod
    def stacked(cls, blocks: Sequence[Self]) -> Self:
        """One after the other."""
        return cls(np.concatenate([block.array for block in blocks]))

    @classmethod
    def declaration(cls, name: str, width: int) -> Field:
        """A vector."""
        return Dense(name, np.float32, ("n",), missing=True)

    @property
    def stored(self) -> Float32:
        """The array."""
        return self.array

    @property
    def known(self) -> Bools:
        """Items with a number."""
        return np.isfinite(self.array)

    @property
    def log_amounts(self) -> Float64:
        """1 where there is a number, else 0."""
        return self.known.astype(np.float64)

    def cosine_index(self, shrinkage: float) -> Closeness:
        """Closeness; there is no norm to shrink."""
        return Closeness(self.array)

    def fading_index(self, shrinkage: float) -> FadingCloseness:
        """Closeness that fades."""
        return FadingCloseness(self.array)

    def product_index(self) -> FadingCloseness:
        """The same."""
        return FadingCloseness(self.array)

    def self_products(self) -> Float32:
        """1 where there is a number, else 0."""
        return self.known.astype(np.float32)


@dataclass(frozen=True)
class FieldForm:
    """What the vectors of a field are: their type, and how many numbers an item has."""

    type: type[FieldVectors]
    width: int = 1

    def declaration(self, name: str) -> Field:
        """How the array of ``n`` items is saved under ``name``."""
        return self.type.declaration(name, self.width)


def smoothed_cosines(vectors: FieldVectors, shrinkage: float) -> Similarities:
    """Item-item cosines, shrunk for items with little metadata (MARec, eq. 3-4).

    vectors: of n items.  shrinkage: δ, added to the product of norms, >= 0.
    Returns (n, n) float32, symmetric, zero diagonal.
    Raises ValueError if shrinkage is negative or a vector is not finite.

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from isotherm.features.field_vectors import SparseVectors, smoothed_cosines
    >>> genres = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)
    >>> smoothed_cosines(SparseVectors(csr_array(genres)), shrinkage=1.0).round(2)
    array([[0.  , 0.41, 0.  ],
           [0.41, 0.  , 0.  ],
           [0.  , 0.  , 0.  ]], dtype=float32)
    """
    if shrinkage < 0:
        raise ValueError(f"shrinkage must be >= 0, not {shrinkage}")
    if not np.isfinite(vectors.stored).all():
        raise ValueError("vectors hold a value that is not finite")
    similarities = vectors.cosine_index(shrinkage).similarities(vectors.array)
    np.fill_diagonal(similarities, 0.0)
    return similarities
