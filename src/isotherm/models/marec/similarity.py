"""G of MARec's eq. 5: similarities of items to the warm ones, each field weighed by what it is worth."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.feature_stack import FeatureStack
from isotherm.features.metadata_similarity import MetadataIndex
from isotherm.progress import stage
from isotherm.types import Array, Float32, Float64, ItemFeatures, Similarities

_BAND = 512  # rows of G whose similarities by field exist at one time
_TERM_BAND = 64  # of those whose similarities by term do


@dataclass(frozen=True)
class ItemMetadata:
    """What backbones read of new items.

    similarities: G (eq. 5), (n_items, n_warm) float32.
    features: makes Fᵀ of eq. 8, CSR (n_items, n_features), for the backbone that asks.
    """

    similarities: Similarities
    features: Callable[[], ItemFeatures]


@dataclass(frozen=True)
class WeightedSimilarity:
    """G = Σ μ_k G⁽ᵏ⁾ + Σ μ_kl G⁽ᵏ⁾∘G⁽ˡ⁾ (eq. 5) of any items to those of an index.

    index: over n items.  importance: μ, (n_terms,) float64.
    """

    index: MetadataIndex
    importance: Float64

    def rows(self, queries: EncodedItems, catalogue_rows: Array | None = None) -> Similarities:
        """G, (n_queries, n) float32.

        catalogue_rows: where each query stands in the index, -1 for nowhere; its similarity to itself is 0.
        """
        out = np.empty((len(queries), len(self.index.catalogue)), dtype=np.float32)
        with stage("metadata similarities", len(queries), "items") as advance:
            for first in range(0, len(queries), _BAND):
                band = np.arange(first, min(first + _BAND, len(queries)))
                fields = self.index.by_field(
                    queries.take(band), None if catalogue_rows is None else catalogue_rows[band]
                )
                out[band] = self.index.mixed(fields, self.importance)
                advance(len(band))
        return out

    def features(self, encoded: EncodedItems) -> ItemFeatures:
        """The items' encoded fields side by side, Fᵀ of eq. 8: CSR (n_items, n_features)."""
        return FeatureStack(self.index.catalogue).features(encoded)

    def metadata(self, encoded: EncodedItems) -> ItemMetadata:
        """What backbones read of new items."""
        return ItemMetadata(self.rows(encoded), lambda: self.features(encoded))

    def term_products(
        self, queries: EncodedItems, vectors: Float32, catalogue_rows: Array | None = None
    ) -> Float64:
        """μ_k·G⁽ᵏ⁾v of each term, vector and item, (n_terms, n_vectors, n_queries): their sum is G·v.

        vectors: (n_vectors, n).  catalogue_rows: as in ``rows``.
        """
        products = np.empty((len(self.importance), len(vectors), len(queries)))
        for first in range(0, len(queries), _TERM_BAND):
            band = np.arange(first, min(first + _TERM_BAND, len(queries)))
            fields = self.index.by_field(
                queries.take(band), None if catalogue_rows is None else catalogue_rows[band]
            )
            terms = self.index.by_term(fields)
            products[:, :, band] = (terms @ vectors.T).transpose(0, 2, 1)
        products *= self.importance[:, None, None]
        return products
