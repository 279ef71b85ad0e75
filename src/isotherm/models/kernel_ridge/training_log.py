"""The clicks of a fit beside the metadata of their items and of those that nobody has clicked."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.data import Interactions
from isotherm.data.click_ranks import item_click_ranks
from isotherm.features.encoded_items import EncodedItems
from isotherm.linalg.csr import select_columns, with_data
from isotherm.models.kernel_ridge.training_data import TrainingData
from isotherm.streams import stream
from isotherm.types import ItemIndex, UserItems


@dataclass(frozen=True, eq=False)
class TrainingLog:
    """A click log of n_items items, split into clicked and never-clicked ones.

    warm, cold: (n_warm,) and (n_cold,) item columns.  user_items: (n_users, n_warm) clicks.
    encoded, cold_encoded: metadata of the warm and of the cold items.  training: what the regressions learn.
    """

    n_items: int
    warm: ItemIndex
    user_items: UserItems
    encoded: EncodedItems
    training: TrainingData
    cold: ItemIndex
    cold_encoded: EncodedItems

    @classmethod
    def of(cls, clicks: Interactions, encoded: EncodedItems) -> "TrainingLog":
        """encoded: metadata of all items of ``clicks``."""
        counts = clicks.item_clicks()
        warm, cold = np.flatnonzero(counts), np.flatnonzero(counts == 0)
        user_items = select_columns(clicks.matrix, warm)
        training = TrainingData.of(user_items)
        return cls(clicks.n_items, warm, user_items, encoded.take(warm), training, cold, encoded.take(cold))

    def click_order(self, clicks: Interactions, seed: int) -> "ClickOrder":
        """By time where the log has it, else drawn."""
        return ClickOrder(self.user_items, clicks.timestamps, seed)


@dataclass(frozen=True, eq=False)
class ClickOrder:
    """In which order the clicks of an item came.

    user_items: (n_users, n).  timestamps: of each click, None where the order is drawn.  seed: of the lots
    among clicks of one moment.
    """

    user_items: UserItems
    timestamps: pl.Series | None
    seed: int

    def ranks(self, items: ItemIndex) -> UserItems:
        """(n_users, len(items)) the rank of each click, from 1, among its item's.  items: ascending."""
        chosen = np.zeros(self.user_items.shape[1], dtype=bool)
        chosen[items] = True
        entries = chosen[self.user_items.indices]
        times = None if self.timestamps is None else self.timestamps.filter(pl.Series(entries))
        clicks = select_columns(self.user_items, items)
        ranks = item_click_ranks(clicks, stream(self.seed, "places of clicks"), times) + 1
        return with_data(clicks, ranks.astype(np.float32))
