"""All similarities of an item table: one for each field, their products for each pair (MARec, eq. 3-5)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, Protocol, TypeAlias

import numpy as np

from isotherm.data.items import Items
from isotherm.data.kinds import Kind
from isotherm.errors import ParameterError
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoding import Encoding
from isotherm.features.field_encoders import FieldEncoders
from isotherm.features.field_vectors import DenseVectors, FieldForm
from isotherm.features.metadata_terms import MetadataTerm
from isotherm.features.similarity import SimilarityIndex
from isotherm.types import Array, Float32, Float64, Int64, Similarities, SimilarityStack
from isotherm.untrusted import Number, expect

EMBEDDING = "learned embedding"  #: the name of the field that an embedding makes
Term: TypeAlias = tuple[str, ...]  #: (field,) or (field, field)


class Embedding(Protocol):
    """Makes one dense vector of an item's encoded fields."""

    def embed(self, encoded: EncodedItems) -> Float32:
        """(n_items, width) float32."""

    @property
    def width(self) -> int:
        """Of the vectors."""


@dataclass(frozen=True)
class MetadataSimilarity:
    """Fitted encoders of an item table, and the terms of eq. 5 that the similarities of their fields give.

    shrinkage: δ of eq. 3-4.  second_order: whether products of two fields are terms, too.
    embedding: what makes one field more of the others, where one is learned; it stands for all of them where
    it is ``embedding_alone``.
    """

    encoders: FieldEncoders
    shrinkage: float = 20.0
    second_order: bool = True
    embedding: Embedding | None = None
    embedding_alone: bool = False

    @classmethod
    def fitted(
        cls,
        items: Items,
        encoding: Encoding | None = None,
        *,
        shrinkage: float = 20.0,
        second_order: bool = True,
    ) -> "MetadataSimilarity":
        """Learn the encoders' vocabularies and ranges. Raises ItemsError where no field has a value.

        >>> import polars as pl
        >>> from isotherm import Items
        >>> from isotherm.features.metadata_similarity import MetadataSimilarity
        >>> frame = pl.DataFrame({"item_id": [1, 2], "genres": [["a", "b"], ["a"]], "year": [1999.0, 2001.0]})
        >>> items = Items.from_frame(frame)
        >>> similarity = MetadataSimilarity.fitted(items, shrinkage=1.0)
        >>> similarity.terms
        [('genres',), ('year',), ('genres', 'year')]
        >>> encoded = similarity.encode(items)
        >>> similarity.index(encoded).by_field(encoded).shape
        (2, 2, 2)
        """
        return cls.fit_encode(items, encoding, shrinkage=shrinkage, second_order=second_order)[0]

    @classmethod
    def fit_encode(
        cls,
        items: Items,
        encoding: Encoding | None = None,
        *,
        shrinkage: float = 20.0,
        second_order: bool = True,
    ) -> tuple["MetadataSimilarity", EncodedItems]:
        """The same, and what ``encode`` makes of ``items``: each field is read once."""
        if shrinkage < 0:
            raise ParameterError(f"shrinkage must be >= 0, not {shrinkage}")
        encoders, encoded = FieldEncoders.fit_encode(items, encoding)
        return cls(encoders, shrinkage, second_order), encoded

    def with_embedding(self, embedding: Embedding, alone: bool) -> "MetadataSimilarity":
        """The same with the field that ``embedding`` makes of the others, or ``alone`` only that one."""
        return replace(self, embedding=embedding, embedding_alone=alone)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Item field -> kind, of those in use."""
        return dict(self.encoders.kinds)

    @property
    def forms(self) -> dict[str, FieldForm]:
        """What ``encode`` makes of each encoded field, in order: the items' own, and the embedding."""
        forms = {} if self.embedding_alone else self.encoders.forms
        if self.embedding is not None:
            forms[EMBEDDING] = FieldForm(DenseVectors, self.embedding.width)
        return forms

    @property
    def terms(self) -> list[Term]:
        """(field,) for each field, then (field, field) for each pair: the order of μ."""
        fields = list(self.forms)
        single: list[Term] = [(name,) for name in fields]
        return single + (list(combinations(fields, 2)) if self.second_order else [])

    @property
    def n_terms(self) -> int:
        """Of ``terms``."""
        n = len(self.forms)
        return n + n * (n - 1) // 2 if self.second_order else n

    @property
    def named_terms(self) -> list[MetadataTerm]:
        """``terms``, each with the fields of the item table that it belongs to."""
        return [
            MetadataTerm(" × ".join(term), tuple(map(self.encoders.source_of, term))) for term in self.terms
        ]

    def encode(self, items: Items) -> EncodedItems:
        """Vectors of ``items``. Raises ItemsError where a field is missing or of another kind."""
        return self.embedded(self.encoders.encode(items))

    def embedded(self, encoded: EncodedItems) -> EncodedItems:
        """Encoded items with the field that the embedding makes of theirs, where there is one."""
        if self.embedding is None:
            return encoded
        vectors = {EMBEDDING: DenseVectors(self.embedding.embed(encoded))}
        return EncodedItems(vectors if self.embedding_alone else {**encoded.fields, **vectors})

    def index(self, catalogue: EncodedItems) -> "MetadataIndex":
        """Ready to compare items with this catalogue; numbers beyond its own fade to nothing known."""
        indexes = {name: each.fading_index(self.shrinkage) for name, each in catalogue.fields.items()}
        return MetadataIndex(TermFields.of(self), catalogue, indexes)

    def plain_index(self, catalogue: EncodedItems) -> "MetadataIndex":
        """The same where numbers do not fade."""
        indexes = {name: each.cosine_index(self.shrinkage) for name, each in catalogue.fields.items()}
        return MetadataIndex(TermFields.of(self), catalogue, indexes)

    def state(self) -> dict[str, Any]:
        """Plain JSON from which ``from_state`` builds all but the embedding again."""
        return {
            "encoders": self.encoders.state(),
            "shrinkage": self.shrinkage,
            "second_order": self.second_order,
        }

    @classmethod
    def from_state(cls, state: Any) -> "MetadataSimilarity":
        """The inverse of ``state``. Raises DamagedError where it is not what ``state`` makes."""
        schema = {"encoders": dict, "shrinkage": Number(least=0), "second_order": bool}
        state = expect(state, schema, "metadata")
        encoders = FieldEncoders.from_state(state["encoders"])
        return cls(encoders, state["shrinkage"], state["second_order"])


