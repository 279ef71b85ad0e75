"""By which scores of new items are multiplied for one user and for another.

A score of a known item and one of a new item both grow with a history, but not alike, and not for each user
alike: with one factor for all users, some get lists full of new items, others none, and how many stand in the
lists of later users is hardly known. So scores of new items are brought nearer to what the user's own best
known items score.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from isotherm.linalg.csr import rows_of
from isotherm.models.cold_start.calibration import K
from isotherm.ranking.topk import hide, top_k_each
from isotherm.state import Plain
from isotherm.types import Float32, Float64, Int64, ItemIndex, Scores, UserItems
from isotherm.untrusted import Number, Whole

OWN = 0.75  #: λ where it is in use: how far a user's own ratio counts
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
        is_cold = np.zeros(histories.shape[1], dtype=bool)
        is_cold[cold] = True
        rows = rows_of(histories)
        lengths = np.bincount(rows[~is_cold[histories.indices]], minlength=histories.shape[0])
        of_fit, n_known = is_cold.copy(), min(K, len(is_cold) - len(cold))
        of_fit[self.n_items :] = False
        if not self.own or not n_known or np.count_nonzero(of_fit) < LEAST_NEW_ITEMS:
            return self.factors(lengths, np.full(len(lengths), np.nan))
        seen = scores[rows, histories.indices]
        hide(scores, histories)
        known, new = top_k_each(scores, n_known, [~is_cold, of_fit])
        scores[rows, histories.indices] = seen
        return self.factors(lengths, own_ratios(known.scores[:, -1], new.scores[:, 0]))

    def scale(self, scores: Scores, histories: UserItems, cold: ItemIndex) -> Scores:
        """The scores, those of new items multiplied in place."""
        if len(cold) and not self.changes_nothing:
            scores[:, cold] *= self.of(scores, histories, cold)[:, None]
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
