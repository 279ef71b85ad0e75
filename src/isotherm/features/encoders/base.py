"""What all encoders of metadata fields have in common."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import polars as pl

from isotherm.features.encoding import Encoding
from isotherm.features.field_vectors import FieldForm, FieldVectors
from isotherm.untrusted import expect


class Encoder(ABC):
    """Learns from a field's column, then turns columns into vectors, one per item.

    A missing value becomes a zero vector, or NaN for numbers: it is similar to nothing.
    """

    schema: ClassVar[Any]  #: of ``state``
    column_type: ClassVar[Any]  #: polars dtype of a column without any value

    @classmethod
    @abstractmethod
    def configured(cls, encoding: Encoding) -> Self:
        """An encoder with the options of ``encoding``, to be fitted."""

    @abstractmethod
    def fit(self, column: pl.Series) -> Self:
        """Learn the vocabulary, range or length. Returns self."""

    def fit_transform(self, column: pl.Series) -> FieldVectors:
        """Both: the vectors of the column that is learned from."""
        return self.fit(column).transform(column)

    @abstractmethod
    def transform(self, column: pl.Series) -> FieldVectors:
        """The vectors of a column's items."""

    @property
    @abstractmethod
    def form(self) -> FieldForm:
        """What ``transform`` returns."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Options and what fit learned, as plain JSON: the arguments of ``__init__``."""

    @classmethod
    def from_state(cls, state: Any, where: str) -> Self:
        """The inverse of ``state``.  where: its name in errors. Raises DamagedError."""
        return cls(**expect(state, cls.schema, where))

    @classmethod
    def empty_column(cls, name: str, n_items: int) -> pl.Series:
        """A column in which every value is missing."""
        return pl.Series(name, [None] * n_items, dtype=cls.column_type)
