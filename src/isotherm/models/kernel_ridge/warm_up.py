"""How an item that gets its first clicks moves from its metadata to its own clicks.

With n clicks, the column c from metadata and EASE's column e, the root mean square |·| of the scores that a
column gives, and ĉ, ê the columns at |·| = 1,

    θ = ((1 − w)·ĉ + w·ê)·|c|^s·(f·|c| + (1 − f)·(|c|·n/ρ)^v·|e|^(1 − v))^(1 − s),
    w = 1 − exp(−n/κ),  v = exp(−n/ω),  f = exp(−n/φ).

The first factor is the direction, for whom an item scores high: past κ clicks it is that of its own clicks.
The others are the scale. A new item keeps the scale that its metadata gave it; an old one that few people
ever clicked must score as low as EASE makes it, which takes every absent click as a refusal. A log without
dates cannot tell one from the other, but it shows when many are new: s(n) is the excess of items with about n
clicks over the lower tail of a log-normal law that fits the more popular half of the catalogue. Where there
is none, the scale of metadata is held for φ clicks, the longest that the ranking of warm items bears. After
that the scale is in proportion to n (after ρ clicks |e| usually equals |c|), for an item that promises much
more than for others, until by ω it is that of the clicks alone. No step anywhere: without clicks θ is c, and
after many it is e.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.types import Array, Bools, Float32, Float64, Scores

MANY_CLICKS = 1024  #: more than any decay takes to settle, and after them no item is new
_SETTLED = 0.02  # of what metadata said of an item: below it a column is left as EASE's
_IMMEDIATE = 0.25  # clicks: a decay that is over at the first one
_BANDWIDTH = 0.3  # of log(clicks + 1)
_CHANCE = 0.25  # a majority as slim as this is how catalogues differ from a law
_UPPER = 0.84134  # of the items: one standard deviation above the median of a normal law
_LEAST = 1e-30


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the blend of some items depends on; all (n_items,).

    metadata_rms, ease_rms: |c| and |e|.  clicks: n.  new_item_scores: s in [0, 1].
    """

    metadata_rms: Float64
    ease_rms: Float64
    clicks: Array
    new_item_scores: Array


@dataclass(frozen=True, eq=False)
class BlendFactors:
    """What the columns c and e of each item are multiplied by, (n_items,) float32 each."""

    metadata: Float32
    ease: Float32


@dataclass(frozen=True)
class WarmUp:
    """Decay constants, all in clicks.

    >>> import numpy as np
    >>> from isotherm.models.kernel_ridge.warm_up import Evidence, WarmUp
    >>> n_clicks = np.array([0, 4, 400])
    >>> evidence = Evidence(np.ones(3), np.ones(3), n_clicks, new_item_scores=np.zeros(3))
    >>> WarmUp(direction_clicks=4.0).factors(evidence).metadata.round(2)
    array([1.  , 0.37, 0.  ], dtype=float32)

    direction_clicks: κ, of the direction of metadata.  scale_clicks: ω, of what metadata promises.
    hold_clicks: φ, of the scale of metadata.
    """

    direction_clicks: float = 4.0
    scale_clicks: float = _IMMEDIATE
    hold_clicks: float = _IMMEDIATE

    def settled(self, clicks: Array, new_item_scores: Array) -> Bools:
        """Whether the columns of items with so many clicks are EASE's alone; all (n_items,)."""
        clicks = np.asarray(clicks, dtype=np.float64)
        late = (np.exp(-clicks / self._longest) < _SETTLED) & (np.asarray(new_item_scores) < _SETTLED)
        return np.asarray(late | (clicks >= MANY_CLICKS))

    def own_shares(self, clicks: Array, new_item_scores: Array) -> Float32:
        """How far an item's own clicks are all that counts, in [0, 1]: 1 once settled; all (n_items,)."""
        decayed = np.exp(-np.asarray(clicks, dtype=np.float64) / self._longest)
        shares = (1 - decayed) * (1 - np.asarray(new_item_scores, dtype=np.float64))
        return np.where(self.settled(clicks, new_item_scores), 1, shares).astype(np.float32)

    def follows_clicks(self, clicks: Array) -> Bools:
        """Which items' direction is that of their own clicks alone, whatever their scale; (n_items,)."""
        return np.asarray(np.exp(-np.asarray(clicks, dtype=np.float64) / self.direction_clicks) < _SETTLED)

    def factors(self, evidence: Evidence) -> BlendFactors:
        """θ = factors.metadata·c + factors.ease·e."""
        n = np.asarray(evidence.clicks, dtype=np.float64)
        metadata, ease = np.maximum(evidence.metadata_rms, _LEAST), np.maximum(evidence.ease_rms, _LEAST)
        w = 1 - np.exp(-n / self.direction_clicks)
        rms = self._rms(evidence, n)
        of_ease = np.where(evidence.ease_rms > 0, rms * w / ease, 0)
        return BlendFactors((rms * (1 - w) / metadata).astype(np.float32), of_ease.astype(np.float32))

    @property
    def _longest(self) -> float:
        """Of the three."""
        return max(self.direction_clicks, self.scale_clicks, self.hold_clicks)

    def _rms(self, evidence: Evidence, n: Float64) -> Float64:
        """|θ| of each item, (n_items,)."""
        metadata, ease = evidence.metadata_rms, evidence.ease_rms
        v, f = np.exp(-n / self.scale_clicks), np.exp(-n / self.hold_clicks)
        s = np.asarray(evidence.new_item_scores)
        clicked = (n > 0) & (ease > 0)
        rho = float(np.median(n[clicked] * metadata[clicked] / ease[clicked])) if clicked.any() else 1.0
        promised = np.maximum(metadata * n / max(rho, _LEAST), _LEAST)
        of_clicks = promised**v * np.maximum(ease, _LEAST) ** (1 - v)
        rms: Float64 = np.maximum(metadata, _LEAST) ** s * (f * metadata + (1 - f) * of_clicks) ** (1 - s)
        return rms


def score_rms(scores: Scores) -> Float64:
    """Root mean square of the scores of each item, (n_items,); what is not finite does not count."""
    known = np.isfinite(scores)
    squares = np.where(known, scores, 0).astype(np.float64) ** 2
    return np.asarray(np.sqrt(squares.sum(axis=0) / np.maximum(known.sum(axis=0), 1)))


def new_item_scores(clicks: Array) -> Float32:
    """s of each item, (n_items,) in [0, 1], from the clicks of all items of a catalogue, each >= 1.

    Of d items with about n clicks where the log-normal law of the catalogue expects e, d − e are too many;
    s is by how much these are the majority, 1 − 2e/d, past chance. The law's median is that of all items, its
    width that of the more popular half, which new items are no part of.
    """
    logs = np.log1p(np.asarray(clicks, dtype=np.float64))
    median, upper = np.quantile(logs, [0.5, _UPPER])
    width = max(float(upper - median), 0.1)
    levels, level_of_item, counts = np.unique(logs, return_inverse=True, return_counts=True)
    density = np.exp(-0.5 * ((levels[:, None] - levels) / _BANDWIDTH) ** 2) @ counts / _BANDWIDTH
    blurred_width = np.hypot(width, _BANDWIDTH)
    expected = len(logs) * np.exp(-0.5 * ((levels - median) / blurred_width) ** 2) / blurred_width
    majority = np.where(levels < median, 1 - 2 * expected / density, 0)
    return np.asarray(np.maximum(majority - _CHANCE, 0)[level_of_item] / (1 - _CHANCE), dtype=np.float32)
