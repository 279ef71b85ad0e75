"""By which scores of new items are multiplied for one user and for another.

A score of a known item and one of a new item both grow with a history, but not alike, and not for each user
alike: with one factor for all users, some get lists full of new items, others none, and how many stand in the
lists of later users is hardly known. So scores of new items are brought nearer to what the user's own best
known items score.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from isotherm.kernels import kernel
from isotherm.models.cold_start.calibration import K
from isotherm.state import Plain
from isotherm.threads import run_bands
from isotherm.types import Array, Float32, Float64, Int64, ItemIndex, Scores, UserItems
from isotherm.untrusted import Number, Whole

OWN = 0.75  #: λ where it is in use: how far a user's own ratio counts
_KNOWN, _NEW, _ADDED = np.uint8(0), np.uint8(1), np.uint8(2)  # kinds of items; the last, after the fit
LEAST_NEW_ITEMS = 20  #: of fewer new items no ratio is taken, and no share of lists can be given to them


@dataclass(frozen=True)
class UserScaling:
    """Scores of new items are multiplied by (n / n̄)^−b(1 − λ) · (r / r̄)^λ for a user of n clicks.

    r is the user's own ratio: the score of the 10th best known item over that of the best new one, among
    those that the user has not clicked. Where either is not above 0, r counts as r̄. New items that are added
    after a fit do not count in r, so they change no other score.

    exponent: b.  mean_clicks: n̄.  own: λ in [0, 1].  typical: r̄.  n_items: of the catalogue at the fit.

    >>> import numpy as np
    >>> from isotherm.models.cold_start.user_scaling import UserScaling
    >>> UserScaling(exponent=0.5, mean_clicks=16.0).factors(np.array([4, 16, 64]), np.ones(3))
    array([2. , 1. , 0.5], dtype=float32)
    >>> UserScaling(own=0.5, typical=1.0).factors(np.array([9, 9]), np.array([4.0, np.nan]))
    array([2., 1.], dtype=float32)
    """

    exponent: float = 0.0
    mean_clicks: float = 1.0
    own: float = 0.0
    typical: float = 1.0
    n_items: int = 0

    @property
    def changes_nothing(self) -> bool:
        """Whether all factors are 1."""
        return self.exponent == 0 and self.own == 0

    def after(self, factor: float) -> "UserScaling":
        """The same where scores of new items have been multiplied by ``factor`` already."""
        return replace(self, typical=self.typical / factor)

    def at(self, n_items: int) -> "UserScaling":
        """The same for a catalogue of so many items at a fit or refit."""
        return replace(self, n_items=n_items)

    def factors(self, lengths: Int64, ratios: Float64) -> Float32:
        """Of users with n = ``lengths`` and r = ``ratios``, NaN where there is none; both (n_users,)."""
        by_length = (np.maximum(lengths, 1) / self.mean_clicks) ** (-self.exponent * (1 - self.own))
        own = np.where(np.isnan(ratios), 1.0, ratios / self.typical) ** self.own
        return np.asarray(by_length * own, dtype=np.float32)

    def of(self, scores: Scores, histories: UserItems, cold: ItemIndex) -> Float32:
        """Of histories (n_users, n_items) with these scores, C order, of which ``cold`` are the new items.

        Clicks on new items do not count in n.
        """
        if self.changes_nothing:
            return np.ones(len(scores), dtype=np.float32)
        kinds = np.full(histories.shape[1], _KNOWN, dtype=np.uint8)
        kinds[cold] = _ADDED
        of_fit = cold[cold < self.n_items]
        kinds[of_fit] = _NEW
        n_known = min(K, len(kinds) - len(cold)) if self.own and len(of_fit) >= LEAST_NEW_ITEMS else 0
        known, new = (np.full(len(scores), np.nan, dtype=np.float32) for _ in range(2))
        lengths = np.zeros(len(scores), dtype=np.int64)
        clicks = histories.indptr, histories.indices
        run_bands(_find_best, len(scores), scores, *clicks, kinds, n_known, known, new, lengths, smallest=64)
        return self.factors(lengths, own_ratios(known, new))

    def scale(self, scores: Scores, histories: UserItems, cold: ItemIndex) -> Scores:
        """The scores, those of new items multiplied in place."""
        if len(cold) and not self.changes_nothing:
            factors = self.of(scores, histories, cold)
            run_bands(_multiply, len(scores), scores, cold, factors, smallest=64)
        return scores

    @staticmethod
    def state(name: str) -> Plain:
        """How it is saved."""
        schema = {
            "exponent": Number(least=0, most=1),
            "mean_clicks": Number(above=0),
            "own": Number(least=0, most=1),
            "typical": Number(above=0),
            "n_items": Whole(0),
        }
        return Plain(name, schema, asdict, _scaling_of)


def own_share(n_new: int) -> float:
    """λ for so many new items."""
    return OWN if n_new >= LEAST_NEW_ITEMS else 0.0


def _scaling_of(given: Any) -> UserScaling:
    return UserScaling(**given)


def own_ratios(known: Float32, new: Float32) -> Float64:
    """r of users by the scores of the 10th best known and the best new item; NaN where one is not above 0."""
    usable = np.isfinite(known) & np.isfinite(new) & (known > 0) & (new > 0)
    ratios = np.full(len(known), np.nan)
    ratios[usable] = known[usable].astype(np.float64) / new[usable]
    return ratios


@kernel
def _find_best(
    first: int,
    last: int,
    scores: Array,
    starts: Array,
    items: Array,
    kinds: Array,
    n_known: int,
    known: Array,
    new: Array,
    lengths: Array,
) -> None:
    """Of what a user has not clicked, the ``n_known``-th best known and the best new score of the fit.

    Where ``n_known`` is 0, they are left as they are.  lengths: clicks on known items.
    """
    best = np.empty(n_known, np.float32)
    for u in range(first, last):
        clicked, row = items[starts[u] : starts[u + 1]], scores[u]
        for column in clicked:
            lengths[u] += kinds[column] == _KNOWN
        if n_known == 0:
            continue
        seen = row[clicked]
        row[clicked] = -np.inf
        best[:] = -np.inf
        highest, threshold = np.float32(-np.inf), np.float32(-np.inf)
        for j in range(len(row)):
            score, kind = row[j], kinds[j]
            if kind == _KNOWN and score > threshold:
                place = n_known - 1
                while place > 0 and best[place - 1] < score:
                    best[place] = best[place - 1]
                    place -= 1
                best[place] = score
                threshold = best[n_known - 1]
            elif kind == _NEW and score > highest:
                highest = score
        row[clicked] = seen
        known[u], new[u] = threshold, highest


@kernel
def _multiply(first: int, last: int, scores: Array, columns: Array, factors: Array) -> None:
    """Scores of the columns by each user's factor."""
    for u in range(first, last):
        for column in columns:
            scores[u, column] *= factors[u]
