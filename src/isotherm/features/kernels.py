"""Positive semi-definite similarities of items, one a field: what a Gaussian process over items is made of.

K(i, j) = Σ_f μ_f K_f(i, j). A category, text or vector field is a product of vectors whose norms are shrunk,
zᵢ·zⱼ / (√(‖zᵢ‖² + δ)·√(‖zⱼ‖² + δ)): unlike eq. 3 of MARec it is never indefinite, so that K + I always has a
Cholesky factor. Text is tf-idf, given vectors are whitened. A number field is 1 − |difference| over its range
(Brownian motion's covariance, turned around), and so is the *amount* of metadata that an item has in a field:
well-known items tend to have more tags, words and actors, and some fields are missing for a reason.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from isotherm.data.items import Items, Kind
from isotherm.features.encoders import Encoded, Vectors
from isotherm.features.encoding import Encoding
from isotherm.features.metadata import MEANING, EncodedItems, MetadataSimilarity
from isotherm.features.similarity import Closeness, SparseProducts, squared_norms
from isotherm.linalg.csr import scale_rows
from isotherm.state import Dense, Field, Plain, Stateful
from isotherm.types import Float32, Float64
from isotherm.untrusted import DamagedError, Each, Number

AMOUNT = "amount of "
_WHITENING_FLOOR = 0.1  # of the mean variance: directions below it are noise and are not blown up


class MetadataKernel(Stateful):
    """Encoders of an item table's fields, each followed by the scaling that makes it a kernel.

    encoding: the fields to use, and the options of their encoders.  shrinkage: δ in units of the field's
    median squared norm.
    """

    def __init__(
        self,
        encoding: Encoding | None = None,
        *,
        shrinkage: float = 0.3,
    ) -> None:
        self.shrinkage = shrinkage
        self._encoders = MetadataSimilarity(encoding, second_order=False, auto_weighting="tfidf")
        self.norms_: dict[str, float] = {}  #: δ of each field of vectors
        self.amounts_: dict[str, tuple[float, float]] = {}  #: least and largest log-amount of a field
        self.whitening_: dict[str, tuple[Float32, Float32]] = {}  #: mean, transform

    def fit(self, items: Items) -> "MetadataKernel":
        """Learn vocabularies, ranges and scales."""
        encoded = self._encoders.fit(items).encode(items)
        for name, vectors in encoded.vectors.items():
            if isinstance(vectors, np.ndarray) and vectors.ndim == 2:  # given, or the meaning of texts
                self.whitening_[name] = _whitening(vectors[vectors.any(axis=1)])
                vectors = self._whitened(name, vectors)
            if vectors.ndim == 2:
                squares = squared_norms(vectors)
                known = squares[squares > 0]
                self.norms_[name] = self.shrinkage * float(np.median(known)) if len(known) else 1.0
            amount = _amount(encoded.vectors[name])
            taken = name.startswith(MEANING) or AMOUNT + name in encoded.vectors  # a field of that very name
            if not taken and amount.min() < amount.max():
                self.amounts_[name] = float(amount.min()), float(amount.max())
        return self

    @property
    def kinds_(self) -> dict[str, Kind]:
        """Kinds of the item fields in use."""
        return self._encoders.kinds_

    @property
    def terms(self) -> list[str]:
        """The kernels, in the order of μ: the fields, then the amounts of those whose amount varies."""
        return [*self._encoders.fields_, *(AMOUNT + name for name in self.amounts_)]

    def encode(self, items: Items) -> EncodedItems:
        """Scaled vectors of ``items``, by term. Raises ItemsError as ``MetadataSimilarity.encode`` does."""
        encoded = self._encoders.encode(items).vectors
        scaled: dict[str, Vectors] = {}
        for name, vectors in encoded.items():
            if name in self.whitening_:
                vectors = self._whitened(name, vectors)
            scaled[name] = _scaled(vectors, self.norms_[name]) if vectors.ndim == 2 else vectors
        for name, (least, largest) in self.amounts_.items():
            amount = (_amount(encoded[name]) - least) / (largest - least)
            scaled[AMOUNT + name] = np.clip(amount, 0, 1).astype(np.float32)
        return EncodedItems(scaled)

    def index(self, catalogue: EncodedItems) -> "KernelIndex":
        """Ready to compare items with this catalogue."""
        return KernelIndex(catalogue)

    def _whitened(self, name: str, vectors: Vectors) -> Float32:
        mean, transform = self.whitening_[name]
        given = vectors.any(axis=1)
        whitened = np.zeros((len(vectors), transform.shape[1]), dtype=np.float32)
        whitened[given] = (vectors[given] - mean) @ transform
        return whitened

    @property
    def learned(self) -> Iterator[Field]:
        """Encoders, scales and, for each field of dense vectors, the whitening."""
        yield Plain("encoders", dict, MetadataSimilarity.state, MetadataSimilarity.from_state)
        yield Plain("shrinkage", Number(least=0))
        yield Plain("norms_", Each(Number(least=0)))
        yield Plain("amounts_", Each((Number(), Number())), _as_lists, _as_pairs)
        self._check_scales()
        for name, (form, width) in self._encoders.encoded.items():
            if form == "dense":
                yield Dense(f"mean of {name}", np.float32, (width,))
                yield Dense(f"transform of {name}", np.float32, (width, width))

    def learned_value(self, name: str) -> Any:
        """Part of the state."""
        if name == "encoders":
            return self._encoders
        what, of, field = name.partition(" of ")
        return self.whitening_[field][what == "transform"] if of else getattr(self, name)

    def hold(self, name: str, value: Any) -> None:
        """The same, back."""
        what, of, field = name.partition(" of ")
        if name == "encoders":
            self._encoders = value
        elif of:
            nothing = np.empty((0, 0), dtype=np.float32)
            mean, transform = self.whitening_.get(field, (nothing, nothing))
            self.whitening_[field] = (value, transform) if what == "mean" else (mean, value)
        else:
            setattr(self, name, value)

    def _check_scales(self) -> None:
        """That δ is there for each field of vectors, and amounts for fields only."""
        encoded = self._encoders.encoded
        vectors = {name for name, (form, _) in encoded.items() if form != "number"}
        amounts = {name for name in encoded if not name.startswith(MEANING)}
        if set(self.norms_) != vectors or not set(self.amounts_) <= amounts:
            raise DamagedError("kernel: norms or amounts are of other fields than the encoders")
        if not all(least < largest for least, largest in self.amounts_.values()):
            raise DamagedError("kernel: a least amount is above the largest")

    @property
    def encoded(self) -> dict[str, Encoded]:
        """What ``encode`` makes, by term."""
        return self._encoders.encoded | {AMOUNT + name: Encoded("number") for name in self.amounts_}


def _as_lists(amounts: Mapping[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {name: list(ends) for name, ends in amounts.items()}


def _as_pairs(amounts: Mapping[str, list[float]]) -> dict[str, tuple[float, float]]:
    return {name: (ends[0], ends[1]) for name, ends in amounts.items()}


class KernelIndex:
    """The catalogue that items are compared with, term by term; an item compared with itself counts."""

    def __init__(self, catalogue: EncodedItems) -> None:
        self.catalogue = catalogue
        self._indexes = {name: _index(vectors) for name, vectors in catalogue.vectors.items()}

    def by_term(self, queries: EncodedItems) -> Float32:
        """K_f rows of the query items: (n_terms, n_queries, n_catalogue) float32."""
        rows = np.empty((len(self._indexes), len(queries), len(self.catalogue)), dtype=np.float32)
        for term, (name, index) in zip(rows, self._indexes.items(), strict=True):
            term[...] = index.to(queries.vectors[name])
        return rows

    def own_by_term(self) -> Float32:
        """K_f of each catalogue item with itself: (n_terms, n_catalogue) float32."""
        return np.stack([_own(vectors) for vectors in self.catalogue.vectors.values()])

    def weighted(self, weights: NDArray[Any]) -> "WeightedKernel":
        """K for one choice of μ: (n_terms + 1,), the constant last."""
        return WeightedKernel(self.catalogue, weights)


class WeightedKernel:
    """K = Σ_f μ_f K_f + μ₀; the sparse fields, side by side, are one inverted index that is read once."""

    def __init__(self, catalogue: EncodedItems, weights: NDArray[Any]) -> None:
        self._weights = dict(zip([*catalogue.vectors, ""], weights.astype(np.float32), strict=True))
        self._sparse = [name for name, v in catalogue.vectors.items() if isinstance(v, csr_array)]
        self._others = {name: _index(v) for name, v in catalogue.vectors.items() if name not in self._sparse}
        self._joined = SparseProducts(self._side_by_side(catalogue)) if self._sparse else None
        self._n = len(catalogue)

    def to(self, queries: EncodedItems) -> Float32:
        """(n_queries, n_catalogue) float32."""
        if self._joined is None:
            rows = np.zeros((len(queries), self._n), dtype=np.float32)
        else:
            rows = self._joined.to(self._side_by_side(queries))
        for name, index in self._others.items():
            term = index.to(queries.vectors[name])
            term *= self._weights[name]
            rows += term
        rows += self._weights[""]
        return rows

    def own(self, queries: EncodedItems) -> Float32:
        """K of each query item with itself, (n_queries,)."""
        own = np.full(len(queries), self._weights[""], dtype=np.float32)
        for name, vectors in queries.vectors.items():
            own += self._weights[name] * _own(vectors)
        return own

    def _side_by_side(self, items: EncodedItems) -> csr_array:
        parts = [items.vectors[name] * np.sqrt(self._weights[name]) for name in self._sparse]
        joined = csr_array(hstack(parts, format="csr", dtype=np.float32))
        joined.sort_indices()
        return joined


class _DenseProducts:
    """zᵢ·zⱼ over dense vectors."""

    def __init__(self, vectors: Float32) -> None:
        self._vectors = vectors

    def to(self, queries: Float32) -> Float32:
        products: Float32 = queries @ self._vectors.T
        return products


def _index(vectors: Vectors) -> SparseProducts | _DenseProducts | Closeness:
    if isinstance(vectors, csr_array):
        return SparseProducts(vectors)
    return _DenseProducts(vectors) if vectors.ndim == 2 else Closeness(vectors)


def _own(vectors: Vectors) -> Float32:
    """What a kernel says of an item and itself."""
    return squared_norms(vectors) if vectors.ndim == 2 else np.isfinite(vectors).astype(np.float32)


def _scaled(vectors: Vectors, shrinkage: float) -> Vectors:
    """Each vector over √(its squared norm + δ); a zero vector stays one."""
    scale = 1 / np.sqrt(np.maximum(squared_norms(vectors) + np.float32(shrinkage), 1e-30))
    if isinstance(vectors, csr_array):
        return scale_rows(vectors, scale)
    return vectors * scale[:, None]


def _amount(vectors: Vectors) -> Float64:
    """log(1 + features of an item) for sparse fields; whether there is a value at all for the others."""
    if isinstance(vectors, csr_array):
        return np.asarray(np.log1p(np.diff(vectors.indptr)), dtype=np.float64)
    given = vectors.any(axis=1) if vectors.ndim == 2 else np.isfinite(vectors)
    return np.asarray(given, dtype=np.float64)


def _whitening(vectors: Float32) -> tuple[Float32, Float32]:
    """Mean and transform that give the vectors the same variance in all directions above the noise."""
    if len(vectors) < 2:
        length = vectors.shape[1]
        return np.zeros(length, dtype=np.float32), np.eye(length, dtype=np.float32)
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    variance, directions = np.linalg.eigh(centred.T @ centred / len(vectors))
    lifted = np.maximum(variance, 0) + _WHITENING_FLOOR * max(variance.mean(), 1e-30)
    return mean.astype(np.float32), (directions / np.sqrt(lifted)).astype(np.float32)
