"""Chooses the decay constants of the warm-up on hidden items that are given some of their clicks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product, takewhile

import numpy as np
from scipy.sparse import csr_array

from isotherm.models.cold_start.blends import Blends, blend_ndcgs
from isotherm.models.cold_start.calibration import surely_at_least
from isotherm.models.kernel_ridge.warm_up import Evidence, WarmUp, score_rms
from isotherm.progress import stage
from isotherm.types import Array, Float32, Float64, ItemIndex, Scores, UserItems

CLICKS_GIVEN = (1, 2, 5, 10, 20)
_IMMEDIATE = 0.25
_DIRECTION_CLICKS = (1.0, 4.0, 16.0, 64.0)  # up to 20 clicks are given: they cannot tell a longer one
_SCALE_CLICKS = (1 / 16, 1 / 4, 1.0)  # in units of the mean clicks per item
_MOST_SCALE_CLICKS = 256.0  # so that all decays settle by MANY_CLICKS
_HOLD_CLICKS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_LEAST = np.float32(1e-30)  # factor of EASE's scores
_TOLERATED = 0.995  # of EASE's ndcg@10 on warm items


@dataclass(frozen=True, eq=False)
class RampStage:
    """Hidden items that have been given their first clicks, before the test users.

    metadata_scores, ease_scores: (n_test_users, m) of the columns c and e.  clicks, new_item_scores: (m,).
    given, left: (n_test_users, m) the clicks that these users gave, and those still hidden.
    """

    metadata_scores: Scores
    ease_scores: Scores
    clicks: Array
    new_item_scores: Float32
    given: UserItems
    left: UserItems

    @cached_property
    def _evidence(self) -> Evidence:
        rms = score_rms(self.metadata_scores), score_rms(self.ease_scores)
        return Evidence(*rms, self.clicks, self.new_item_scores)

    def ndcg(self, warm_up: WarmUp) -> float:
        """ndcg@10 of these items among themselves."""
        return float(self.ndcgs([warm_up])[0])

    def ndcgs(self, warm_ups: Sequence[WarmUp]) -> Float64:
        """The same for several, (n_warm_ups,)."""
        if not self.left.nnz:
            return np.zeros(len(warm_ups))
        factors = [warm_up.factors(self._evidence) for warm_up in warm_ups]
        metadata, ease = np.stack([f.metadata for f in factors]), np.stack([f.ease for f in factors])
        blends = Blends(metadata, ease, np.zeros_like(ease))
        by_user = blend_ndcgs(self.metadata_scores, self.ease_scores, blends, self.left, self.given)
        return np.asarray(by_user.mean(axis=1))


@dataclass(frozen=True, eq=False)
class WarmGuard:
    """The ranking of kept items, some of which have few clicks: these must not be lifted over the others.

    ease_scores: (n_test_users, n_kept), -inf where seen.  rare_items: (m,) columns of those with few clicks.
    metadata_scores: (n_test_users, m) of the rare items, each predicted without itself.
    clicks, new_item_scores: (m,) of the rare items.  targets: (n_test_users, n_kept) hidden clicks.
    """

    ease_scores: Scores
    rare_items: ItemIndex
    metadata_scores: Scores
    clicks: Array
    new_item_scores: Float32
    targets: UserItems

    @cached_property
    def _evidence(self) -> Evidence:
        ease = self.ease_scores[:, self.rare_items]
        metadata = np.where(np.isfinite(ease), self.metadata_scores, -np.inf)
        return Evidence(score_rms(metadata), score_rms(ease), self.clicks, self.new_item_scores)

    @cached_property
    def _all_metadata_scores(self) -> Scores:
        """(n_test_users, n_kept), 0 of items that are not rare."""
        if len(self.rare_items) == self.ease_scores.shape[1]:
            return self.metadata_scores
        scores = np.zeros(self.ease_scores.shape, dtype=np.float32)
        scores[:, self.rare_items] = self.metadata_scores
        return scores

    @cached_property
    def _ease_ndcgs(self) -> Float64:
        return self._ranked(None)

    @cached_property
    def ease_ndcg(self) -> float:
        """EASE's ndcg@10."""
        return float(self._ease_ndcgs.mean()) if len(self._ease_ndcgs) else 0.0

    def ndcg(self, warm_up: WarmUp) -> float:
        """ndcg@10 with the rare items blended."""
        ndcgs = self.user_ndcgs(warm_up)
        return float(ndcgs.mean()) if len(ndcgs) else 0.0

    def user_ndcgs(self, warm_up: WarmUp | None) -> Float64:
        """ndcg@10 of each user with targets; EASE's without a warm-up."""
        return self._ease_ndcgs if warm_up is None else self._ranked(warm_up)

    def _ranked(self, warm_up: WarmUp | None) -> Float64:
        """ndcg@10 of the users with targets, where nothing that seems new is shown."""
        n_users, n_items = self.targets.shape
        metadata, ease, level = (np.full((1, n_items), value, dtype=np.float32) for value in (0, 1, 0))
        level[:, self.rare_items[self.new_item_scores > 0]] = -np.inf
        if warm_up is not None:
            factors = warm_up.factors(self._evidence)
            metadata[0, self.rare_items] = factors.metadata
            ease[0, self.rare_items] = np.maximum(factors.ease, _LEAST)
        return np.asarray(
            blend_ndcgs(
                self._all_metadata_scores,
                self.ease_scores,
                Blends(metadata, ease, level),
                self.targets,
                csr_array(self.targets.shape, dtype=np.float32),
                np.ones(n_users, dtype=np.float32),
            )[0]
        )

    def bears(self, warm_up: WarmUp) -> bool:
        """Whether that is at most half a percent below EASE's."""
        return self.ndcg(warm_up) >= _TOLERATED * self.ease_ndcg

    def scores(self, warm_up: WarmUp | None) -> Scores:
        """(n_test_users, n_kept) of all items, the rare ones blended; EASE's alone without a warm-up."""
        if warm_up is None:
            return self.ease_scores
        factors, scores = warm_up.factors(self._evidence), self.ease_scores.copy()
        of_ease = scores[:, self.rare_items] * np.maximum(factors.ease, _LEAST)  # what is seen stays -inf
        scores[:, self.rare_items] = self.metadata_scores * factors.metadata + of_ease
        return scores


