"""Numbers and given vectors, as they are compared."""

from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from isotherm.errors import ItemsError, ParameterError
from isotherm.features.encoders.base import Encoder
from isotherm.features.encoding import Encoding
from isotherm.features.field_vectors import DenseVectors, FieldForm, Numbers
from isotherm.untrusted import Number, Whole

_LARGEST = 1e15  # in a vector: squares of more overflow float32
_FAR = 1e30  # ranges away, a number is as far as it can be


class NumberEncoder(Encoder):
    """A number in units of the field's range, so that 1 − |difference| is the similarity of two items."""

    schema: ClassVar[Any] = {"low": Number(), "high": Number()}
    column_type: ClassVar[Any] = pl.Float64

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        self.low_ = low
        self.high_ = high

    @classmethod
    def configured(cls, encoding: Encoding) -> Self:
        """Numbers have no options."""
        return cls()

    def fit(self, column: pl.Series) -> Self:
        """Learn the range."""
        numbers = column.drop_nulls().cast(pl.Float64).to_numpy()
        if len(numbers):
            self.low_, self.high_ = float(numbers.min()), float(numbers.max())
        return self

    def transform(self, column: pl.Series) -> Numbers:
        """(n_items,), NaN where missing."""
        scale = (self.high_ / 2 - self.low_ / 2) or 0.5  # halves: the range of float64's largest is infinite
        values = column.cast(pl.Float64).to_numpy().astype(np.float64)
        scaled = np.clip((values / 2 - self.low_ / 2) / scale, -_FAR, _FAR)
        return Numbers(scaled.astype(np.float32))

    def state(self) -> dict[str, Any]:
        """The range."""
        return {"low": self.low_, "high": self.high_}

    @property
    def form(self) -> FieldForm:
        """One number."""
        return FieldForm(Numbers)


class VectorEncoder(Encoder):
    """Given vectors, as they are."""

    schema: ClassVar[Any] = {"length": Whole(0, 2**31)}
    column_type: ClassVar[Any] = pl.List(pl.Float32)

    def __init__(self, length: int = 0) -> None:
        self.length_ = length

    @classmethod
    def configured(cls, encoding: Encoding) -> Self:
        """Vectors have no options."""
        return cls()

    def fit(self, column: pl.Series) -> Self:
        """Learn the length."""
        self.length_ = int(column.list.len().fill_null(0).to_numpy().max(initial=0))
        return self

    def transform(self, column: pl.Series) -> DenseVectors:
        """(n_items, length), zeros where missing.

        Raises ParameterError for another length, ItemsError where a vector's square would overflow.
        """
        lengths = column.list.len().fill_null(0).to_numpy()
        wrong = np.flatnonzero((lengths > 0) & (lengths != self.length_))
        if len(wrong):
            raise ParameterError(
                f"field {column.name!r}, row {wrong[0] + 1}: a vector of length {lengths[wrong[0]]} "
                f"where {self.length_} was learned"
            )
        vectors = np.zeros((len(column), self.length_), dtype=np.float32)
        vectors[lengths > 0] = column.drop_nulls().explode().to_numpy().reshape(-1, self.length_)
        beyond = np.flatnonzero(~(np.abs(vectors).max(axis=1, initial=0) <= _LARGEST))
        if len(beyond):
            row = beyond[0]
            raise ItemsError(
                f"field {column.name!r}, row {row + 1}: a vector with a number beyond {_LARGEST:g}; "
                "scale the vectors down"
            )
        return DenseVectors(vectors)

    def state(self) -> dict[str, Any]:
        """The length."""
        return {"length": self.length_}

    @property
    def form(self) -> FieldForm:
        """The vectors."""
        return FieldForm(DenseVectors, self.length_)
