"""Item-based nearest neighbours on clicks: shrunk cosine between the click vectors of items."""

from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import at_least, whole
from isotherm.data import Interactions, Items
from isotherm.features.similarity import SparseCosines
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.item_weights import ItemItem, SparseWeights
from isotherm.models.neighbours.top_neighbours import k_nearest, neighbour_weights
from isotherm.progress import stage
from isotherm.state import Inner

_BAND = 1024  # items whose similarities are dense at one time


class ItemKNN(ItemItem):
    """Scores an item by the similarities of its nearest neighbours among the clicked items.

    >>> from isotherm import Interactions, ItemKNN
    >>> from scipy.sparse import csr_array
    >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
    >>> ItemKNN(shrinkage=0.0).fit(clicks).similar_items("tea")["item_id"].to_list()
    ['cup', 'pot']

    Parameters:
        neighbours (>= 1; default 100): the most similar items that an item keeps; the others count as 0.
        shrinkage (>= 0; default 20.0): added to the product of norms that a cosine is divided by.
    """

    name: ClassVar[str] = "item-knn"

    weights_: SparseWeights

    learned = (Inner("weights_", SparseWeights.empty),)

    def __init__(self, *, neighbours: int = 100, shrinkage: float = 20.0) -> None:
        self.neighbours = whole("neighbours", neighbours, 1)
        self.shrinkage = at_least("shrinkage", shrinkage, 0)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        item_users = csr_array(clicks.matrix.T.tocsr())
        index = SparseCosines(item_users, self.shrinkage)
        bands = []
        with stage("compare items", clicks.n_items, "items") as advance:
            for first in range(0, clicks.n_items, _BAND):
                similarities = index.similarities(item_users[first : first + _BAND])
                rows = np.arange(len(similarities))
                similarities[rows, first + rows] = 0
                bands.append(k_nearest(similarities, self.neighbours))
                advance(len(rows))
        self.weights_ = neighbour_weights(bands)
