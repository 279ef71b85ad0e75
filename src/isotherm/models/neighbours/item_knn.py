"""Item-based nearest neighbours on clicks: shrunk cosine between the click vectors of items."""

from typing import ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.checks import seeded
from isotherm.data import Interactions, Items
from isotherm.features.similarity import SparseCosines
from isotherm.linalg.csr import column_counts, select_columns
from isotherm.models.choice.hidden_clicks import HiddenClicks
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.item_weights import ItemItem, SparseWeights
from isotherm.models.neighbours.auto import (
    Neighbourhood,
    learn_neighbourhood,
    neighbours_setting,
    shrinkage_setting,
)
from isotherm.models.neighbours.top_neighbours import k_nearest, neighbour_weights
from isotherm.progress import stage
from isotherm.state import Inner, Plain
from isotherm.streams import stream
from isotherm.types import Float32, UserItems
from isotherm.untrusted import Number, Whole

_BAND = 1024  # items whose similarities are dense at one time
_MOST_ITEMS = 3_000  # that are compared to learn: the most clicked


class ItemKNN(ItemItem):
    """Scores an item by the similarities of its nearest neighbours among the clicked items.

    >>> from isotherm import Interactions, ItemKNN
    >>> from scipy.sparse import csr_array
    >>> x = csr_array([[1, 1, 0], [1, 1, 1], [1, 0, 0]])
    >>> clicks = Interactions.from_csr(x, ["ann", "bob", "cat"], ["tea", "cup", "pot"])
    >>> ItemKNN(shrinkage=0.0).fit(clicks).similar_items("tea")["item_id"].to_list()
    ['cup', 'pot']

    Parameters:
        neighbours (>= 1 or auto; default auto): the most similar items that an item keeps; the others count
            as 0; auto: what ranks clicks best that are hidden from some users.
        shrinkage (>= 0 or auto; default auto): added to the product of norms that a cosine is divided by;
            auto: chosen in the same way.
        seed (a whole number >= 0; default 0): of the hidden clicks.
    """

    name: ClassVar[str] = "item-knn"

    weights_: SparseWeights
    neighbours_: int  #: in use
    shrinkage_: float  #: in use

    learned = (
        Inner("weights_", SparseWeights.empty),
        Plain("neighbours_", Whole(1)),
        Plain("shrinkage_", Number(least=0)),
    )

    def __init__(
        self, *, neighbours: int | str = "auto", shrinkage: float | str = "auto", seed: int = 0
    ) -> None:
        self.neighbours = neighbours_setting(neighbours)
        self.shrinkage = shrinkage_setting(shrinkage)
        self.seed = seeded("seed", seed)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        self._choose(clicks.matrix)
        item_users = csr_array(clicks.matrix.T.tocsr())
        index = SparseCosines(item_users, self.shrinkage_)
        bands = []
        with stage("compare items", clicks.n_items, "items") as advance:
            for first in range(0, clicks.n_items, _BAND):
                similarities = index.similarities(item_users[first : first + _BAND])
                rows = np.arange(len(similarities))
                similarities[rows, first + rows] = 0
                bands.append(k_nearest(similarities, self.neighbours_))
                advance(len(rows))
        self.weights_ = neighbour_weights(bands)

    def _choose(self, user_items: UserItems) -> None:
        """Neighbours and shrinkage, from clicks (n_users, n_items)."""
        ndcg, squares = None, np.square(user_items.data, dtype=np.float64)
        if "auto" in (self.neighbours, self.shrinkage):
            top = np.sort(np.argsort(-column_counts(user_items), kind="stable")[:_MOST_ITEMS])
            sample = select_columns(user_items, top)
            hidden = HiddenClicks.of_some_users(sample, stream(self.seed, "hidden clicks"))
            if hidden is not None:
                ndcg = _HiddenRanking(hidden, hidden.without(sample)).ndcg
        chosen = learn_neighbourhood(self.neighbours, self.shrinkage, ndcg, float(squares.mean()))
        self.neighbours_, self.shrinkage_ = chosen.neighbours, chosen.shrinkage

    def learned_settings(self) -> dict[str, float]:
        """Neighbours and shrinkage where they were learned."""
        if not hasattr(self, "shrinkage_"):
            return {}
        chosen = Neighbourhood(self.neighbours_, self.shrinkage_)
        return chosen.settings_learned(self.neighbours, self.shrinkage)


class _HiddenRanking:
    """Ranks hidden clicks by similarities of what is left, which are made once.

    left: (n_users, n) clicks without the hidden ones.
    """

    def __init__(self, hidden: HiddenClicks, left: UserItems) -> None:
        item_users = csr_array(left.T.tocsr())
        self._hidden = hidden
        self._cosines = SparseCosines(item_users, 0.0).similarities(item_users)
        np.fill_diagonal(self._cosines, 0)
        squares = np.asarray(left.multiply(left).sum(axis=0), dtype=np.float64)
        self._norms: Float32 = np.sqrt(squares).astype(np.float32)

    def ndcg(self, tried: Neighbourhood) -> float:
        """s / (‖i‖‖j‖ + δ) is the cosine times ‖i‖‖j‖ / (‖i‖‖j‖ + δ)."""
        products = np.outer(self._norms, self._norms)
        np.divide(products, products + np.float32(tried.shrinkage), out=products, where=products > 0)
        weights = k_nearest(self._cosines * products, tried.neighbours)
        scores = (self._hidden.kept @ csr_array(weights.T)).toarray()
        return self._hidden.ndcg_of(np.ascontiguousarray(scores, dtype=np.float32))
