"""Nearest neighbours on metadata: the plain baseline for brand-new items."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import at_least, whole
from isotherm.data import Interactions, Items
from isotherm.data.kinds import FieldType
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoding import Encoding
from isotherm.features.metadata_similarity import MetadataIndex, MetadataSimilarity
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.item_weights import ItemItem, SparseWeights
from isotherm.models.neighbours.top_neighbours import k_nearest, neighbour_weights
from isotherm.models.scorer import AddsItems, Contributions
from isotherm.parameters import part_of
from isotherm.progress import expect_stages, stage
from isotherm.state import Inner, Plain
from isotherm.types import Array, UserItems

_BAND = 512  # items whose similarities are dense at one time


class ContentKNN(ItemItem, AddsItems):
    """Scores an item by the summed similarities of its fields (MARec, eq. 3, all μ = 1) to the clicked items.

    Parameters:
        neighbours (>= 1; default 100): the most similar items that an item keeps; the others count as 0.
        encoding (Encoding; default Encoding()): which metadata fields are read, and how.
        shrinkage (>= 0; default 20.0): δ of the cosines (eq. 3).
    """

    name: ClassVar[str] = "content-knn"
    needs_items: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, Any]] = {"encoding": {"encoding": Encoding}}

    weights_: SparseWeights
    similarity_: MetadataSimilarity
    encoded_: EncodedItems

    learned = (
        Plain("similarity_", dict, MetadataSimilarity.state, MetadataSimilarity.from_state),
        Inner("weights_", SparseWeights.empty),
        Inner("encoded_", lambda model, _: EncodedItems.empty(model.similarity_.forms), {"n": "n_items"}),
    )

    def __init__(
        self,
        *,
        neighbours: int = 100,
        encoding: Encoding | None = None,
        shrinkage: float = 20.0,
    ) -> None:
        self.neighbours = whole("neighbours", neighbours, 1)
        self.encoding = part_of(self, "encoding", encoding, Encoding)
        self.shrinkage = at_least("shrinkage", shrinkage, 0)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        assert items is not None
        expect_stages(2)
        with stage("read the metadata"):
            self.similarity_ = MetadataSimilarity.fitted(
                items, self.encoding, shrinkage=self.shrinkage, second_order=False
            )
            self.encoded_ = self.similarity_.encode(items)
        index, bands = self.similarity_.plain_index(self.encoded_), []
        with stage("compare items", len(items), "items") as advance:
            for rows in np.array_split(np.arange(len(items)), -(-len(items) // _BAND)):
                bands.append(self._nearest(index, self.encoded_.take(rows), rows))
                advance(len(rows))
        self.weights_ = neighbour_weights(bands)

    def _nearest(
        self, index: MetadataIndex, queries: EncodedItems, catalogue_rows: Array | None
    ) -> csr_array:
        """The neighbours of each query item, (n_queries, n_catalogue).  catalogue_rows: of the queries."""
        return k_nearest(index.by_field(queries, catalogue_rows).sum(axis=0), self.neighbours)

    def contributions(self, history: UserItems, column: int) -> Contributions:
        """Each click's weight, and its sum over fields."""
        by_click = super().contributions(history, column).by_click
        item, clicked = self.encoded_.take(np.array([column])), self.encoded_.take(history.indices)
        fields = self.similarity_.plain_index(clicked).by_field(item)[:, 0].astype(np.float64)
        fields[:, by_click == 0] = 0  # of no neighbour
        return Contributions(by_click, self.similarity_.named_terms, fields @ history.data)

    @property
    def item_schema(self) -> dict[str, FieldType]:
        """The item fields in use, and how they are read."""
        return dict(self._fitted().similarity_.encoders.schema)

    def append_items(self, items: Items, n_items: int) -> None:
        """New items get neighbours among the known ones; the known ones keep theirs."""
        queries = self.similarity_.encode(items)
        neighbours = self._nearest(self.similarity_.plain_index(self.encoded_), queries, None)
        self.weights_ = self.weights_.appended(neighbours.T)
        self.encoded_ = EncodedItems.stacked([self.encoded_, queries])
