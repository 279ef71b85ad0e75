"""Warm items that play new ones: what μ of a learned embedding, and β, are learned on."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.metadata_similarity import MetadataIndex, MetadataSimilarity
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.marec.beta import HiddenItems
from isotherm.models.marec.embedding import EmbeddingModel, LearnedEmbedding
from isotherm.models.marec.similarity import WeightedSimilarity
from isotherm.models.marec.warm_clicks import WarmClicks
from isotherm.types import Float64

_MOST_USERS = 1_500  # by whose lists β is chosen


@dataclass(frozen=True, eq=False)
class PseudoColdItems:
    """Hidden warm items, and how they are compared with the others.

    An embedding must be learned without them: with them, they would look more alike what they are clicked
    with than any new item can.

    split: which items and clicks are hidden.  similarity: its embedding, if any, is learned on the kept
    items.  encoded: all warm items, by it.
    """

    split: PseudoColdSplit
    similarity: MetadataSimilarity
    encoded: EncodedItems

    @classmethod
    def draw(
        cls,
        warm: WarmClicks,
        encoded: EncodedItems,
        similarity: MetadataSimilarity,
        embedding: EmbeddingModel,
        seed: int,
    ) -> "PseudoColdItems | None":
        """From the clicks of a fit; None where the log is too small to hide any item.

        encoded: all items, by ``similarity``, which has no embedding yet.
        """
        split = PseudoColdSplit.draw(warm.user_items, seed, _MOST_USERS)
        if split is None:
            return None
        encoded = encoded.take(warm.columns)
        if isinstance(embedding, LearnedEmbedding):
            kept = split.kept_items
            similarity = embedding.learn(similarity, encoded.take(kept), warm.gram[np.ix_(kept, kept)])
        return cls(split, similarity, similarity.embedded(encoded))

    @cached_property
    def hidden(self) -> EncodedItems:
        """The hidden items."""
        return self.encoded.take(self.split.hidden_items)

    @cached_property
    def warm_index(self) -> MetadataIndex:
        """To compare with all warm items."""
        return self.similarity.index(self.encoded)

    def weighted(self, importance: Float64) -> HiddenItems:
        """The same by their similarities G.  importance: μ."""
        kept_index = self.similarity.index(self.encoded.take(self.split.kept_items))
        return HiddenItems(
            self.split,
            WeightedSimilarity(kept_index, importance).rows(self.hidden),
            WeightedSimilarity(self.warm_index, importance).rows(self.hidden, self.split.hidden_items),
        )
