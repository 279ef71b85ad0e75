"""How an item that gets its first clicks moves from its metadata to its own evidence.

With n clicks, the prior column c from metadata and EASE's column e, both at EASE's scale,

    θ = ℓ·((1 − w)·c + w·max(1, ρ/n)·e),   w = 1 − exp(−n/κ),   ℓ = f + (1 − f)·min(1, n/ρ),   f = exp(−n/φ).

e grows with n and is faint at first; ρ is the number of clicks at which it is as loud as c, so the bracket is
a mixture of two equals, and κ says how soon own evidence has the word. ℓ is how loudly the item speaks. A new
item keeps the voice that its metadata gave it; an old one that few people ever clicked must speak as faintly
as EASE makes it. A log without dates cannot tell them apart: φ is the longest patience that warm items can
bear. No step anywhere: without clicks θ is c, and after many it is e.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data.interactions import with_entries
from isotherm.models.calibration import ranking_quality
from isotherm.ranking.topk import hide

SETTLED = 0.98  #: w from which a column is left as EASE's
MANY_CLICKS = 256  #: more than any pace takes to settle
_STEPS = (1, 2, 5, 10, 20)
_PACES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_PATIENCES = (8.0, 4.0, 2.0, 1.0, 0.5)
_LEAST_PATIENCE = 0.25
_LOUD_AT = 10
_BEARABLE = 0.99  # of EASE's ndcg@10 on warm items

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class WarmUp:
    """pace: κ.  patience: φ.  parity: ρ, all in clicks."""

    pace: float = 4.0
    patience: float = _LEAST_PATIENCE
    parity: float = 1.0

    def evidence(self, clicks: NDArray[np.float32]) -> NDArray[np.float64]:
        """w."""
        return np.asarray(-np.expm1(-np.asarray(clicks, dtype=np.float64) / self.pace))

    def blended(self, prior: Floats, own: Floats, clicks: NDArray[np.float32]) -> Floats:
        """θ (n_rows, n_items) from c and e of the same shape, and n (n_items,)."""
        n = np.asarray(clicks, dtype=np.float64)
        w, fresh = self.evidence(clicks), np.exp(-n / self.patience)
        voice = fresh + (1 - fresh) * np.minimum(1, n / self.parity)
        raised = np.where(n > 0, np.maximum(1, self.parity / np.maximum(n, 1e-9)), 0)
        theta: Floats = prior * (voice * (1 - w)).astype(np.float32)
        theta += own * (voice * w * raised).astype(np.float32)
        return theta


@dataclass(frozen=True)
class Ramp:
    """Hidden items that will be given some of their clicks.

    prior: c (n_kept, n_hidden).  hidden_clicks: (n_users, n_hidden) CSR.  kept_clicks: (n_users, n_kept) CSR.
    weights, inverse_diagonal: EASE's B and diag(P) on the kept items.  tested: the users to rank for.
    """

    prior: Floats
    hidden_clicks: csr_array
    kept_clicks: csr_array
    weights: Floats
    inverse_diagonal: Floats
    tested: NDArray[np.int64]

    def own(self, given: csr_array) -> Floats:
        """EASE's columns of the hidden items after the clicks ``given`` (n_users, n_hidden), each added alone.

        Regressing a new column x on the kept items is P·Xᵀx, with P = (I − B)·diag(p).
        """
        together = np.asarray((self.kept_clicks.T @ given).toarray(), dtype=np.float32)
        together *= self.inverse_diagonal[:, None]
        return together - self.weights @ together


@dataclass(frozen=True)
class Old:
    """Scores of kept items, some of which have few clicks: those must not be lifted over the others.

    scores: EASE's (n_tested, n_kept), -inf where seen.  few: columns of the items with few clicks.
    clicks: of those.  prior: their scores from metadata (n_tested, n_few), each without itself.
    targets: (n_tested, n_kept) CSR.
    """

    scores: Floats
    few: NDArray[np.int64]
    clicks: NDArray[np.float32]
    prior: Floats
    targets: csr_array

    def quality(self, warm_up: WarmUp | None) -> float:
        """ndcg@10 with the few blended; EASE's for None."""
        scores = self.scores
        if warm_up is not None:
            own = scores[:, self.few]
            blended = warm_up.blended(self.prior, np.where(np.isfinite(own), own, 0), self.clicks)
            scores = scores.copy()
            scores[:, self.few] = np.where(np.isfinite(own), blended, -np.inf)
        return ranking_quality(scores, self.targets)


def chosen_warm_up(ramp: Ramp, old: Old, seed: int) -> WarmUp:
    """κ with the best mean ndcg@10 of the hidden items among themselves after 1, 2, 5, 10 and 20 clicks.

    It and φ are the largest of their kind that leave EASE's warm ranking what it is, within 1%.
    """
    rng = np.random.default_rng(seed)
    histories = ramp.kept_clicks[ramp.tested]
    prior = histories @ ramp.prior
    counts = np.bincount(ramp.hidden_clicks.indices, minlength=ramp.prior.shape[1])
    place = _order(ramp.hidden_clicks, rng)
    stages = []
    for n in _STEPS:
        most = np.minimum(n, counts - 1)
        drawn = place < most[ramp.hidden_clicks.indices]
        given, left = (with_entries(ramp.hidden_clicks, chosen) for chosen in (drawn, ~drawn))
        own = histories @ ramp.own(given)
        stages.append((np.maximum(most, 0).astype(np.float32), given[ramp.tested], left[ramp.tested], own))
    clicks, _, _, own = stages[_STEPS.index(_LOUD_AT)]
    many = clicks == _LOUD_AT
    if not many.any():
        return WarmUp()
    loud, faint = (float(np.sqrt(np.square(scores[:, many]).mean())) for scores in (prior, own))
    parity = float(np.clip(_LOUD_AT * loud / max(faint, 1e-30), 1.0, 1e6))
    bearable = _BEARABLE * old.quality(None)
    found, best_quality = WarmUp(_PACES[0], _LEAST_PATIENCE, parity), -1.0
    for pace in _PACES:
        tried = WarmUp(pace, _LEAST_PATIENCE, parity)
        quality = 0.0
        for clicks, given, left, own in stages:
            scores = tried.blended(prior, own, clicks)
            hide(scores, given)
            quality += ranking_quality(scores, left)
        if quality > best_quality * (1 + 1e-3) and old.quality(tried) >= bearable:
            found, best_quality = tried, quality
    for patience in _PATIENCES:
        tried = replace(found, patience=patience)
        if old.quality(tried) >= bearable:
            return tried
    return found


def _order(clicks: csr_array, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each entry of a CSR matrix its place, from 0, in a random order of its column's entries."""
    lots = rng.permutation(clicks.nnz)
    order = np.lexsort((lots, clicks.indices))
    starts = np.concatenate([[0], np.cumsum(np.bincount(clicks.indices, minlength=clicks.shape[1]))])
    place = np.empty(clicks.nnz, dtype=np.int64)
    place[order] = np.arange(clicks.nnz) - np.repeat(starts[:-1], np.diff(starts))
    return place
