"""Encoded fields side by side: the items' features F as one sparse matrix (MARec, eq. 8)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, hstack

from isotherm.data.items import Items
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.field_encoders import FieldEncoders
from isotherm.features.field_vectors import DenseVectors, FieldForm, FieldVectors, Numbers, SparseVectors
from isotherm.linalg.csr import rows_of, with_data
from isotherm.state import Dense, Field, Inner, Stateful
from isotherm.types import Float32, Float64, ItemFeatures


def all_features(items: Items) -> ItemFeatures:
    """Features of an item table by the default encoders, (n_items, n_features)."""
    _, encoded = FieldEncoders.fit_encode(items)
    return FeatureStack(encoded).features(encoded)


class FeatureStack(Stateful):
    """Encoded fields side by side, (n_items, n_features): each item's vector of a field has unit length.

    Numbers and dense vectors are first taken as deviations from the mean of the ``reference`` items, in their
    standard deviations; what is missing is zero. A number keeps its size.
    """

    def __init__(self, reference: EncodedItems) -> None:
        self._scalers = {
            name: _SCALERS[type(vectors)].fitted(vectors) for name, vectors in reference.fields.items()
        }

    @classmethod
    def empty(cls, forms: Mapping[str, FieldForm]) -> "FeatureStack":
        """To be filled with what a saved model holds.  forms: what the vectors of each field are."""
        stack = cls(EncodedItems({}))
        stack._scalers = {name: _SCALERS[form.type].empty(form.width) for name, form in forms.items()}
        return stack

    @property
    def learned(self) -> Iterator[Field]:
        """What each field is scaled by."""
        for number, (name, scaler) in enumerate(self._scalers.items()):
            yield Inner(f"{number}:{name}", lambda *_, scaler=scaler: scaler)

    def learned_value(self, name: str) -> "FieldScaler":
        """The scaler of a numbered field."""
        return self._scalers[name.partition(":")[2]]

    def set_learned_value(self, name: str, value: Any) -> None:
        """Take it back."""
        self._scalers[name.partition(":")[2]] = value

    def features(self, encoded: EncodedItems) -> ItemFeatures:
        """Features of ``encoded``, CSR float32."""
        fields = [self._scalers[name].scaled(vectors) for name, vectors in encoded.fields.items()]
        return csr_array(hstack(fields, format="csr", dtype=np.float32))


class FieldScaler(Stateful, ABC):
    """Brings the vectors of one field to a size that compares with other fields'."""

    @classmethod
    @abstractmethod
    def fitted(cls, reference: FieldVectors) -> Self:
        """Learn from the reference items."""

    @classmethod
    @abstractmethod
    def empty(cls, width: int) -> Self:
        """To be filled with what a saved model holds."""

    @abstractmethod
    def scaled(self, vectors: FieldVectors) -> csr_array:
        """(n_items, width)."""


class UnitLength(FieldScaler):
    """Sparse vectors: rows of unit length."""

    @classmethod
    def fitted(cls, reference: FieldVectors) -> Self:
        """There is nothing to learn."""
        return cls()

    @classmethod
    def empty(cls, width: int) -> Self:
        """Nothing was learned."""
        return cls()

    def scaled(self, vectors: FieldVectors) -> csr_array:
        """(n_items, width)."""
        return _unit_rows(vectors.array)


class Standardized(FieldScaler):
    """Deviations from the mean in standard deviations, 0 where missing.

    mean, deviation: of the reference items, () for numbers, else (width,), float64.
    """

    def __init__(self, mean: Float64, deviation: Float64) -> None:
        self.mean_, self.deviation_ = mean, deviation

    @classmethod
    def fitted(cls, reference: FieldVectors) -> Self:
        """Mean and standard deviation of what is there."""
        array = reference.array
        known = np.isfinite(array)
        count = np.maximum(known.sum(axis=0), 1)
        mean = array.sum(axis=0, where=known) / count
        deviation = np.sqrt(((array - mean) ** 2).sum(axis=0, where=known) / count)
        return cls(mean, np.where(deviation > 0, deviation, 1))

    @classmethod
    def empty(cls, width: int) -> Self:
        """To be filled with what a saved model holds."""
        placeholder = np.broadcast_to(0.0, width)  # of that shape, without memory
        return cls(placeholder, placeholder)

    @property
    def learned(self) -> Iterator[Field]:
        """Mean and standard deviation."""
        shape = np.atleast_1d(self.mean_).shape
        yield Dense("mean_", np.float64, shape)
        yield Dense("deviation_", np.float64, shape, least=0.0)

    def standardized(self, array: Float32) -> Float64:
        """Of the same shape."""
        return np.where(np.isfinite(array), (array - self.mean_) / self.deviation_, 0)


class StandardizedNumbers(Standardized):
    """Numbers: one column."""

    def scaled(self, vectors: FieldVectors) -> csr_array:
        """(n_items, 1)."""
        return csr_array(self.standardized(vectors.array)[:, None])


class StandardizedVectors(Standardized):
    """Dense vectors: rows of unit length."""

    def scaled(self, vectors: FieldVectors) -> csr_array:
        """(n_items, width)."""
        return csr_array(_unit_rows(self.standardized(vectors.array)))


_SCALERS: dict[type[FieldVectors], type[FieldScaler]] = {
    SparseVectors: UnitLength,
    DenseVectors: StandardizedVectors,
    Numbers: StandardizedNumbers,
}


def _unit_rows(vectors: Any) -> Any:
    """Rows of unit length, or zero; a field may have no feature at all.

    To the last bit as scikit-learn's ``normalize``, which takes a second to import.
    """
    if isinstance(vectors, csr_array):
        rows = rows_of(vectors)
        norms = np.sqrt(np.bincount(rows, vectors.data * vectors.data, minlength=vectors.shape[0]))
        norms[norms == 0] = 1
        return with_data(vectors, (vectors.data / norms[rows]).astype(vectors.dtype))
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    norms[norms < 10 * np.finfo(norms.dtype).eps] = 1  # of a constant vector less its mean
    return vectors / norms[:, None]
