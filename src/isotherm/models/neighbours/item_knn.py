"""Item-based nearest neighbours on clicks: shrunk cosine between the click vectors of items."""

from typing import ClassVar

import numpy as np

from isotherm.checks import at_least, whole
from isotherm.data import Interactions, Items
from isotherm.features.similarity import SparseCosine
from isotherm.models.fitting import FitOptions
from isotherm.models.linear.item_weights import ItemItem, SparseWeights
from isotherm.models.neighbours.top_neighbours import nearest, stacked
from isotherm.state import Inner

_BAND = 1024


class ItemKNN(ItemItem):
    """Scores an item by its similarity to the clicked ones.

    neighbours: how many clicked items may speak for an item.  shrinkage: added to the product of norms.
    """

    name: ClassVar[str] = "item-knn"

    weights_: SparseWeights

    learned = (Inner("weights_", SparseWeights.empty),)

    def __init__(self, *, neighbours: int = 100, shrinkage: float = 20.0) -> None:
        self.neighbours = whole("neighbours", neighbours, 1)
        self.shrinkage = at_least("shrinkage", shrinkage, 0)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        vectors = clicks.matrix.T.tocsr()
        index = SparseCosine(vectors, self.shrinkage)
        bands = []
        for first in range(0, clicks.n_items, _BAND):
            band = index.to(vectors[first : first + _BAND])
            own = np.arange(len(band))
            band[own, first + own] = 0
            bands.append(nearest(band, self.neighbours))
        self.weights_ = SparseWeights(stacked(bands))
