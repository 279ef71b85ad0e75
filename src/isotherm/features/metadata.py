"""All similarities of an item table: one for each field, their products for each pair (MARec, eq. 5)."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Protocol, get_args

import numpy as np
from scipy.sparse import csr_array, hstack, vstack
from sklearn.preprocessing import normalize

from isotherm.data.items import Items, Kind
from isotherm.errors import ItemsError, ParameterError, brief
from isotherm.features.encoders import ENCODERS, Encoded, Encoder, Vectors, Weighting
from isotherm.features.encoding import Encoding
from isotherm.features.images import ImageEncoder
from isotherm.features.sentences import SentenceEncoder
from isotherm.features.similarity import similarity_index
from isotherm.state import Dense, Field, Sparse, Stateful
from isotherm.types import Array, Float32, Float64, Int64
from isotherm.untrusted import Choice, DamagedError, Each, Number, expect

_log = logging.getLogger(__name__)
Term = tuple[str, ...]
MEANING = "meaning of "
EMBEDDING = "learned embedding"
_SCALES = ("mean", "spread")


class Embedding(Protocol):
    """Makes one dense vector of an item's encoded fields."""

    def of(self, encoded: "EncodedItems") -> Float32:
        """(n_items, width) float32."""

    @property
    def width(self) -> int:
        """Of the vectors."""


class EncodedItems(Stateful):
    """Item vectors by field, in the order of the items they came from.

    Saved under numbers and names: a name alone might be another's beginning.
    """

    def __init__(self, vectors: Mapping[str, Vectors], declared: Mapping[str, Encoded] | None = None) -> None:
        self.vectors = dict(vectors)
        self._declared = declared

    @classmethod
    def empty(cls, declared: Mapping[str, Encoded]) -> "EncodedItems":
        """To be filled with what a saved model holds; declared: field -> what its vectors must be."""
        return cls({}, declared)

    @property
    def declared(self) -> Mapping[str, Encoded]:
        """Field -> what its vectors are."""
        return self._declared or {name: _encoded(vectors) for name, vectors in self.vectors.items()}

    @property
    def learned(self) -> Iterator[Field]:
        """The vectors of each field, for the same ``n`` items."""
        for number, (name, (form, width)) in enumerate(self.declared.items()):
            if form == "sparse":
                yield Sparse(f"{number}:{name}", ("n", width))
            elif form == "dense":
                yield Dense(f"{number}:{name}", np.float32, ("n", width))
            else:
                yield Dense(f"{number}:{name}", np.float32, ("n",), missing=True)

    def learned_value(self, name: str) -> Vectors:
        """The vectors of a numbered field."""
        return self.vectors[name.partition(":")[2]]

    def hold(self, name: str, value: Vectors) -> None:
        """The same, back."""
        self.vectors[name.partition(":")[2]] = value

    def __len__(self) -> int:
        return int(next(iter(self.vectors.values())).shape[0])

    def take(self, rows: Array) -> "EncodedItems":
        """The vectors of the items at ``rows``."""
        return EncodedItems({name: vectors[rows] for name, vectors in self.vectors.items()})

    @classmethod
    def stacked(cls, parts: Sequence["EncodedItems"]) -> "EncodedItems":
        """One after the other."""
        vectors: dict[str, Vectors] = {}
        for name in parts[0].vectors:
            blocks = [part.vectors[name] for part in parts]
            sparse = isinstance(blocks[0], csr_array)
            vectors[name] = csr_array(vstack(blocks, format="csr")) if sparse else np.concatenate(blocks)
        return cls(vectors)


def _encoded(vectors: Vectors) -> Encoded:
    if vectors.ndim == 1:
        return Encoded("number")
    return Encoded("sparse" if isinstance(vectors, csr_array) else "dense", int(vectors.shape[1]))


