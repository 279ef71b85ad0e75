"""The scaling that makes a product of a field's vectors a kernel: positive semi-definite, at most 1.

Vectors are divided by a norm that is shrunk, zᵢ / √(‖zᵢ‖² + δ): unlike eq. 3 of MARec the products of such
vectors are never indefinite. Dense vectors are whitened before. The closeness of numbers is a kernel already.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Self

import numpy as np

from isotherm.features.field_vectors import DenseVectors, FieldForm, FieldVectors, Numbers, SparseVectors
from isotherm.linalg.csr import scale_rows
from isotherm.state import Dense, Field, Plain, Stateful
from isotherm.types import Float32
from isotherm.untrusted import Number

_WHITENING_FLOOR = 0.1  # of the mean variance: directions below it are noise and are not blown up


class KernelScaling(Stateful, ABC):
    """What one field's vectors go through before they are compared."""

    @classmethod
    @abstractmethod
    def fitted(cls, vectors: FieldVectors, shrinkage: float) -> Self:
        """Learn from the items of a fit.  shrinkage: δ, in units of the median squared norm."""

    @classmethod
    @abstractmethod
    def empty(cls, width: int) -> Self:
        """To be filled with what a saved model holds."""

    @abstractmethod
    def scaled(self, vectors: FieldVectors) -> FieldVectors:
        """Vectors whose products are the kernel."""


class NumberScaling(KernelScaling):
    """Numbers stay as they are."""

    @classmethod
    def fitted(cls, vectors: FieldVectors, shrinkage: float) -> Self:
        """There is nothing to learn."""
        return cls()

    @classmethod
    def empty(cls, width: int) -> Self:
        """Nothing was learned."""
        return cls()

    def scaled(self, vectors: FieldVectors) -> FieldVectors:
        """The same."""
        return vectors


class SparseScaling(KernelScaling):
    """Sparse vectors over their shrunk norms.  delta: δ."""

    learned = (Plain("delta_", Number(least=0)),)

    def __init__(self, delta: float) -> None:
        self.delta_ = delta

    @classmethod
    def fitted(cls, vectors: FieldVectors, shrinkage: float) -> Self:
        """δ from the median squared norm."""
        return cls(_delta(vectors, shrinkage))

    @classmethod
    def empty(cls, width: int) -> Self:
        """To be filled with what a saved model holds."""
        return cls(0.0)

    def scaled(self, vectors: FieldVectors) -> SparseVectors:
        """z / √(‖z‖² + δ); a zero vector stays one."""
        return SparseVectors(scale_rows(vectors.array, _factors(vectors, self.delta_)))


class DenseScaling(KernelScaling):
    """Dense vectors, whitened, over their shrunk norms.

    mean: (width,).  transform: (width, width), of the deviations from the mean.  delta: δ.
    """

    def __init__(self, mean: Float32, transform: Float32) -> None:
        self.mean_, self.transform_, self.delta_ = mean, transform, 0.0

    @classmethod
    def fitted(cls, vectors: FieldVectors, shrinkage: float) -> Self:
        """Whitening and δ from the vectors that are not zero."""
        scaling = cls(*_whitening(vectors.array[vectors.known]))
        scaling.delta_ = _delta(scaling.whitened(vectors), shrinkage)
        return scaling

    @classmethod
    def empty(cls, width: int) -> Self:
        """To be filled with what a saved model holds."""
        zero = np.float32(0)  # broadcast: of the shape, without memory
        return cls(np.broadcast_to(zero, width), np.broadcast_to(zero, (width, width)))

    @property
    def learned(self) -> Iterator[Field]:
        """δ and the whitening."""
        width = len(self.mean_)
        yield Plain("delta_", Number(least=0))
        yield Dense("mean_", np.float32, (width,))
        yield Dense("transform_", np.float32, (width, width))

    def whitened(self, vectors: FieldVectors) -> DenseVectors:
        """(z − mean)·transform; a zero vector, which stands for none, stays one."""
        known = vectors.known
        whitened = np.zeros((len(vectors), self.transform_.shape[1]), dtype=np.float32)
        whitened[known] = (vectors.array[known] - self.mean_) @ self.transform_
        return DenseVectors(whitened)

    def scaled(self, vectors: FieldVectors) -> DenseVectors:
        """Whitened, then z / √(‖z‖² + δ)."""
        whitened = self.whitened(vectors)
        return DenseVectors(whitened.array * _factors(whitened, self.delta_)[:, None])


_SCALINGS: dict[type[FieldVectors], type[KernelScaling]] = {
    SparseVectors: SparseScaling,
    DenseVectors: DenseScaling,
    Numbers: NumberScaling,
}


def fitted_scaling(vectors: FieldVectors, shrinkage: float) -> KernelScaling:
    """The scaling of one field, learned from its vectors."""
    return _SCALINGS[type(vectors)].fitted(vectors, shrinkage)


def empty_scaling(form: FieldForm) -> KernelScaling:
    """The scaling of one field, to be filled with what a saved model holds."""
    return _SCALINGS[form.type].empty(form.width)


def _delta(vectors: FieldVectors, shrinkage: float) -> float:
    """δ: ``shrinkage`` times the median squared norm of the vectors that are not zero; 1 where all are."""
    squares = vectors.self_products()
    positive = squares[squares > 0]
    return shrinkage * float(np.median(positive)) if len(positive) else 1.0


def _factors(vectors: FieldVectors, delta: float) -> Float32:
    """1 / √(‖z‖² + δ) of each vector, (n_items,)."""
    factors: Float32 = 1 / np.sqrt(np.maximum(vectors.self_products() + np.float32(delta), 1e-30))
    return factors


def _whitening(vectors: Float32) -> tuple[Float32, Float32]:
    """Mean and transform that give the vectors the same variance in all directions above the noise."""
    if len(vectors) < 2:
        width = vectors.shape[1]
        return np.zeros(width, dtype=np.float32), np.eye(width, dtype=np.float32)
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    variance, directions = np.linalg.eigh(centred.T @ centred / len(vectors))
    lifted = np.maximum(variance, 0) + _WHITENING_FLOOR * max(variance.mean(), 1e-30)
    return mean.astype(np.float32), (directions / np.sqrt(lifted)).astype(np.float32)
