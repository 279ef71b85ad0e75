"""How an item that gets its first clicks moves from its metadata to its own evidence.

With n clicks, the prior column c from metadata and EASE's column e, both of some loudness |·| (the root mean
square of the scores that a column gives) and ĉ, ê at loudness 1,

    θ = ((1 − w)·ĉ + w·ê)·|c|^s·(f·|c| + (1 − f)·(|c|·n/ρ)^v·|e|^(1 − v))^(1 − s),
    w = 1 − exp(−n/κ),  v = exp(−n/ω),  f = exp(−n/φ).

The first factor says for whom: κ is the pace at which own evidence has the word. The second says how loudly.
A new item keeps the voice that its metadata gave it; an old one that few people ever clicked must speak as
faintly as EASE makes it, which takes every absent click as a refusal. A log without dates cannot tell one
from the other, but it shows when many are new: s(n) is the excess of items with about n clicks over the lower
tail of a log-normal law that the more popular half of the catalogue tells. Where there is none, φ is the
longest patience that warm items can bear. Past both, n clicks are heard as n clicks (ρ of them are usually as
loud as metadata), for an item that promises much more than for others, until by ω the clicks alone are heard.
No step anywhere: without clicks θ is c, and after many it is e.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.csr import binary, column_counts, filter_entries
from isotherm.models.cold_start.calibration import mean_ndcg
from isotherm.ranking.topk import hide
from isotherm.types import Array, Bools, Float32, Float64, Int64

MANY_CLICKS = 1024  #: more than any pace takes to settle, and after them no item is new
_SETTLED = 0.02  # of what metadata said of an item: below it a column is left as EASE's
_STEPS = (1, 2, 5, 10, 20)
_PACES = (1.0, 4.0, 16.0, 64.0, 256.0)
_TRUSTS = (1 / 16, 1 / 4, 1.0)  # in units of the mean clicks an item
_LONGEST = 256.0  # of all paces: exp(−MANY_CLICKS / 256) is below _SETTLED
_BANDWIDTH = 0.3  # of log(clicks + 1)
_CHANCE = 0.25  # a majority as slim as this is how catalogues differ from a law
_UPPER = 0.84134  # of the items: one standard deviation above the median of a normal law
_PATIENCES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_AT_ONCE = 0.25
_BEARABLE = 0.995  # of EASE's ndcg@10 on warm items

Floats = Float32


@dataclass(frozen=True)
class WarmUp:
    """pace: κ.  trust: ω.  patience: φ, all in clicks."""

    pace: float = 4.0
    trust: float = _AT_ONCE
    patience: float = _AT_ONCE

    def settled(self, clicks: Array, new: Array) -> Bools:
        """Whether items with so many clicks are EASE's alone.  new: s, (n_items,)."""
        clicks = np.asarray(clicks, dtype=np.float64)
        longest = max(self.pace, self.trust, self.patience)
        late = (np.exp(-clicks / longest) < _SETTLED) & (np.asarray(new) < _SETTLED)
        return np.asarray(late | (clicks >= MANY_CLICKS))

    def shares(self, prior: Array, own: Array, clicks: Array, new: Array) -> tuple[Floats, Floats]:
        """What c and e are multiplied by, from their loudness, n and s; all (n_items,)."""
        n = np.asarray(clicks, dtype=np.float64)
        w, v, f = (np.exp(-n / pace) for pace in (self.pace, self.trust, self.patience))
        w = 1 - w
        heard = (n > 0) & (own > 0)
        parity = float(np.median(n[heard] * prior[heard] / own[heard])) if heard.any() else 1.0
        promised = np.maximum(prior * n / max(parity, 1e-30), 1e-30)
        quiet = promised**v * np.maximum(own, 1e-30) ** (1 - v)
        voice = np.maximum(prior, 1e-30) ** new * (f * prior + (1 - f) * quiet) ** (1 - np.asarray(new))
        of_prior = voice * (1 - w) / np.maximum(prior, 1e-30)
        of_own = np.where(own > 0, voice * w / np.maximum(own, 1e-30), 0)
        return of_prior.astype(np.float32), of_own.astype(np.float32)


def loudness(scores: Floats) -> Float64:
    """Root mean square of the scores (n_users, n_items) of each item; what is not finite does not count."""
    known = np.isfinite(scores)
    squares = np.where(known, scores, 0).astype(np.float64) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1)))


def newness(clicks: Array) -> Floats:
    """s of each item, (n_items,) in [0, 1], from the clicks of all items of a catalogue, each >= 1.

    Of d items with about n clicks where the log-normal law of the catalogue has room for e, d − e are too
    many; s is how far these are the majority, 1 − 2e/d, past chance. The law's median is that of all items,
    its width that of the more popular half: new items are no part of it.
    """
    logs = np.log1p(np.asarray(clicks, dtype=np.float64))
    middle, upper = np.quantile(logs, [0.5, _UPPER])
    width = max(float(upper - middle), 0.1)
    levels, place, counts = np.unique(logs, return_inverse=True, return_counts=True)
    found = np.exp(-0.5 * ((levels[:, None] - levels) / _BANDWIDTH) ** 2) @ counts / _BANDWIDTH
    blurred = np.hypot(width, _BANDWIDTH)
    expected = len(logs) * np.exp(-0.5 * ((levels - middle) / blurred) ** 2) / blurred
    majority = np.where(levels < middle, 1 - 2 * expected / found, 0)
    return np.asarray(np.maximum(majority - _CHANCE, 0)[place] / (1 - _CHANCE), dtype=np.float32)


