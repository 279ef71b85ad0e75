"""The clicks that MARec learns from: those of a catalogue, without the items that have none."""

from dataclasses import dataclass

import numpy as np

from isotherm.data import Interactions
from isotherm.linalg.csr import row_blocks, select_columns
from isotherm.linalg.gram import gram
from isotherm.types import Float32, Int64, ItemIndex, UserItems


@dataclass(frozen=True, eq=False)
class WarmClicks:
    """Clicks of the warm items, and which items are warm.

    n_items: of the catalogue.  columns, cold: its items with clicks, (n_warm,), and without, (n_cold,).
    counts: (n_warm,) users who clicked each.  user_items: X, (n_users, n_warm).  gram: XᵀX, (n_warm, n_warm).
    """

    n_items: int
    columns: ItemIndex
    cold: ItemIndex
    counts: Int64
    user_items: UserItems
    gram: Float32

    @classmethod
    def of(cls, clicks: Interactions) -> "WarmClicks":
        """Of clicks over the whole catalogue."""
        counts = clicks.item_clicks()
        warm = np.flatnonzero(counts)
        user_items = select_columns(clicks.matrix, warm)
        product = gram(row_blocks(user_items, len(clicks.users)), len(warm))
        return cls(clicks.n_items, warm, np.flatnonzero(counts == 0), counts[warm], user_items, product)
