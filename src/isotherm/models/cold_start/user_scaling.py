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
_CHUNK = 64  # scores that are looked at together
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
        n_known = min(K, histories.shape[1] - len(cold)) if self.own else 0
        lengths, ratios = np.empty(len(scores), dtype=np.int64), np.empty(len(scores))
        clicks = histories.indptr, histories.indices
        arguments = scores, *clicks, cold, self.n_items, n_known, lengths, ratios
        run_bands(_measure_users, len(scores), *arguments, smallest=64)
        return self.factors(lengths, ratios)

    def scale(self, scores: Scores, histories: UserItems, cold: ItemIndex) -> Scores:
        """The scores, those of new items multiplied in place."""
        if len(cold) and not self.changes_nothing:
            factors = self.of(scores, histories, cold)
            scale_columns(scores, cold, factors)
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


def scale_columns(scores: Scores, columns: ItemIndex, factors: Float32) -> None:
    """Multiply the scores of these columns by each user's factor, (n_users,), in place."""
    run_bands(_multiply, len(scores), scores, columns, factors, smallest=64)


@kernel
def _measure_users(
    first: int,
    last: int,
    scores: Array,
    starts: Array,
    items: Array,
    cold: Array,
    n_fitted: int,
    n_known: int,
    lengths: Array,
    ratios: Array,
) -> None:
    """Fill in n and r of each user, (n_users,): r is of the ``n_known``-th best known item.

    n_fitted: items of the fit.  r is NaN where ``n_known`` is 0 or the fit had too few new items.
    """
    kinds = np.zeros(scores.shape[1], np.uint8)
    n_new = 0
    for column in cold:
        kinds[column] = _NEW if column < n_fitted else _ADDED
        n_new += column < n_fitted
    ordered = np.empty(n_known, np.float32)
    for u in range(first, last):
        clicked, row = items[starts[u] : starts[u + 1]], scores[u]
        lengths[u] = 0
        for column in clicked:
            lengths[u] += kinds[column] == _KNOWN
        if n_known == 0 or n_new < LEAST_NEW_ITEMS:
            ratios[u] = np.nan
            continue
        seen = row[clicked]
        row[clicked] = -np.inf
        ratios[u] = _own_ratio(_nth_known(row, kinds, ordered), _best_new(row, cold, n_fitted))
        row[clicked] = seen


@kernel
def own_ratios(known: Float32, new: Float32) -> Float64:
    """r of users by the scores of the 10th best known and the best new item; NaN where one is not above 0."""
    ratios = np.empty(len(known), np.float64)
    for u in range(len(known)):
        ratios[u] = _own_ratio(known[u], new[u])
    return ratios


@kernel
def _own_ratio(known: Any, new: Any) -> Any:
    """NaN where a score is not above 0, or infinite."""
    usable = 0 < known < np.inf and 0 < new < np.inf
    return np.float64(known) / np.float64(new) if usable else np.nan


@kernel
def _nth_known(row: Array, kinds: Array, ordered: Array) -> Any:
    """The lowest of as many best scores of known items as ``ordered`` takes."""
    ordered[:] = -np.inf
    threshold = np.float32(-np.inf)
    for start in range(0, len(row), _CHUNK):
        end = min(start + _CHUNK, len(row))
        if not _count_above(row[start:end], kinds[start:end], threshold):
            continue
        for j in range(start, end):
            score = row[j]
            if kinds[j] == _KNOWN and score > threshold:
                place = len(ordered) - 1
                while place > 0 and ordered[place - 1] < score:
                    ordered[place] = ordered[place - 1]
                    place -= 1
                ordered[place] = score
                threshold = ordered[-1]
    return threshold


@kernel
def _count_above(row: Array, kinds: Array, threshold: Any) -> Any:
    count = np.int32(0)
    for j in range(len(row)):
        count += np.int32((row[j] > threshold) & (kinds[j] == _KNOWN))
    return count


@kernel
def _best_new(row: Array, cold: Array, n_fitted: int) -> Any:
    highest = np.float32(-np.inf)
    for column in cold:
        if column < n_fitted and row[column] > highest:
            highest = row[column]
    return highest


@kernel
def _multiply(first: int, last: int, scores: Array, columns: Array, factors: Array) -> None:
    """Scores of the columns by each user's factor."""
    for u in range(first, last):
        for column in columns:
            scores[u, column] *= factors[u]