@dataclass(frozen=True, eq=False)
class TermFields:
    """The fields of each term, by their number.

    first, second: (n_terms,); -1 where a term is of one field only.
    """

    first: Int64
    second: Int64

    @classmethod
    def of(cls, similarity: MetadataSimilarity) -> "TermFields":
        """Those of ``similarity.terms``."""
        number = {name: i for i, name in enumerate(similarity.forms)}
        first = [number[term[0]] for term in similarity.terms]
        second = [number[term[1]] if len(term) > 1 else -1 for term in similarity.terms]
        return cls(np.array(first), np.array(second))

    def __len__(self) -> int:
        return len(self.first)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """First and second field of each term."""
        return zip(self.first.tolist(), self.second.tolist(), strict=True)


@dataclass(frozen=True, eq=False)
class MetadataIndex:
    """A catalogue that items are compared with, field by field.  indexes: field -> its index."""

    term_fields: TermFields
    catalogue: EncodedItems
    indexes: Mapping[str, SimilarityIndex]

    def by_field(self, queries: EncodedItems, catalogue_rows: Array | None = None) -> SimilarityStack:
        """G⁽ᵏ⁾ rows of the query items: (n_fields, n_queries, n_catalogue) float32.

        catalogue_rows: of each query, -1 where it is not in the catalogue; its similarity to itself is 0.
        """
        rows = np.empty((len(self.indexes), len(queries), len(self.catalogue)), dtype=np.float32)
        for field_rows, (name, index) in zip(rows, self.indexes.items(), strict=True):
            field_rows[...] = index.similarities(queries.fields[name].array)
        if catalogue_rows is not None:
            inside = np.flatnonzero(catalogue_rows >= 0)
            rows[:, inside, catalogue_rows[inside]] = 0.0
        return rows

    def by_term(self, by_field: SimilarityStack, out: SimilarityStack | None = None) -> SimilarityStack:
        """Every term of eq. 5, (n_terms, n_queries, n_catalogue) float32.

        by_field: the rows by field.  out: an array to write to.
        """
        terms = out
        if terms is None:
            terms = np.empty((len(self.term_fields), *by_field.shape[1:]), dtype=np.float32)
        for term, (first, second) in zip(terms, self.term_fields, strict=True):
            if second < 0:
                term[...] = by_field[first]
            else:
                np.multiply(by_field[first], by_field[second], out=term)
        return terms

    def mixed(self, by_field: SimilarityStack, importance: Float64) -> Similarities:
        """G = Σ μ_k G⁽ᵏ⁾ + Σ μ_kl G⁽ᵏ⁾∘G⁽ˡ⁾ (eq. 5), (n_queries, n_catalogue).

        by_field: the rows by field.  importance: μ, (n_terms,).
        """
        mixed = np.zeros(by_field.shape[1:], dtype=np.float32)
        for (first, second), weight in zip(self.term_fields, importance.astype(np.float32), strict=True):
            mixed += weight * (by_field[first] if second < 0 else by_field[first] * by_field[second])
        return mixed