class FeatureStack(Stateful):
    """Encoded fields side by side, (n_items, n_features): each item's part of a field has unit length.

    Numbers and dense vectors are first taken as deviations from the mean of the ``reference`` items, in their
    standard deviations; what is missing is zero. A number keeps its size.
    """

    def __init__(self, reference: EncodedItems) -> None:
        self._scales: dict[str, tuple[Float64, Float64]] = {}
        for name, vectors in reference.vectors.items():
            if not isinstance(vectors, csr_array):
                known = np.isfinite(vectors)
                count = np.maximum(known.sum(axis=0), 1)
                mean = vectors.sum(axis=0, where=known) / count
                spread = np.sqrt(((vectors - mean) ** 2).sum(axis=0, where=known) / count)
                self._scales[name] = mean, np.where(spread > 0, spread, 1)

    @classmethod
    def empty(cls, declared: Mapping[str, Encoded]) -> "FeatureStack":
        """To be filled with what a saved model holds; declared: field -> what its vectors are."""
        made = cls(EncodedItems({}))
        for name, (form, width) in declared.items():
            if form != "sparse":
                nothing = np.broadcast_to(0.0, width)  # of that shape, without memory
                made._scales[name] = nothing, nothing
        return made

    @property
    def learned(self) -> Iterator[Field]:
        """Mean and spread of each field that is not sparse."""
        for number, (name, scales) in enumerate(self._scales.items()):
            for what, array in zip(_SCALES, scales, strict=True):
                least = 0.0 if what == "spread" else None
                yield Dense(f"{number}:{what} of {name}", np.float64, np.atleast_1d(array).shape, least=least)

    def learned_value(self, name: str) -> Float64:
        """A mean or a spread."""
        what, _, field = name.partition(":")[2].partition(" of ")
        return np.asarray(self._scales[field][_SCALES.index(what)])

    def hold(self, name: str, value: Float64) -> None:
        """The same, back."""
        what, _, field = name.partition(":")[2].partition(" of ")
        mean, spread = self._scales[field]
        self._scales[field] = (value, spread) if what == "mean" else (mean, value)

    def of(self, encoded: EncodedItems) -> csr_array:
        """Features of ``encoded``, CSR float32."""
        fields = []
        for name, vectors in encoded.vectors.items():
            if isinstance(vectors, csr_array):
                fields.append(_unit_rows(vectors))
                continue
            mean, spread = self._scales[name]
            scaled = np.where(np.isfinite(vectors), (vectors - mean) / spread, 0)
            fields.append(csr_array(scaled[:, None] if scaled.ndim == 1 else _unit_rows(scaled)))
        return csr_array(hstack(fields, format="csr", dtype=np.float32))


def _unit_rows(vectors: Vectors) -> Vectors:
    """Rows of unit length, or zero; a field may have no feature at all."""
    return normalize(vectors) if vectors.shape[1] else vectors


def all_features(items: Items) -> csr_array:
    """Features of an item table by the default encoders, (n_items, n_features)."""
    encoded = MetadataSimilarity(second_order=False).fit(items).encode(items)
    return FeatureStack(encoded).of(encoded)


