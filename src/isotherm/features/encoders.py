"""Metadata -> item vectors: one small class a kind of field, each with fit / transform.

A missing value becomes a zero vector (NaN for numbers): it is similar to nothing.
"""

from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias, get_args

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data.items import Kind
from isotherm.errors import ItemsError, ParameterError
from isotherm.types import Float32
from isotherm.untrusted import Choice, Distinct, Number, Whole

Vectors: TypeAlias = csr_array | Float32
Weighting = Literal["count", "binary", "tfidf"]
_WITHIN = " > "
_LARGEST = 1e15  # in a vector: squares of more overflow float32
_FAR = 1e30  # ranges away, a number is as far as it can be


class Encoded(NamedTuple):
    """What an encoder makes: sparse or dense vectors (n_items, width), or numbers (n_items,)."""

    form: Literal["sparse", "dense", "number"]
    width: int = 1


class Encoder(Protocol):
    """Learns from a field's column, then turns columns into vectors; ``state`` is plain JSON."""

    def fit(self, column: pl.Series) -> "Encoder":
        """Learn the vocabulary, range or length."""

    def transform(self, column: pl.Series) -> Vectors:
        """(n_items, n_features) CSR or dense float32; (n_items,) for numbers."""

    def state(self) -> dict[str, Any]:
        """What fit learned, and the options: the arguments of ``__init__``, and of ``schema``."""

    @property
    def encoded(self) -> Encoded:
        """What ``transform`` makes."""


class CategoryEncoder:
    """Multi-hot over the values that at least ``min_count`` items have.

    A value «a > b > c» is a place in a hierarchy: the item has «a» and «a > b», too.
    """

    schema: ClassVar[Any] = {"min_count": Whole(1), "values": Distinct()}

    def __init__(self, min_count: int = 2, values: list[str] | None = None) -> None:
        self.min_count = min_count
        self.values_ = values or []

    def fit(self, column: pl.Series) -> "CategoryEncoder":
        """Learn the values worth a feature."""
        counts = self._flat(column).unique(("row", "value")).group_by("value").len("items")
        self.values_ = counts.filter(pl.col("items") >= self.min_count)["value"].sort().to_list()
        return self

    def transform(self, column: pl.Series) -> csr_array:
        """(n_items, n_values) CSR of ones; unknown values are left out."""
        matrix = self._matrix(column)
        matrix.data[:] = 1
        return matrix

    def _matrix(self, column: pl.Series) -> csr_array:
        shape = (len(column), len(self.values_))
        if not self.values_:
            return csr_array(shape, dtype=np.float32)
        flat = self._flat(column).with_columns(
            code=pl.col("value").cast(pl.Enum(self.values_), strict=False).to_physical()
        )
        flat = flat.drop_nulls("code")
        places = flat["row"].to_numpy(), flat["code"].to_numpy()
        matrix = csr_array((flat["weight"].to_numpy(), places), shape=shape)
        matrix.sum_duplicates()  # sorts, too
        return matrix

    def _flat(self, column: pl.Series) -> pl.DataFrame:
        """row, value, weight (Float32): one line a value of an item."""
        flat = (
            column.to_frame("value")
            .with_row_index("row")
            .explode("value")
            .drop_nulls("value")
            .with_columns(weight=pl.lit(1, dtype=pl.Float32))
        )
        nested = flat["value"].unique().filter(flat["value"].unique().str.contains(_WITHIN, literal=True))
        if not len(nested):
            return flat
        above = [(value, ancestor) for value in nested.to_list() for ancestor in _ancestors(value)]
        hierarchy = pl.DataFrame(above, schema={"value": pl.String, "ancestor": pl.String}, orient="row")
        more = flat.join(hierarchy, on="value").select("row", value="ancestor", weight="weight")
        return pl.concat([flat, more])

    def state(self) -> dict[str, Any]:
        """Options and learned values."""
        return {"min_count": self.min_count, "values": self.values_}

    @property
    def encoded(self) -> Encoded:
        """A column a value."""
        return Encoded("sparse", len(self.values_))


class TagEncoder(CategoryEncoder):
    """The same for tags, with their weights instead of ones."""

    def transform(self, column: pl.Series) -> csr_array:
        """(n_items, n_values) CSR of weights; unknown values are left out."""
        matrix = self._matrix(column)
        matrix.eliminate_zeros()
        return matrix

    def _flat(self, column: pl.Series) -> pl.DataFrame:
        return column.to_frame("tag").with_row_index("row").explode("tag").drop_nulls("tag").unnest("tag")


