"""The most clicked items for everybody: the floor that every other model must beat."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data import Interactions, Items
from isotherm.models.base import Recommender


class Popularity(Recommender):
    """Scores an item by its number of clicks."""

    name: ClassVar[str] = "popularity"

    item_clicks_: NDArray[np.float32]

    def _fit(self, clicks: Interactions, items: Items | None) -> None:
        self.item_clicks_ = clicks.item_clicks().astype(np.float32)

    def _score(self, user_items: csr_array) -> NDArray[np.float32]:
        """Click counts, the same row for each user."""
        return np.tile(self.item_clicks_, (user_items.shape[0], 1))

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Click counts."""
        return {"item_clicks": self.item_clicks_}, {}

    def restore(self, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""
        self.item_clicks_ = arrays["item_clicks"]