class MetadataSimilarity:
    """Encoders for the fields of an item table, and the terms of eq. 5 that their similarities give.

    encoding: the fields to use, and the options of their encoders.  shrinkage: δ of eq. 3.  second_order:
    products of pairs too.  auto_weighting: of texts, where ``encoding`` leaves it open.
    """

    def __init__(
        self,
        encoding: Encoding | None = None,
        *,
        shrinkage: float = 20.0,
        second_order: bool = True,
        auto_weighting: Weighting = "count",
    ) -> None:
        if shrinkage < 0:
            raise ParameterError(f"shrinkage must be >= 0, not {shrinkage}")
        self.encoding = Encoding() if encoding is None else encoding
        self.shrinkage = shrinkage
        self.second_order = second_order
        self._options: dict[Kind, dict[str, Any]] = {
            "categories": {"min_count": self.encoding.min_count},
            "tags": {"min_count": self.encoding.min_count},
            "text": {
                "max_words": self.encoding.max_words,
                "weighting": self.encoding.weighting(auto_weighting),
            },
        }
        self.kinds_: dict[str, Kind] = {}
        self.encoders_: dict[str, Encoder] = {}  #: by encoded field
        self.sources_: dict[str, str] = {}  #: encoded field -> the item field that it is made of
        self.embedding_: Embedding | None = None  #: what makes one more field of the others, once learned
        self.alone_ = False  #: whether that field stands for all of them

    def fit(self, items: Items) -> "MetadataSimilarity":
        """Learn the encoders' vocabularies and ranges. Fields without any value are left out."""
        encoding = self.encoding
        chosen = items if encoding.fields is None else items.only(encoding.fields)
        missing = chosen.missing()
        self.kinds_ = {}
        for name, kind in chosen.kinds.items():
            if missing[name] == 1:
                _log.warning("field %r has no value on any item and is left out", name)
            elif kind == "image" and encoding.image_model is None:
                _log.warning(
                    "field %r holds images and is left out: set encoding.image_model to use it", name
                )
            else:
                self.kinds_[name] = kind
        if not self.kinds_:
            raise ItemsError(
                "the item table has no field with a value that can be used; metadata is what a new item is "
                "known by (images need encoding.image_model)"
            )
        encoders: dict[str, Encoder] = {}
        sources: dict[str, str] = {}
        self._tell_of_unknown(chosen)
        for name, kind in self.kinds_.items():
            encoders[name] = (
                ImageEncoder(str(encoding.image_model))
                if kind == "image"
                else ENCODERS[kind](**self._options.get(kind, {}))
            )
            sources[name] = name
            if kind == "text" and encoding.text_model is not None:
                meaning = MEANING + name
                encoders[meaning], sources[meaning] = SentenceEncoder(encoding.text_model), name
        self.encoders_ = {
            name: encoder.fit(items.column(sources[name])) for name, encoder in encoders.items()
        }
        self.sources_ = sources
        return self

    def _tell_of_unknown(self, items: Items) -> None:
        """Say how many items have no metadata at all."""
        given = np.zeros(len(items), dtype=bool)
        for name in self.kinds_:
            given |= ~items.is_missing(name)
        if not given.all():
            _log.warning(
                "%s of %s items have no metadata at all: as new items they are recommended to nobody",
                f"{int((~given).sum()):,}",
                f"{len(items):,}",
            )

    @property
    def fields_(self) -> list[str]:
        """The encoded fields, in order: those of the items, the meaning of texts, the learned embedding."""
        fields = [] if self.alone_ else list(self.encoders_)
        return fields if self.embedding_ is None else [*fields, EMBEDDING]

    def learn(self, embedding: "Embedding", alone: bool) -> None:
        """From now on the fields make one more, or ``alone`` only that one."""
        self.embedding_, self.alone_ = embedding, alone

    @property
    def terms(self) -> list[Term]:
        """(field,) for each field, then (field, field) for each pair: the order of μ."""
        fields = self.fields_
        single: list[Term] = [(name,) for name in fields]
        return single + (list(combinations(fields, 2)) if self.second_order else [])

    @property
    def term_fields(self) -> tuple[Int64, Int64]:
        """For each term, the number of its first field and of its second one, -1 for none."""
        number = {name: i for i, name in enumerate(self.fields_)}
        first = np.array([number[term[0]] for term in self.terms])
        second = np.array([number[term[1]] if len(term) > 1 else -1 for term in self.terms])
        return first, second

    def encode(self, items: Items) -> EncodedItems:
        """Vectors of ``items``. Raises ItemsError where a field is missing or of another kind."""
        for name, kind in self.kinds_.items():
            if name not in items.kinds:
                raise ItemsError(
                    f"field {name!r} is missing from the items; the model was fitted with "
                    f"{', '.join(self.kinds_)} (a field may be empty, but it must be there)"
                )
            if items.kinds[name] != kind and items.missing()[name] < 1:
                raise ItemsError(
                    f"field {name!r} was {kind} when the model was fitted and is {items.kinds[name]} now; "
                    f"declare its kind: {name}={kind}"
                )
        empty = [name for name, kind in self.kinds_.items() if items.kinds[name] != kind]
        encoded = EncodedItems(
            {
                name: encoder.transform(
                    _nothing(source, self.kinds_[source], len(items))
                    if source in empty
                    else items.column(source)
                )
                for (name, encoder), source in zip(
                    self.encoders_.items(), self.sources_.values(), strict=True
                )
            }
        )
        return self.embedded(encoded)

    def embedded(self, encoded: EncodedItems) -> EncodedItems:
        """Encoded items with the field that the embedding makes of theirs, where there is one."""
        if self.embedding_ is None:
            return encoded
        made = {EMBEDDING: self.embedding_.of(encoded)}
        return EncodedItems(made if self.alone_ else {**encoded.vectors, **made})

    def index(self, catalogue: EncodedItems) -> "MetadataIndex":
        """Ready to compare items with this catalogue."""
        return MetadataIndex(self, catalogue)

    def state(self) -> dict[str, Any]:
        """Plain JSON from which ``from_state`` builds the fitted object again."""
        return {
            "shrinkage": self.shrinkage,
            "second_order": self.second_order,
            "kinds": self.kinds_,
            "encoders": {name: encoder.state() for name, encoder in self.encoders_.items()},
            "sources": self.sources_,
        }

    @classmethod
    def from_state(cls, state: Any) -> "MetadataSimilarity":
        """The inverse of ``state``. Raises DamagedError where it is not what ``state`` makes."""
        schema = {
            "shrinkage": Number(least=0),
            "second_order": bool,
            "kinds": Each(Choice(get_args(Kind))),
            "encoders": Each(dict),
            "sources": Each(str),
        }
        state = expect(state, schema, "metadata")
        made = cls(shrinkage=state["shrinkage"], second_order=state["second_order"])
        made.kinds_, made.sources_ = state["kinds"], state["sources"]
        own = {name for name, source in made.sources_.items() if name == source}
        if not own or own != set(made.kinds_) or list(state["encoders"]) != list(made.sources_):
            raise DamagedError("metadata: kinds, encoders and sources name other fields")
        for name, source in made.sources_.items():
            if name != source and (name != MEANING + source or made.kinds_.get(source) != "text"):
                raise DamagedError(f"metadata: there is no text field for {brief(name)}")
            encoder = _encoder_of(made.kinds_[source]) if name == source else SentenceEncoder
            options = expect(state["encoders"][name], encoder.schema, f"encoder of {brief(name)}")
            if options.get("weighting") == "tfidf" and len(options["idf"]) != len(options["words"]):
                raise DamagedError(f"encoder of {brief(name)}: as many idf as words are needed")
            made.encoders_[name] = encoder(**options)
        return made

    @property
    def encoded(self) -> dict[str, Encoded]:
        """What ``encode`` makes: of the encoded fields, in order."""
        made = {} if self.alone_ else {name: encoder.encoded for name, encoder in self.encoders_.items()}
        if self.embedding_ is not None:
            made[EMBEDDING] = Encoded("dense", self.embedding_.width)
        return made

    @property
    def n_terms(self) -> int:
        """Of ``terms``."""
        n = len(self.fields_)
        return n + n * (n - 1) // 2 if self.second_order else n


