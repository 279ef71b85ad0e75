"""Pseudo-cold items: clicked items that are hidden whole and play new ones.

What a model that must rank brand-new items leaves open is chosen by how well it ranks these. Some clicks of
the other items are hidden too, so that cold and warm items are found in one list.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.linalg.csr import column_counts, filter_entries, select_columns
from isotherm.types import Int64, ItemIndex, UserItems

HIDDEN_SHARE = 0.2  # of items, and of the other items' clicks: hidden clicks of both kinds count alike
_MOST_USERS = 10_000


@dataclass(frozen=True, eq=False)
class PseudoColdSplit:
    """A seeded draw of hidden items and hidden clicks.

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
    >>> split = PseudoColdSplit.draw(csr_array(np.ones((4, 10), dtype=np.float32)), seed=0)
    >>> len(split.hidden_items), split.kept_clicks.shape, split.train.nnz + split.targets.nnz
    (2, (4, 8), 40)

    hidden_items, kept_items: item columns; kept ones still have a click, and an item may be neither.
    train: (n_users, n_items) the clicks left, none on a hidden item.
    test_users: rows of the users with clicks left and clicks hidden (a sample of many).
    targets: (n_test_users, n_items) their hidden clicks.
    """

    hidden_items: ItemIndex
    kept_items: ItemIndex
    train: UserItems
    test_users: Int64
    targets: UserItems

    @classmethod
    def draw(
        cls, user_items: UserItems, seed: int, most_users: int = _MOST_USERS
    ) -> "PseudoColdSplit | None":
        """From (n_users, n_items) clicks where every item is clicked; None where no user can be tested."""
        rng = np.random.default_rng(seed)
        n_items = user_items.shape[1]
        hidden = np.sort(rng.permutation(n_items)[: max(1, round(HIDDEN_SHARE * n_items))])
        held_out = np.isin(user_items.indices, hidden) | (rng.random(user_items.nnz) < HIDDEN_SHARE)
        train, targets = filter_entries(user_items, ~held_out), filter_entries(user_items, held_out)
        kept = np.flatnonzero(column_counts(train))
        users = np.flatnonzero((np.diff(train.indptr) > 0) & (np.diff(targets.indptr) > 0))
        if not len(users):
            return None
        if len(users) > most_users:
            users = np.sort(rng.choice(users, most_users, replace=False))
        return cls(hidden, kept, train, users, targets[users])

    @property
    def kept_clicks(self) -> UserItems:
        """(n_users, n_kept), what a model is fitted on."""
        return select_columns(self.train, self.kept_items)

    @property
    def histories(self) -> UserItems:
        """(n_test_users, n_kept), what the hidden items are ranked by."""
        return select_columns(self.train[self.test_users], self.kept_items)
