"""Nearest neighbours on metadata: the plain baseline for brand-new items."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import seeded
from isotherm.data import Interactions, Items
from isotherm.data.kinds import FieldType
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoding import Encoding
from isotherm.features.metadata_similarity import MetadataIndex, MetadataSimilarity
from isotherm.linalg.csr import select_columns
from isotherm.models.cold_start.calibration import mean_ndcg
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.item_weights import ItemItem, SparseWeights
from isotherm.models.neighbours.auto import (
    Neighbourhood,
    learn_neighbourhood,
    neighbours_setting,
    shrinkage_setting,
)
from isotherm.models.neighbours.top_neighbours import k_nearest, neighbour_weights
from isotherm.models.scorer import AddsItems, Contributions
from isotherm.parameters import part_of
from isotherm.progress import expect_stages, stage
from isotherm.state import Inner, Plain
from isotherm.types import Array, UserItems
from isotherm.untrusted import Whole

_BAND = 512  # items whose similarities are dense at one time
_MOST_USERS = 2_000  # for whom hidden items are ranked


class ContentKNN(ItemItem, AddsItems):
    """Scores an item by the summed similarities of its fields (MARec, eq. 3, all μ = 1) to the clicked items.

    Parameters:
        neighbours (>= 1 or auto; default auto): the most similar items that an item keeps; the others count
            as 0; auto: what ranks clicked items best that are hidden and treated as new.
        encoding (Encoding; default Encoding()): which metadata fields are read, and how.
        shrinkage (>= 0 or auto; default auto): δ of the cosines (eq. 3); auto: chosen in the same way.
        seed (a whole number >= 0; default 0): of the items that are hidden.
    """

    name: ClassVar[str] = "content-knn"
    needs_items: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, Any]] = {"encoding": {"encoding": Encoding}}

    weights_: SparseWeights
    similarity_: MetadataSimilarity
    encoded_: EncodedItems
    neighbours_: int  #: in use

    learned = (
        Plain("similarity_", dict, MetadataSimilarity.state, MetadataSimilarity.from_state),
        Inner("weights_", SparseWeights.empty),
        Inner("encoded_", lambda model, _: EncodedItems.empty(model.similarity_.forms), {"n": "n_items"}),
        Plain("neighbours_", Whole(1)),
    )

    def __init__(
        self,
        *,
        neighbours: int | str = "auto",
        encoding: Encoding | None = None,
        shrinkage: float | str = "auto",
        seed: int = 0,
    ) -> None:
        self.neighbours = neighbours_setting(neighbours)
        self.encoding = part_of(self, "encoding", encoding, Encoding)
        self.shrinkage = shrinkage_setting(shrinkage)
        self.seed = seeded("seed", seed)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        assert items is not None
        expect_stages(2 + ("auto" in (self.neighbours, self.shrinkage)))
        with stage("read the metadata"):
            self.similarity_, self.encoded_ = MetadataSimilarity.fit_encode(
                items, self.encoding, second_order=False
            )
        self._choose(clicks)
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
        return k_nearest(index.by_field(queries, catalogue_rows).sum(axis=0), self.neighbours_)

    def _choose(self, clicks: Interactions) -> None:
        """Neighbours and shrinkage, on clicked items that play new ones."""
        ndcg, columns = None, np.flatnonzero(clicks.item_clicks())
        if "auto" in (self.neighbours, self.shrinkage):
            split = PseudoColdSplit.draw(select_columns(clicks.matrix, columns), self.seed, _MOST_USERS)
            if split is not None:
                ndcg = _HiddenRanking(self.similarity_, self.encoded_.take(columns), split).ndcg
        chosen = learn_neighbourhood(self.neighbours, self.shrinkage, ndcg)
        self.neighbours_ = chosen.neighbours
        self.similarity_ = replace(self.similarity_, shrinkage=chosen.shrinkage)

    def learned_settings(self) -> dict[str, float]:
        """Neighbours and shrinkage where they were learned."""
        if not hasattr(self, "neighbours_"):
            return {}
        chosen = Neighbourhood(self.neighbours_, self.similarity_.shrinkage)
        return chosen.settings_learned(self.neighbours, self.shrinkage)

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


@dataclass(frozen=True, eq=False)
class _HiddenRanking:
    """Ranks hidden items by metadata.  encoded: of the clicked items, (n,), which the split is over."""

    similarity: MetadataSimilarity
    encoded: EncodedItems
    split: PseudoColdSplit

    def ndcg(self, tried: Neighbourhood) -> float:
        """ndcg@10 of the hidden items among each other."""
        index = replace(self.similarity, shrinkage=tried.shrinkage).plain_index(self.encoded)
        hidden, rows = self.split.hidden_items, []
        for band in np.array_split(hidden, -(-len(hidden) // _BAND)):
            similarities = index.by_field(self.encoded.take(band), band).sum(axis=0)
            rows.append(k_nearest(similarities, tried.neighbours))
        scores = self.split.known @ csr_array(neighbour_weights(rows).matrix)
        targets = select_columns(self.split.targets, hidden)
        return mean_ndcg(np.asarray(scores.toarray(), dtype=np.float32), targets)
