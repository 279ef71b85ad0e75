"""Pseudo-cold items: clicked items that are hidden whole and play new ones.

What a model that must rank brand-new items leaves open is chosen by how well it ranks these. Some clicks of
the other items are hidden too, so that cold and warm items are found in one list. Hidden are items drawn at
random or, where the log has times, the items that came last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isotherm.data import Interactions
from isotherm.linalg.csr import column_counts, filter_entries, ranks_within, rows_of, select_columns
from isotherm.progress import note
from isotherm.streams import stream
from isotherm.types import Array, Int64, ItemIndex, UserItems

HIDDEN_SHARE = 0.2  # of items, and of the other items' clicks: hidden clicks of both kinds count alike
_MOST_USERS = 10_000
CUTS = (0.7, 0.8, 0.9)  #: shares of the log that are known at the cuts in time
_MOST_USERS_IN_TIME = 1_000  # who are tested at a cut
_LEAST_USERS = 30  # of a cut in time: with fewer, or fewer targets on new items, it says nothing
_LEAST_NEW_TARGETS = 50
_TARGET_SHARE = 0.3  # of a user's clicks, the last ones
# said where no cut in time tells how new items come
_TOO_FEW_IN_TIME = "too few users, or clicks on new items, in the latest clicks to learn from"
_NO_TIMES = "the log has no times"
_PRIOR = "new items score as a random fifth of the items would"


@dataclass(frozen=True, eq=False)
class PseudoColdSplit:
    """Hidden items and hidden clicks: a seeded draw, or what came after a cut in time.

    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
    >>> split = PseudoColdSplit.draw(csr_array(np.ones((4, 10), dtype=np.float32)), seed=0)
    >>> len(split.hidden_items), split.kept_clicks.shape, split.train.nnz + split.targets.nnz
    (2, (4, 8), 40)

    hidden_items, kept_items: item columns; kept ones still have a click, and an item may be neither.
    train: (n_users, n_items) the clicks left, none on a hidden item.
    test_users: rows of the users with clicks known and clicks to find (a sample of many).
    known: (n_test_users, n_items) their clicks by which the others are to be found; of a draw those of train,
    after a cut in time also later ones, on hidden items too.
    targets: (n_test_users, n_items) their clicks to find.
    train_times: of the clicks of train, in the order of its data; None of a draw.
    """

    hidden_items: ItemIndex
    kept_items: ItemIndex
    train: UserItems
    test_users: Int64
    known: UserItems
    targets: UserItems
    train_times: Array | None = None

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
        return cls(hidden, kept, train, users, train[users], targets[users])

    @classmethod
    def at_cut(
        cls, user_items: UserItems, times: Array, cut: float, seed: int, most_users: int = _MOST_USERS
    ) -> "PseudoColdSplit | None":
        """What a model that was fitted at a cut in time would have met.

        times: of each click, in the order of ``user_items.data``.  cut: the share of the clicks before it.
        Hidden are the items whose first click came after it. To find are the last 30% of the clicks of each
        user, as far as they came after it, by the user's earlier ones.
        None where users or targets on new items are too few to learn from.
        """
        rng = stream(seed, "a cut in time")
        lots = rng.random(user_items.nnz)  # of clicks of one moment
        ranks = np.empty(user_items.nnz, dtype=np.int64)
        ranks[np.lexsort([lots, times])] = np.arange(user_items.nnz)
        before = ranks < cut * user_items.nnz
        rows, lengths = rows_of(user_items), np.diff(user_items.indptr)
        last = ranks_within(rows, ranks) >= (1 - _TARGET_SHARE) * lengths[rows]
        train, to_find = filter_entries(user_items, before), last & ~before
        targets, known = filter_entries(user_items, to_find), filter_entries(user_items, ~to_find)
        counts = column_counts(train)
        kept, hidden = np.flatnonzero(counts), np.flatnonzero(counts == 0)
        on_kept = np.diff(select_columns(known, kept).indptr) > 0
        users = np.flatnonzero(on_kept & (np.diff(targets.indptr) > 0))
        n_new_targets = np.count_nonzero(np.isin(targets[users].indices, hidden))
        if len(users) < _LEAST_USERS or n_new_targets < _LEAST_NEW_TARGETS:
            return None
        if len(users) > most_users:
            users = np.sort(rng.choice(users, most_users, replace=False))
        return cls(hidden, kept, train, users, known[users], targets[users], times[before])

    @property
    def kept_clicks(self) -> UserItems:
        """(n_users, n_kept), what a model is fitted on."""
        return select_columns(self.train, self.kept_items)

    @property
    def histories(self) -> UserItems:
        """(n_test_users, n_kept), what the hidden items are ranked by."""
        return select_columns(self.known, self.kept_items)

    @property
    def known_hidden(self) -> UserItems:
        """(n_test_users, n_hidden), hidden items that the test users have clicked already."""
        return select_columns(self.known, self.hidden_items)

    @property
    def new_item_share(self) -> float:
        """The share of the clicks to find that fall on hidden items."""
        return float(np.isin(self.targets.indices, self.hidden_items).mean())


def splits_in_time(
    user_items: UserItems, times: Array | None, seed: int, most_users: int = _MOST_USERS
) -> Sequence[PseudoColdSplit]:
    """At each of ``CUTS``, those that say something; none where the log has no times."""
    if times is None:
        return []
    splits = (PseudoColdSplit.at_cut(user_items, times, cut, seed, most_users) for cut in CUTS)
    return [split for split in splits if split is not None]


def cuts_of_log(
    model: str, clicks: Interactions, user_items: UserItems, seed: int
) -> Sequence[PseudoColdSplit]:
    """The same for a model, which notes why where no cut says something.

    user_items: ``clicks`` on the items that the model is fitted on.  model: its name.
    """
    if clicks.hidden_at_random:
        return []
    times = clicks.click_times()
    cuts = splits_in_time(user_items, times, seed, _MOST_USERS_IN_TIME)
    if not cuts:
        note(f"{model}: {_NO_TIMES if times is None else _TOO_FEW_IN_TIME}; {_PRIOR}")
    return cuts