class TextEncoder:
    """Bag of words: the ``max_words`` most frequent words but English stop words, or tf-idf of them."""

    schema: ClassVar[Any] = {
        "max_words": Whole(1),
        "weighting": Choice(get_args(Weighting)),
        "words": Distinct(),
        "idf": [Number(least=0)],
    }

    def __init__(
        self,
        max_words: int = 2000,
        weighting: Weighting = "count",
        words: list[str] | None = None,
        idf: list[float] | None = None,
    ) -> None:
        if weighting not in ("count", "binary", "tfidf"):
            raise ParameterError(f"text weighting must be count, binary or tfidf, not {weighting!r}")
        self.max_words = max_words
        self.weighting = weighting
        self.words_ = words or []
        self.idf_ = idf or []

    def fit(self, column: pl.Series) -> "TextEncoder":
        """Learn the vocabulary and, for tf-idf, the inverse document frequencies."""
        from sklearn.feature_extraction.text import CountVectorizer

        texts = column.drop_nulls().to_list()
        vectorizer = CountVectorizer(max_features=self.max_words, stop_words="english")
        try:
            vectorizer.fit(texts)
        except ValueError:  # scikit-learn's way to say: nothing but stop words, or no text at all
            self.words_ = []
        else:
            self.words_ = sorted(vectorizer.vocabulary_)
        if self.weighting == "tfidf":
            frequency = np.diff(self._counts(column).tocsc().indptr)
            self.idf_ = (np.log((1 + len(texts)) / (1 + frequency)) + 1).tolist()
        return self

    def transform(self, column: pl.Series) -> csr_array:
        """(n_items, n_words) CSR."""
        counts = self._counts(column)
        if self.weighting != "count":
            counts.data[:] = 1
        if self.weighting == "tfidf":
            counts.data *= np.asarray(self.idf_, dtype=np.float32)[counts.indices]
        return counts

    def _counts(self, column: pl.Series) -> csr_array:
        from sklearn.feature_extraction.text import CountVectorizer

        if not self.words_:
            return csr_array((len(column), 0), dtype=np.float32)
        vectorizer = CountVectorizer(vocabulary=self.words_)
        counts = csr_array(vectorizer.transform(column.fill_null("").to_list()), dtype=np.float32)
        counts.sort_indices()
        return counts

    def state(self) -> dict[str, Any]:
        """Options, words and their inverse document frequencies."""
        return {
            "max_words": self.max_words, "weighting": self.weighting, "words": self.words_, "idf": self.idf_,
        }  # fmt: skip

    @property
    def encoded(self) -> Encoded:
        """A column a word."""
        return Encoded("sparse", len(self.words_))


class NumberEncoder:
    """A number in units of the field's range, so that 1 − |difference| is the similarity of two items."""

    schema: ClassVar[Any] = {"low": Number(), "high": Number()}

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        self.low_ = low
        self.high_ = high

    def fit(self, column: pl.Series) -> "NumberEncoder":
        """Learn the range."""
        if column.drop_nulls().len():
            self.low_, self.high_ = float(column.min()), float(column.max())  # type: ignore[arg-type]
        return self

    def transform(self, column: pl.Series) -> Float32:
        """(n_items,) float32, NaN where missing."""
        scale = (self.high_ / 2 - self.low_ / 2) or 0.5  # halves: the range of float64's largest is infinite
        values = column.cast(pl.Float64).to_numpy().astype(np.float64)
        scaled = np.clip((values / 2 - self.low_ / 2) / scale, -_FAR, _FAR)
        return scaled.astype(np.float32)

    def state(self) -> dict[str, Any]:
        """The range."""
        return {"low": self.low_, "high": self.high_}

    @property
    def encoded(self) -> Encoded:
        """One number."""
        return Encoded("number")


class VectorEncoder:
    """Given vectors, as they are."""

    schema: ClassVar[Any] = {"length": Whole(0, 2**31)}

    def __init__(self, length: int = 0) -> None:
        self.length_ = length

    def fit(self, column: pl.Series) -> "VectorEncoder":
        """Learn the length."""
        self.length_ = int(column.list.len().max() or 0)  # type: ignore[arg-type]
        return self

    def transform(self, column: pl.Series) -> Float32:
        """(n_items, length) float32, zeros where missing.

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
        return vectors

    def state(self) -> dict[str, Any]:
        """The length."""
        return {"length": self.length_}

    @property
    def encoded(self) -> Encoded:
        """The vectors."""
        return Encoded("dense", self.length_)


def _ancestors(value: str) -> list[str]:
    """«a > b > c» -> «a», «a > b»."""
    parts = value.split(_WITHIN)
    return [_WITHIN.join(parts[:depth]) for depth in range(1, len(parts))]


ENCODERS: dict[Kind, type[Any]] = {
    "categories": CategoryEncoder,
    "tags": TagEncoder,
    "text": TextEncoder,
    "number": NumberEncoder,
    "vector": VectorEncoder,
}
