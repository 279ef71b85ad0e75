"""Chooses on pseudo-cold items what the kernels leave open: scales, decays, and the share of new items."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from isotherm.models.choice.climb import climbed
from isotherm.models.cold_start.calibration import user_ndcgs
from isotherm.models.cold_start.item_trend import choose_trend, tried_powers
from isotherm.models.cold_start.new_item_share import (
    CutInTime,
    ShareGoal,
    learned_goal,
    sampled_histories,
)
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.cold_start.user_scaling import LEAST_NEW_ITEMS, own_share
from isotherm.models.kernel_ridge.columns import Scales
from isotherm.models.kernel_ridge.tuner import (
    POPULARITY_SHARES,
    SMOOTHINGS,
    FullFit,
    KeptFit,
    KeptModel,
    Tuner,
    calibrated,
)
from isotherm.models.kernel_ridge.warm_up import WarmUp
from isotherm.models.kernel_ridge.warm_up_tuning import GuardInTime, WarmGuard, choose_warm_up
from isotherm.progress import Advance, stage
from isotherm.types import Float64, ItemIndex

RIDGES = (0.25, 0.5, 1.0, 2.0)  # r
_FIRST_RIDGE = 0.5
MOST_USERS = 600  #: of a draw


@dataclass(frozen=True)
class Tuned:
    """What was chosen.

    goal: None where the scale of new items is that of pseudo-cold ones.
    trend: the power of the items' trend.
    """

    scales: Scales
    warm_up: WarmUp
    goal: ShareGoal | None = None
    trend: float = 0.0


@dataclass(frozen=True)
class InTime:
    """What is asked of the cuts in time.

    n_new: items of the table that nobody has clicked.  share: of lists, where it is given.
    trend: the power, or "auto".
    """

    n_new: int = 0
    share: float | None = None
    trend: float | str = 0.0


def tune(
    full: FullFit,
    scales: Scales,
    draws: int,
    seed: int,
    cuts: Sequence[KeptModel] = (),
    asked: InTime = InTime(),
) -> Tuned:
    """What ranks pseudo-cold items best; ``scales`` as learned, and no warm-up, where none can be drawn.

    r, a and b by the mean over all draws and cuts in time, γ and β over all draws, slope and intercept by the
    first. The warm-up is learned on it, too, and must do no harm at the cuts; the items' trend and the share
    of new ones are learned at these.
    """
    splits = [PseudoColdSplit.draw(full.user_items, seed + draw, MOST_USERS) for draw in range(draws)]
    drawn_splits = [split for split in splits if split is not None]
    if not drawn_splits:
        return Tuned(scales, WarmUp())
    with stage(
        "choose scales on items treated as new",
        _steps(len(drawn_splits) + len(cuts)),
        "steps",
        may_stop=True,
    ) as advance:
        drawn = [_tuner(full, split, not number, advance) for number, split in enumerate(drawn_splits)]
        in_time = [Tuner(full, cut) for cut in cuts]
        advance(len(in_time))
        scales = _best_mixture(scales, drawn, in_time, advance)
    with stage("choose how new items warm up"):
        at_cuts, tuned = _warmed_up(drawn, in_time, cuts, scales, seed)
        powers = tried_powers(asked.trend)
        power, shown = choose_trend(
            "kernel-ridge", asked.trend, [at_cut.cuts_in_time(tuned.warm_up, powers) for at_cut in at_cuts]
        )
        last = cuts[-1].split if cuts else drawn_splits[-1]
        stand_in = last.hidden_items if asked.n_new < LEAST_NEW_ITEMS else None
        return replace(tuned, goal=_share_goal(shown, asked, stand_in), trend=power)


def _warmed_up(
    drawn: Sequence[Tuner], in_time: Sequence[Tuner], cuts: Sequence[KeptModel], scales: Scales, seed: int
) -> tuple[list["AtCut"], Tuned]:
    """What is fitted before each cut in time, and scales with the warm-up that does no harm there."""
    first = drawn[0]
    fit = first.fit(scales.ridge)
    scales = first.regressed(scales, fit)
    others = (tuner.rankings(scales, tuner.fit(scales.ridge)) for tuner in drawn[1:])
    chosen = calibrated(scales, [first.rankings(scales, fit), *others])
    pairs = zip(in_time, cuts, strict=True)
    at_cuts = [AtCut.of(tuner, cut.split, chosen.full, seed) for tuner, cut in pairs]
    guard = GuardInTime(first.warm_guard(chosen.kept, fit), [at_cut.guard for at_cut in at_cuts])
    warm_up = choose_warm_up(first.ramp_stages(chosen.kept, fit), guard, first.mean_clicks)
    return at_cuts, Tuned(chosen.full, warm_up)


def _steps(n_splits: int) -> int:
    """Of the choice of r, a and b: one to begin with each split, and one for each r."""
    return n_splits * (1 + len(RIDGES))


def _tuner(full: FullFit, split: PseudoColdSplit, is_first: bool, advance: Advance) -> Tuner:
    """Of one split; a step.  is_first: whether the warm-up is learned on it."""
    tuner = Tuner(full, KeptModel.of(full.ease, split), keeps_best=is_first)
    advance(1)
    return tuner


def _best_mixture(
    scales: Scales, drawn: Sequence[Tuner], in_time: Sequence[Tuner], advance: Advance
) -> Scales:
    """With r, a and b of the best mean ndcg@10; a cut in time counts as a draw of the usual best one.

    r by a climb from ``_FIRST_RIDGE``, which tries three of the four as a rule.
    """

    @cache
    def ndcgs(ridge: float) -> Float64:
        found = []
        for tuner in (*drawn, *in_time):
            found.append(tuner.ndcg_by_mixture(scales, ridge))
            advance(1)
        return np.array(found)

    bests = ndcgs(_FIRST_RIDGE).max(axis=(1, 2))
    usual = np.full(len(in_time), bests[: len(drawn)].mean())
    units = np.concatenate([np.ones(len(drawn)), usual / np.maximum(bests[len(drawn) :], 1e-12)])

    def mean(ridge: float) -> Float64:
        return np.asarray(np.tensordot(units, ndcgs(ridge), 1) / len(units))

    ridge = climbed(_FIRST_RIDGE, RIDGES, lambda tried: mean(tried).max())
    best = mean(ridge)
    a, b = np.unravel_index(best.argmax(), best.shape)
    share = POPULARITY_SHARES[b] * scales.popularity_weight
    return replace(scales, ridge=ridge, smoothing=SMOOTHINGS[a], popularity_weight=share)


@dataclass(frozen=True, eq=False)
class AtCut:
    """A model fitted before a cut in time.  guard: its kept items, those of few clicks blended or not."""

    tuner: Tuner
    split: PseudoColdSplit
    scales: Scales
    fit: KeptFit
    guard: WarmGuard
    seed: int

    @classmethod
    def of(cls, tuner: Tuner, split: PseudoColdSplit, scales: Scales, seed: int) -> "AtCut":
        """By these scales."""
        fit = tuner.fit(scales.ridge)
        return cls(tuner, split, scales, fit, tuner.warm_guard(scales, fit), seed)

    def cuts_in_time(self, warm_up: WarmUp, powers: Sequence[float]) -> list[CutInTime]:
        """What it shows after the cut, by power of the items' trend."""
        tuner, split, targets = self.tuner, self.split, self.split.targets
        sample = sampled_histories(split.kept_clicks, self.seed)
        ease = tuner.tested_lists(self.scales, self.fit, self.guard.scores(None), [0.0])[0]
        reference = user_ndcgs(ease.lists.warm.columns, targets)
        tested = tuner.tested_lists(self.scales, self.fit, self.guard.scores(warm_up), powers)
        fitted = tuner.fitted_lists(self.scales, self.fit, sample, powers)
        return [
            CutInTime(*lists, targets, reference, len(split.hidden_items), split.new_item_share)
            for lists in zip(fitted, tested, strict=True)
        ]


def _share_goal(shown: Sequence[CutInTime], asked: InTime, stand_in: ItemIndex | None) -> ShareGoal | None:
    """What is given, or learned at cuts in time and bearable there; None without either."""
    if asked.share is not None:
        return ShareGoal(asked.share, stand_in, own=own_share(asked.n_new))
    return learned_goal(shown, asked.n_new, stand_in) if shown else None
