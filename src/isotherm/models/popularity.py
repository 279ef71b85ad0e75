"""The most clicked items for everybody: the floor that every other model must beat."""

from typing import ClassVar

import numpy as np

from isotherm.data import Interactions, Items
from isotherm.models.base import Recommender
from isotherm.models.fit_inputs import FitOptions
from isotherm.state import Dense
from isotherm.types import Float32, Scores, UserItems


class Popularity(Recommender):
    """Scores an item by its number of clicks."""

    name: ClassVar[str] = "popularity"

    item_clicks_: Float32  #: (n_items,)

    learned = (Dense("item_clicks_", np.float32, ("n_items",), least=0),)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        self.item_clicks_ = clicks.item_clicks().astype(np.float32)

    def _score(self, user_items: UserItems) -> Scores:
        """Click counts, the same row for each user."""
        return np.tile(self.item_clicks_, (user_items.shape[0], 1))