@dataclass(frozen=True)
class Ramp:
    """Hidden items that will be given some of their clicks.

    prior: c (n_kept, n_hidden).  hidden_clicks: (n_users, n_hidden) CSR, its values the places, from 1, of
    the clicks in the order in which each item gets them.  kept_clicks: (n_users, n_kept) CSR.
    weights, inverse_diagonal: EASE's B and diag(P) on the kept items.  tested: the users to rank for.
    """

    prior: Floats
    hidden_clicks: csr_array
    kept_clicks: csr_array
    weights: Floats
    inverse_diagonal: Floats
    tested: Int64

    def own(self, given: csr_array) -> Floats:
        """EASE's columns of items after the clicks ``given`` (n_users, n_items), each added alone.

        Regressing a new column x on the kept items is P·Xᵀx, with P = (I − B)·diag(p).
        """
        ones = binary(given)
        together = np.asarray((self.kept_clicks.T @ ones).toarray(), dtype=np.float32)
        together *= self.inverse_diagonal[:, None]
        return together - self.weights @ together


@dataclass(frozen=True)
class Old:
    """Scores of kept items, some of which have few clicks: those must not be lifted over the others.

    scores: EASE's (n_tested, n_kept), -inf where seen.  few: columns of the items with few clicks.
    clicks, new: of those, n and s.  prior: their scores from metadata (n_tested, n_few), each without itself.
    targets: (n_tested, n_kept) CSR.
    """

    scores: Floats
    few: Int64
    clicks: Float32
    new: Floats
    prior: Floats
    targets: csr_array

    @cached_property
    def _candidates(self) -> Floats:
        scores = self.scores.copy()
        scores[:, self.few[self.new > 0]] = -np.inf
        return scores

    @cached_property
    def _loud(self) -> tuple[Float64, Float64]:
        return loudness(self.prior), loudness(self.scores[:, self.few])

    def quality(self, warm_up: WarmUp | None) -> float:
        """ndcg@10 with the few blended; EASE's for None. What seems new is no candidate."""
        scores = self._candidates
        if warm_up is not None:
            own = scores[:, self.few]
            of_prior, of_own = warm_up.shares(*self._loud, self.clicks, self.new)
            scores = scores.copy()
            # what is seen stays -inf
            scores[:, self.few] = self.prior * of_prior + own * np.maximum(of_own, 1e-30)
        return mean_ndcg(scores, self.targets)


def chosen_warm_up(ramp: Ramp, old: Old) -> WarmUp:
    """The best mean ndcg@10 of the hidden items among themselves after 1, 2, 5, 10 and 20 clicks.

    κ and ω, then the longest φ: all so that EASE's warm ranking stays what it is, within half a percent.
    """
    histories = ramp.kept_clicks[ramp.tested]
    prior = histories @ ramp.prior
    counts = np.bincount(ramp.hidden_clicks.indices, minlength=ramp.prior.shape[1])
    place = ramp.hidden_clicks.data
    kept = column_counts(ramp.kept_clicks)
    stages = []
    for n in _STEPS:
        ready = np.flatnonzero(counts > n)
        if not len(ready):
            break
        given, left = (
            filter_entries(ramp.hidden_clicks, chosen)[:, ready] for chosen in (place <= n, place > n)
        )
        own = histories @ ramp.own(given)
        clicks = np.full(len(ready), float(n))
        new = newness(np.concatenate([clicks, kept]))[: len(ready)]
        loud = loudness(prior[:, ready]), loudness(own), clicks, new
        stages.append((loud, given[ramp.tested], left[ramp.tested], prior[:, ready], own))
    bearable = _BEARABLE * old.quality(None)

    def quality(tried: WarmUp) -> float:
        total = 0.0
        for loud, given, left, from_metadata, own in stages:
            of_prior, of_own = tried.shares(*loud)
            scores = from_metadata * of_prior + own * of_own
            hide(scores, given)
            total += mean_ndcg(scores, left)
        return total

    found, best = WarmUp(_AT_ONCE), -1.0
    usual = min(ramp.kept_clicks.nnz / ramp.kept_clicks.shape[1], _LONGEST)
    for pace, trust in product(_PACES, _TRUSTS):
        tried = WarmUp(pace, trust * usual)
        reached = quality(tried)
        if reached > best * (1 + 1e-3) and old.quality(tried) >= bearable:
            found, best = tried, reached
    if best < 0:
        return found
    bearing = [_AT_ONCE, _AT_ONCE]
    for patience in _PATIENCES:
        if old.quality(replace(found, patience=patience)) < bearable:
            break
        bearing.append(patience)
    return replace(found, patience=bearing[-2])  # one step short of the edge: hidden clicks flatter it