class MetadataIndex:
    """The catalogue that new and old items are compared with, field by field."""

    def __init__(self, similarity: MetadataSimilarity, catalogue: EncodedItems) -> None:
        self.catalogue = catalogue
        self.term_fields = self._first, self._second = similarity.term_fields
        self._indexes = {
            name: similarity_index(vectors, similarity.shrinkage)
            for name, vectors in catalogue.vectors.items()
        }

    def by_field(self, queries: EncodedItems, own_rows: Array | None = None) -> Float32:
        """G⁽ᵏ⁾ rows of the query items: (n_fields, n_queries, n_catalogue) float32.

        own_rows: where each query stands in the catalogue, -1 for nowhere; its similarity to itself is 0.
        """
        rows = np.empty((len(self._indexes), len(queries), len(self.catalogue)), dtype=np.float32)
        for field, (name, index) in zip(rows, self._indexes.items(), strict=True):
            field[...] = index.to(queries.vectors[name])
        if own_rows is not None:
            itself = np.flatnonzero(own_rows >= 0)
            rows[:, itself, own_rows[itself]] = 0.0
        return rows

    def by_term(self, fields: Float32, out: Float32 | None = None) -> Float32:
        """Every term of eq. 5, (n_terms, n_queries, n_catalogue), from the rows by field."""
        terms = np.empty((len(self._first), *fields.shape[1:]), np.float32) if out is None else out
        for term, first, second in zip(terms, self._first, self._second, strict=True):
            if second < 0:
                term[...] = fields[first]
            else:
                np.multiply(fields[first], fields[second], out=term)
        return terms

    def mixed(self, fields: Float32, importance: Float64) -> Float32:
        """G = Σ μ_k G⁽ᵏ⁾ + Σ μ_kl G⁽ᵏ⁾∘G⁽ˡ⁾ (eq. 5), (n_queries, n_catalogue), from the rows by field."""
        mixed = np.zeros(fields.shape[1:], dtype=np.float32)
        for first, second, weight in zip(
            self._first, self._second, importance.astype(np.float32), strict=True
        ):
            mixed += weight * (fields[first] if second < 0 else fields[first] * fields[second])
        return mixed


def _encoder_of(kind: Kind) -> type[Any]:
    return ImageEncoder if kind == "image" else ENCODERS[kind]


def _nothing(name: str, kind: Kind, n: int) -> Any:
    """A column of ``n`` missing values of one kind."""
    import polars as pl

    if kind == "categories":
        return pl.Series(name, [[]] * n, dtype=pl.List(pl.String))
    if kind == "tags":
        tag = pl.Struct({"value": pl.String, "weight": pl.Float32})
        return pl.Series(name, [[]] * n, dtype=pl.List(tag))
    types = {"text": pl.String(), "image": pl.String(), "number": pl.Float64(), "vector": pl.List(pl.Float32)}
    return pl.Series(name, [None] * n, dtype=types[kind])
