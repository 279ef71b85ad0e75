"""Categories and tags -> multi-hot vectors and vectors of weights."""

from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.features.encoders.base import Encoder
from isotherm.features.encoding import Encoding
from isotherm.features.field_vectors import FieldForm, SparseVectors
from isotherm.types import ItemFeatures
from isotherm.untrusted import Distinct, Whole

_WITHIN = " > "


class CategoryEncoder(Encoder):
    """Multi-hot over the values that at least ``min_count`` items have.

    A value «a > b > c» is one of a hierarchy: the item has «a» and «a > b», too.
    """

    schema: ClassVar[Any] = {"min_count": Whole(1), "values": Distinct()}
    column_type: ClassVar[Any] = pl.List(pl.String)

    def __init__(self, min_count: int = 2, values: list[str] | None = None) -> None:
        self.min_count = min_count
        self.values_ = values or []

    @classmethod
    def configured(cls, encoding: Encoding) -> Self:
        """With ``min_count``."""
        return cls(encoding.min_count)

    def fit(self, column: pl.Series) -> Self:
        """Learn the values that are features."""
        counts = self._flat(column).unique(("row", "value")).group_by("value").len("items")
        self.values_ = counts.filter(pl.col("items") >= self.min_count)["value"].sort().to_list()
        return self

    def transform(self, column: pl.Series) -> SparseVectors:
        """(n_items, n_values) of ones; unknown values are left out."""
        weights = self._weights(column)
        weights.data[:] = 1
        return SparseVectors(weights)

    def _weights(self, column: pl.Series) -> ItemFeatures:
        """(n_items, n_values), summed where an item has a value several times."""
        shape = (len(column), len(self.values_))
        if not self.values_:
            return csr_array(shape, dtype=np.float32)
        flat = self._flat(column).with_columns(
            code=pl.col("value").cast(pl.Enum(self.values_), strict=False).to_physical()
        )
        flat = flat.drop_nulls("code")
        coordinates = flat["row"].to_numpy(), flat["code"].to_numpy()
        weights = csr_array((flat["weight"].to_numpy(), coordinates), shape=shape)
        weights.sum_duplicates()  # sorts, too
        return weights

    def _flat(self, column: pl.Series) -> pl.DataFrame:
        """row, value, weight (Float32): one line per value of an item, and of each value above it."""
        flat = (
            column.to_frame("value")
            .with_row_index("row")
            .explode("value")
            .drop_nulls("value")
            .with_columns(weight=pl.lit(1, dtype=pl.Float32))
        )
        values = flat["value"].unique()
        nested = values.filter(values.str.contains(_WITHIN, literal=True))
        if not len(nested):
            return flat
        pairs = [(value, ancestor) for value in nested.to_list() for ancestor in _ancestors(value)]
        hierarchy = pl.DataFrame(pairs, schema={"value": pl.String, "ancestor": pl.String}, orient="row")
        ancestors = flat.join(hierarchy, on="value").select("row", value="ancestor", weight="weight")
        return pl.concat([flat, ancestors])

    def state(self) -> dict[str, Any]:
        """Options and learned values."""
        return {"min_count": self.min_count, "values": self.values_}

    @property
    def form(self) -> FieldForm:
        """A feature per value."""
        return FieldForm(SparseVectors, len(self.values_))


class TagEncoder(CategoryEncoder):
    """The same for tags, with their weights instead of ones."""

    column_type: ClassVar[Any] = pl.List(pl.Struct({"value": pl.String, "weight": pl.Float32}))

    def transform(self, column: pl.Series) -> SparseVectors:
        """(n_items, n_values) of weights; unknown values are left out."""
        weights = self._weights(column)
        weights.eliminate_zeros()
        return SparseVectors(weights)

    def _flat(self, column: pl.Series) -> pl.DataFrame:
        return column.to_frame("tag").with_row_index("row").explode("tag").drop_nulls("tag").unnest("tag")


def _ancestors(value: str) -> list[str]:
    """«a > b > c» -> «a», «a > b»."""
    levels = value.split(_WITHIN)
    return [_WITHIN.join(levels[:depth]) for depth in range(1, len(levels))]
