"""Chooses the decay constants of the warm-up on hidden items that are given some of their clicks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product, takewhile

import numpy as np

from isotherm.models.cold_start.calibration import K, mean_ndcg, surely_at_least, user_ndcgs
from isotherm.models.kernel_ridge.warm_up import Evidence, WarmUp, score_rms
from isotherm.progress import stage
from isotherm.ranking.topk import hide, top_k
from isotherm.types import Array, Float32, Float64, ItemIndex, Scores, UserItems

CLICKS_GIVEN = (1, 2, 5, 10, 20)
_IMMEDIATE = 0.25
_DIRECTION_CLICKS = (1.0, 4.0, 16.0, 64.0, 256.0)
_SCALE_CLICKS = (1 / 16, 1 / 4, 1.0)  # in units of the mean clicks per item
_MOST_SCALE_CLICKS = 256.0  # so that all decays settle by MANY_CLICKS
_HOLD_CLICKS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
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
        factors = warm_up.factors(self._evidence)
        scores = self.metadata_scores * factors.metadata + self.ease_scores * factors.ease
        hide(scores, self.given)
        return mean_ndcg(scores, self.left)


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
    def _candidates(self) -> Scores:
        """EASE's scores without what seems new."""
        scores = self.ease_scores.copy()
        scores[:, self.rare_items[self.new_item_scores > 0]] = -np.inf
        return scores

    @cached_property
    def _evidence(self) -> Evidence:
        rms = score_rms(self.metadata_scores), score_rms(self.ease_scores[:, self.rare_items])
        return Evidence(*rms, self.clicks, self.new_item_scores)

    @cached_property
    def ease_ndcg(self) -> float:
        """EASE's ndcg@10."""
        return mean_ndcg(self._candidates, self.targets)

    def ndcg(self, warm_up: WarmUp) -> float:
        """ndcg@10 with the rare items blended."""
        return mean_ndcg(self._blended(self._candidates, warm_up), self.targets)

    def user_ndcgs(self, warm_up: WarmUp | None) -> Float64:
        """ndcg@10 of each user with targets; EASE's without a warm-up."""
        scores = self._candidates if warm_up is None else self._blended(self._candidates, warm_up)
        return user_ndcgs(top_k(np.ascontiguousarray(scores), min(K, scores.shape[1])).columns, self.targets)

    def bears(self, warm_up: WarmUp) -> bool:
        """Whether that is at most half a percent below EASE's."""
        return self.ndcg(warm_up) >= _TOLERATED * self.ease_ndcg

    def scores(self, warm_up: WarmUp | None) -> Scores:
        """(n_test_users, n_kept) of all items, the rare ones blended; EASE's alone without a warm-up."""
        return self.ease_scores if warm_up is None else self._blended(self.ease_scores, warm_up)

    def _blended(self, ease_scores: Scores, warm_up: WarmUp) -> Scores:
        factors, scores = warm_up.factors(self._evidence), ease_scores.copy()
        of_ease = scores[:, self.rare_items] * np.maximum(factors.ease, 1e-30)  # what is seen stays -inf
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
    decays = list(product(_DIRECTION_CLICKS, _SCALE_CLICKS))
    with stage("try decays", len(decays), "pairs") as advance:
        for direction_clicks, scale_share in decays:
            tried = WarmUp(direction_clicks, scale_share * usual, _IMMEDIATE)
            ndcg = sum(ramp_stage.ndcg(tried) for ramp_stage in stages)
            if ndcg > best_ndcg * (1 + 1e-3) and guard.bears(tried):
                best, best_ndcg = tried, ndcg
            advance(1)
    if best is None:
        return WarmUp(_IMMEDIATE, _IMMEDIATE, _IMMEDIATE)
    bearable = list(takewhile(lambda hold: guard.bears(replace(best, hold_clicks=hold)), _HOLD_CLICKS))
    # one step short of the longest: hidden clicks flatter it
    return replace(best, hold_clicks=bearable[-2] if len(bearable) > 1 else _IMMEDIATE)
