"""Chooses the decay constants of the warm-up on hidden items that are given some of their clicks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product, takewhile

import numpy as np

from isotherm.models.cold_start.calibration import mean_ndcg
from isotherm.models.kernel_ridge.warm_up import Evidence, WarmUp, score_rms
from isotherm.ranking.topk import hide
from isotherm.types import Array, Float32, ItemIndex, Scores, UserItems

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
    def least_ndcg(self) -> float:
        """Half a percent below EASE's ndcg@10."""
        return _TOLERATED * mean_ndcg(self._candidates, self.targets)

    def bears(self, warm_up: WarmUp) -> bool:
        """Whether the ranking stays that good with the rare items blended."""
        factors = warm_up.factors(self._evidence)
        scores = self._candidates.copy()
        of_ease = scores[:, self.rare_items] * np.maximum(factors.ease, 1e-30)  # what is seen stays -inf
        scores[:, self.rare_items] = self.metadata_scores * factors.metadata + of_ease
        return mean_ndcg(scores, self.targets) >= self.least_ndcg


def choose_warm_up(stages: Sequence[RampStage], guard: WarmGuard, mean_clicks: float) -> WarmUp:
    """The best mean ndcg@10 over the stages that the guard bears.

    κ and ω first, then the longest φ.  mean_clicks: per kept item.
    """
    best, best_ndcg = None, -1.0
    usual = min(mean_clicks, _MOST_SCALE_CLICKS)
    for direction_clicks, scale_share in product(_DIRECTION_CLICKS, _SCALE_CLICKS):
        tried = WarmUp(direction_clicks, scale_share * usual, _IMMEDIATE)
        ndcg = sum(stage.ndcg(tried) for stage in stages)
        if ndcg > best_ndcg * (1 + 1e-3) and guard.bears(tried):
            best, best_ndcg = tried, ndcg
    if best is None:
        return WarmUp(_IMMEDIATE, _IMMEDIATE, _IMMEDIATE)
    bearable = list(takewhile(lambda hold: guard.bears(replace(best, hold_clicks=hold)), _HOLD_CLICKS))
    # one step short of the longest: hidden clicks flatter it
    return replace(best, hold_clicks=bearable[-2] if len(bearable) > 1 else _IMMEDIATE)
