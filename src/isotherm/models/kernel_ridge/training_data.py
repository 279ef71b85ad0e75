"""What both regressions of kernel ridge learn from a click log: which items, and which numbers."""

from dataclasses import dataclass

import numpy as np

from isotherm.linalg.csr import column_counts
from isotherm.types import Float32, ItemIndex, UserItems

_ENOUGH_CLICKS = 21
_ADDED = 0.1  # of the mean clicks per item: added before the logarithm, so that rare items are no outliers


@dataclass(frozen=True, eq=False)
class TrainingData:
    """The training items and the targets in a click matrix (n_users, n_items) where every item is clicked.

    items: (n_training,) those whose clicks count: half of all at least, and all with more than 20 clicks.
    log_clicks: (n_items,) log(weight of the clicks + a tenth of the mean), centred over the training items.
    mean_length: mean clicks of the users who have any, whatever they weigh.

    An item with few clicks may be an old one that nobody wants or a new one that nobody was shown: what it
    says about the likes of it is little, and where it is new it is wrong.
    """

    items: ItemIndex
    log_clicks: Float32
    mean_length: float

    @classmethod
    def of(cls, user_items: UserItems) -> "TrainingData":
        """From a click matrix."""
        clicks, weights = column_counts(user_items), user_items.sum(axis=0, dtype=np.float64)
        items = np.flatnonzero(clicks >= min(_ENOUGH_CLICKS, float(np.median(clicks))))
        logs = np.log(weights + _ADDED * weights[items].mean())
        lengths = np.diff(user_items.indptr)
        return cls(
            items,
            np.asarray(logs - logs[items].mean(), dtype=np.float32),
            float(lengths[lengths > 0].mean()),
        )


def history_lengths(user_items: UserItems) -> Float32:
    """What the clicks of each user weigh, (n_users, 1)."""
    return np.asarray(user_items.sum(axis=1), dtype=np.float32).reshape(-1, 1)


def random_rows(n: int, most: int, rng: np.random.Generator) -> ItemIndex:
    """At most ``most`` of range(n), ascending."""
    return np.sort(rng.permutation(n)[:most])