@dataclass(frozen=True, eq=False)
class GuardInTime:
    """A random draw, and cuts in time at which the warm-up must prove that it does no harm."""

    draw: WarmGuard
    cuts: Sequence[WarmGuard]

    @cached_property
    def _ease_ndcgs(self) -> Float64:
        return np.concatenate([guard.user_ndcgs(None) for guard in self.cuts])

    def bears(self, warm_up: WarmUp) -> bool:
        """Whether it is good enough on the draw, and on all cuts together, surely, no worse than EASE."""
        if not self.draw.bears(warm_up):
            return False
        if not self.cuts:
            return True
        ndcgs = np.concatenate([guard.user_ndcgs(warm_up) for guard in self.cuts])
        return surely_at_least(ndcgs, self._ease_ndcgs, 1.0)


def choose_warm_up(stages: Sequence[RampStage], guard: WarmGuard | GuardInTime, mean_clicks: float) -> WarmUp:
    """The best mean ndcg@10 over the stages that the guard bears.

    κ and ω first, then the longest φ.  mean_clicks: per kept item.
    """
    best, best_ndcg = None, -1.0
    usual = min(mean_clicks, _MOST_SCALE_CLICKS)
    decays = [
        WarmUp(direction_clicks, scale_share * usual, _IMMEDIATE)
        for direction_clicks, scale_share in product(_DIRECTION_CLICKS, _SCALE_CLICKS)
    ]
    ndcgs = sum((ramp_stage.ndcgs(decays) for ramp_stage in stages), np.zeros(len(decays)))
    with stage("try decays", len(decays), "pairs") as advance:
        for tried, ndcg in zip(decays, ndcgs, strict=True):
            if ndcg > best_ndcg * (1 + 1e-3) and guard.bears(tried):
                best, best_ndcg = tried, ndcg
            advance(1)
    if best is None:
        return WarmUp(_IMMEDIATE, _IMMEDIATE, _IMMEDIATE)
    bearable = list(takewhile(lambda hold: guard.bears(replace(best, hold_clicks=hold)), _HOLD_CLICKS))
    # one step short of the longest: hidden clicks flatter it
    return replace(best, hold_clicks=bearable[-2] if len(bearable) > 1 else _IMMEDIATE)
