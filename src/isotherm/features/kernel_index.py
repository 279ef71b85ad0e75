"""Kernels between items and a catalogue: term by term, or their weighted sum K = Σ_f μ_f K_f + μ₀."""

import numpy as np
from scipy.sparse import csr_array, hstack

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.field_vectors import SparseVectors
from isotherm.features.similarity import SparseProducts
from isotherm.types import Float32, Float64, ItemFeatures, Similarities, SimilarityStack


class KernelIndex:
    """The catalogue that items are compared with, term by term; an item compared with itself counts."""

    def __init__(self, catalogue: EncodedItems) -> None:
        self.catalogue = catalogue
        self._indexes = {name: vectors.product_index() for name, vectors in catalogue.fields.items()}

    def by_term(self, queries: EncodedItems) -> SimilarityStack:
        """K_f rows of the query items: (n_terms, n_queries, n_catalogue) float32."""
        rows = np.empty((len(self._indexes), len(queries), len(self.catalogue)), dtype=np.float32)
        for term_rows, (name, index) in zip(rows, self._indexes.items(), strict=True):
            term_rows[...] = index.similarities(queries.fields[name].array)
        return rows

    def diagonal_by_term(self) -> Float32:
        """K_f(i, i) of each catalogue item: (n_terms, n_catalogue) float32."""
        return np.stack([vectors.self_products() for vectors in self.catalogue.fields.values()])

    def weighted(self, weights: Float64) -> "WeightedKernel":
        """K for one choice of weights: (n_terms + 1,), μ and last the constant μ₀."""
        return WeightedKernel(self.catalogue, weights)


class WeightedKernel:
    """K = Σ_f μ_f K_f + μ₀; the sparse fields, side by side, are one inverted index that is read once.

    weights: (n_terms + 1,), μ and last the constant μ₀.
    """

    def __init__(self, catalogue: EncodedItems, weights: Float64) -> None:
        *field_weights, self._constant = weights.astype(np.float32)
        self._weights = dict(zip(catalogue.fields, field_weights, strict=True))
        sparse = self._sparse = list(catalogue.of_type(SparseVectors))
        self._joined = SparseProducts(self._side_by_side(catalogue)) if sparse else None
        self._others = {
            name: vectors.product_index() for name, vectors in catalogue.fields.items() if name not in sparse
        }
        self._n_catalogue = len(catalogue)

    def rows(self, queries: EncodedItems) -> Similarities:
        """K of the query items and the catalogue, (n_queries, n_catalogue) float32."""
        if self._joined is None:
            rows = np.zeros((len(queries), self._n_catalogue), dtype=np.float32)
        else:
            rows = self._joined.similarities(self._side_by_side(queries))
        for name, index in self._others.items():
            index.add_similarities(queries.fields[name].array, self._weights[name], rows)
        rows += self._constant
        return rows

    def diagonal(self, queries: EncodedItems) -> Float32:
        """K(i, i) of each query item, (n_queries,)."""
        diagonal = np.full(len(queries), self._constant, dtype=np.float32)
        for name, vectors in queries.fields.items():
            index = self._others.get(name)
            itself = vectors.self_products() if index is None else index.self_similarities(vectors.array)
            diagonal += self._weights[name] * itself
        return diagonal

    def _side_by_side(self, items: EncodedItems) -> ItemFeatures:
        """The sparse fields as one matrix, each scaled by √μ_f."""
        fields = [items.fields[name].array * np.sqrt(self._weights[name]) for name in self._sparse]
        joined = csr_array(hstack(fields, format="csr", dtype=np.float32))
        joined.sort_indices()
        return joined
