"""Texts -> bags of words."""

from typing import Any, ClassVar, Self, get_args

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.features.encoders.base import Encoder
from isotherm.features.encoders.stop_words import STOP_WORDS
from isotherm.features.encoding import Encoding, Weighting
from isotherm.features.field_vectors import FieldForm, SparseVectors
from isotherm.linalg.csr import column_counts
from isotherm.types import ItemFeatures
from isotherm.untrusted import Choice, DamagedError, Distinct, Number, Whole

_WORD = r"[\p{L}\p{N}_]{2,}"


class TextEncoder(Encoder):
    """Bag of words: the ``max_words`` most frequent words but English stop words, or tf-idf of them."""

    schema: ClassVar[Any] = {
        "max_words": Whole(1),
        "weighting": Choice(get_args(Weighting)),
        "words": Distinct(),
        "idf": [Number(least=0)],
    }
    column_type: ClassVar[Any] = pl.String

    def __init__(
        self,
        max_words: int = 2000,
        weighting: Weighting = "count",
        words: list[str] | None = None,
        idf: list[float] | None = None,
    ) -> None:
        self.max_words = max_words
        self.weighting = weighting
        self.words_ = words or []
        self.idf_ = idf or []

    @classmethod
    def configured(cls, encoding: Encoding) -> Self:
        """With ``max_words`` and ``text_weighting``."""
        return cls(encoding.max_words, encoding.weighting("count"))

    def fit(self, column: pl.Series) -> Self:
        """Learn the vocabulary and, for tf-idf, the inverse document frequencies."""
        self.fit_transform(column)
        return self

    def fit_transform(self, column: pl.Series) -> SparseVectors:
        """Both, reading the texts once."""
        words = _words(column)
        totals = words.group_by("word").agg(total=pl.col("count").sum())
        totals = totals.filter(~pl.col("word").is_in(sorted(STOP_WORDS)))
        kept = totals.sort(["total", "word"], descending=[True, False]).head(self.max_words)
        self.words_ = sorted(kept["word"].to_list())
        counts = self._counts(words, len(column))
        if self.weighting == "tfidf":
            frequency = column_counts(counts)
            n_texts = len(column) - column.null_count()
            self.idf_ = (np.log((1 + n_texts) / (1 + frequency)) + 1).tolist()
        return self._weighted(counts)

    def transform(self, column: pl.Series) -> SparseVectors:
        """(n_items, n_words)."""
        return self._weighted(self._counts(_words(column), len(column)))

    def _weighted(self, counts: ItemFeatures) -> SparseVectors:
        """By the weighting, in place."""
        if self.weighting != "count":
            counts.data[:] = 1
        if self.weighting == "tfidf":
            counts.data *= np.asarray(self.idf_, dtype=np.float32)[counts.indices]
        return SparseVectors(counts)

    def _counts(self, words: pl.DataFrame, n_items: int) -> ItemFeatures:
        """(n_items, n_words), how often each word of the vocabulary is in each text."""
        if not self.words_:
            return csr_array((n_items, 0), dtype=np.float32)
        code = pl.col("word").cast(pl.Enum(self.words_), strict=False).to_physical()
        known = words.with_columns(code=code).drop_nulls("code")
        cells = known["row"].to_numpy(), known["code"].to_numpy()
        counts = csr_array(
            (known["count"].to_numpy().astype(np.float32), cells), shape=(n_items, len(self.words_))
        )
        counts.sum_duplicates()  # sorts, too
        return counts

    def state(self) -> dict[str, Any]:
        """Options, words and their inverse document frequencies."""
        return {
            "max_words": self.max_words, "weighting": self.weighting, "words": self.words_, "idf": self.idf_,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Any, where: str) -> Self:
        """The inverse of ``state``. Raises DamagedError."""
        encoder = super().from_state(state, where)
        if encoder.weighting == "tfidf" and len(encoder.idf_) != len(encoder.words_):
            raise DamagedError(f"{where}: as many idf as words are needed")
        return encoder

    @property
    def form(self) -> FieldForm:
        """A feature per word."""
        return FieldForm(SparseVectors, len(self.words_))


def _words(column: pl.Series) -> pl.DataFrame:
    """row, word, count: a line for each word of each text, lower case, of two letters at least."""
    found = column.fill_null("").str.to_lowercase().str.extract_all(_WORD).alias("word")
    flat = found.to_frame().with_row_index("row").explode("word").drop_nulls("word")
    return flat.group_by("row", "word").agg(count=pl.len())
