"""Clicks of some users that are hidden, and how well scores rank them: what settings are chosen by."""

from dataclasses import dataclass, replace

import numpy as np

from isotherm.data.click_ranks import user_click_ranks
from isotherm.linalg.csr import filter_entries, rows_of, take_rows
from isotherm.ranking.metrics import ndcg, rank_hits
from isotherm.ranking.topk import hide, top_k
from isotherm.types import Int64, Scores, UserItems

CUTS = (10, 100)  #: of the nDCG: the mean of both
_USERS = (500, 5_000)  # at least and at most, where there are so many
_CLICKS = 50_000  # of these users, about
_HIDDEN = 0.2  # of a user's clicks


@dataclass(frozen=True, eq=False)
class HiddenClicks:
    """Clicks of some users, parted into kept and hidden ones.

    users: (n,) their rows.  kept, hidden: (n, n_items), in this order.
    """

    users: Int64
    kept: UserItems
    hidden: UserItems

    @classmethod
    def of_some_users(cls, user_items: UserItems, rng: np.random.Generator) -> "HiddenClicks | None":
        """A fifth of the clicks of 500 to 5,000 users, who hold about 50,000; None where nobody has two."""
        users = np.flatnonzero(np.diff(user_items.indptr) > 1)
        if not len(users):
            return None
        most = int(np.clip(_CLICKS * len(users) / user_items.nnz, *_USERS))
        if len(users) > most:
            users = np.sort(rng.choice(users, most, replace=False))
        drawn = cls.draw(take_rows(user_items, users)[0], _HIDDEN, rng)
        return replace(drawn, users=users)

    @classmethod
    def draw(cls, clicks: UserItems, share: float, rng: np.random.Generator) -> "HiddenClicks":
        """Hide a share of each user's clicks, at least one and never all.  clicks: two a user at least."""
        n_clicks = np.diff(clicks.indptr)
        n_hidden = np.clip(np.rint(share * n_clicks), 1, n_clicks - 1)
        hidden = user_click_ranks(clicks, rng) < n_hidden[rows_of(clicks)]
        users = np.arange(len(n_clicks))
        return cls(users, filter_entries(clicks, ~hidden), filter_entries(clicks, hidden))

    def ndcg_of(self, scores: Scores) -> float:
        """The mean over users of the same two, by scores (n, n_items) of the kept clicks; overwritten."""
        hide(scores, self.kept)
        hits = rank_hits(top_k(scores, min(CUTS[-1], scores.shape[1])).columns, self.hidden)
        n_hidden = np.diff(self.hidden.indptr)
        return float(np.mean([ndcg(hits, n_hidden, cut).mean() for cut in CUTS]))

    def without(self, user_items: UserItems) -> UserItems:
        """The clicks (n_users, n_items) that these were drawn from, less the hidden ones."""
        users = self.users[rows_of(self.hidden)]
        cells = users * np.int64(user_items.shape[1]) + self.hidden.indices
        all_cells = rows_of(user_items) * np.int64(user_items.shape[1]) + user_items.indices
        return filter_entries(user_items, ~np.isin(all_cells, cells, assume_unique=True))
