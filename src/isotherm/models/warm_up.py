"""How an item that gets its first clicks moves from its metadata to its own evidence.

With n clicks, the prior column c from metadata and EASE's column e, both at EASE's scale,

    θ = (1 − w)·c + w·(1 + (1 − w)·(max(1, ρ/n) − 1))·e,   w = 1 − exp(−n/κ).

e grows with n and is faint at first, for EASE takes every absent click as a refusal; an item that is new was
not refused. So its own evidence is heard as that of an item with ρ clicks until it has settled: ρ is where
both are equally loud. No step anywhere: w is 0 without clicks, and θ is EASE's column once n is some κ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data.interactions import with_entries
from isotherm.ranking.topk import hide

SETTLED = 0.98  #: w from which a column is left as EASE's
_STEPS = (1, 2, 5, 10, 20)
_PACES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_LOUD_AT = 10

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class WarmUp:
    """pace: κ.  parity: ρ, both in clicks."""

    pace: float = 4.0
    parity: float = 1.0

    def evidence(self, clicks: NDArray[np.float32]) -> NDArray[np.float64]:
        """w."""
        return np.asarray(-np.expm1(-np.asarray(clicks, dtype=np.float64) / self.pace))

    def blended(self, prior: Floats, own: Floats, clicks: NDArray[np.float32]) -> Floats:
        """θ (n_rows, n_items) from c and e of the same shape, and n (n_items,)."""
        w = self.evidence(clicks)
        raised = np.maximum(1.0, self.parity / np.maximum(clicks, 1e-9)) - 1
        theta: Floats = prior * (1 - w).astype(np.float32)
        theta += own * (w * (1 + (1 - w) * np.where(clicks > 0, raised, 0))).astype(np.float32)
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


def chosen_warm_up(ramp: Ramp, seed: int) -> WarmUp:
    """κ with the best mean ndcg@10 of the hidden items among themselves after 1, 2, 5, 10 and 20 clicks."""
    from isotherm.models.kernel_scales import ranking_quality

    rng = np.random.default_rng(seed)
    histories = ramp.kept_clicks[ramp.tested]
    prior = histories @ ramp.prior
    counts = np.bincount(ramp.hidden_clicks.indices, minlength=ramp.prior.shape[1])
    drawn = _order(ramp.hidden_clicks, rng)
    stages = []
    for n in _STEPS:
        given = with_entries(ramp.hidden_clicks, drawn < np.minimum(n, counts - 1)[ramp.hidden_clicks.indices])
        left = with_entries(ramp.hidden_clicks, drawn >= np.minimum(n, counts - 1)[ramp.hidden_clicks.indices])
        clicks = np.minimum(n, np.maximum(counts - 1, 0)).astype(np.float32)
        stages.append((clicks, given[ramp.tested], left[ramp.tested], histories @ ramp.own(given)))
    clicks, _, _, own = stages[_STEPS.index(_LOUD_AT)]
    many = clicks == _LOUD_AT
    if not many.any():
        return WarmUp()
    loud, faint = (float(np.sqrt(np.square(scores[:, many]).mean())) for scores in (prior, own))
    parity = float(np.clip(_LOUD_AT * loud / max(faint, 1e-30), 1.0, 1e6))
    found, best_quality = WarmUp(parity=parity), -1.0
    for pace in _PACES:
        tried = WarmUp(pace, parity)
        quality = 0.0
        for clicks, given, left, own in stages:
            scores = tried.blended(prior, own, clicks)
            hide(scores, given)
            quality += ranking_quality(scores, left)
        if quality > best_quality * (1 + 1e-3):
            found, best_quality = tried, quality
    return found


def _order(clicks: csr_array, rng: np.random.Generator) -> NDArray[np.int64]:
    """For each entry of a CSR matrix its place, from 0, in a random order of its column's entries."""
    lots = rng.permutation(clicks.nnz)
    order = np.lexsort((lots, clicks.indices))
    starts = np.concatenate([[0], np.cumsum(np.bincount(clicks.indices, minlength=clicks.shape[1]))])
    place = np.empty(clicks.nnz, dtype=np.int64)
    place[order] = np.arange(clicks.nnz) - np.repeat(starts[:-1], np.diff(starts))
    return place
