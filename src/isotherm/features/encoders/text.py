"""Texts -> bags of words."""

from typing import Any, ClassVar, Self, get_args

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.features.encoders.base import Encoder
from isotherm.features.encoding import Encoding, Weighting
from isotherm.features.field_vectors import FieldForm, SparseVectors
from isotherm.types import ItemFeatures
from isotherm.untrusted import Choice, DamagedError, Distinct, Number, Whole


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

    def transform(self, column: pl.Series) -> SparseVectors:
        """(n_items, n_words)."""
        counts = self._counts(column)
        if self.weighting != "count":
            counts.data[:] = 1
        if self.weighting == "tfidf":
            counts.data *= np.asarray(self.idf_, dtype=np.float32)[counts.indices]
        return SparseVectors(counts)

    def _counts(self, column: pl.Series) -> ItemFeatures:
        """(n_items, n_words), how often each word is in each text."""
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
