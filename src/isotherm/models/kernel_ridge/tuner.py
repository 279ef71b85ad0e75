"""Hidden items of one pseudo-cold split, as the model of the kept clicks and that of all clicks rank them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from isotherm.features.encoded_items import EncodedItems
from isotherm.linalg.csr import column_counts, filter_entries, scale_rows, select_columns
from isotherm.linalg.products import products
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.cold_start.blends import Blends, blend_ndcgs
from isotherm.models.cold_start.calibration import WarmAndCold, best_of, common_scale
from isotherm.models.cold_start.item_trend import popularity_trend
from isotherm.models.cold_start.new_item_share import UserLists
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.kernel_ridge.columns import LeftOutPredictor, Scales, Users
from isotherm.models.kernel_ridge.ridge import Ridge, RidgeFitter
from isotherm.models.kernel_ridge.training_data import TrainingData
from isotherm.models.kernel_ridge.training_log import ClickOrder
from isotherm.models.kernel_ridge.warm_up import MANY_CLICKS, new_item_scores
from isotherm.models.kernel_ridge.warm_up_tuning import (
    CLICKS_GIVEN,
    RampStage,
    WarmGuard,
)
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.penalties import Penalties, user_weights
from isotherm.ranking.topk import TopK, hide
from isotherm.types import Array, Float32, Float64, ItemIndex, ItemWeights, Scores, UserItems

SMOOTHINGS = (0.0, 0.3, 0.6, 0.9)  # a
POPULARITY_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # b, in units of the learned one
VARIANCE_EXPONENTS = (0.0, 0.5, 1.0, 2.0)  # γ
_SCALE_USERS = 400  # or a few more, by whose scores slope, intercept and level are measured
_LITTLE = 0.05  # of the ridge: a new item's clicks below it move its own column by 2.5% at most
_DENSE = 0.05  # share of cells from which a dense product is quicker


@dataclass(frozen=True, eq=False)
class FullFit:
    """Clicked items with all their clicks, from which some are hidden.

    user_items: (n_users, n).  click_order: in which the clicks of an item came.  encoded: metadata of the
    items.  ease_weights: (n, n) B, by ``ease``.  training: their targets.  ridges: fits both regressions.
    """

    user_items: UserItems
    click_order: ClickOrder
    encoded: EncodedItems
    ease: EASE
    ease_weights: ItemWeights
    training: TrainingData
    ridges: RidgeFitter


@dataclass(frozen=True, eq=False)
class KeptFit:
    """The taste ridge of the kept items under one r, and what it says of the m hidden ones.

    weights: the rows of the training items in Z, (n_training, m).  popularity, explained_variance: (m,).
    """

    taste: Ridge
    weights: ItemWeights
    popularity: Float32
    explained_variance: Float32

    def raw_scores(self, scales: Scales, mean_length: float, users: Users) -> Scores:
        """Raw scores of the hidden items, (n_users, m)."""
        taste = users.targets(scales.smoothing, self.taste.training_items_) @ self.weights
        return scales.raw_of_targets(taste, self.popularity, mean_length, users.lengths)

    def scores(self, scales: Scales, mean_length: float, users: Users) -> Scores:
        """Their scores at EASE's scale, (n_users, m)."""
        raw = self.raw_scores(scales, mean_length, users)
        return scales.scaled(raw, self.explained_variance, users.lengths)


@dataclass(frozen=True)
class CalibratedScales:
    """full: for the model of all clicks.  kept: for that of the kept clicks, of another cold_scale."""

    full: Scales
    kept: Scales


@dataclass(frozen=True, eq=False)
class ColdAmongWarm:
    """Hidden items among the warm ones, as one model ranks both for the test users.

    warm: their best unseen warm items.  hidden_items: (m,) item columns.  raw: (n_test_users, m) raw scores
    of the hidden items.  lengths: (n_test_users, 1).  explained_variance: (m,).
    """

    warm: TopK
    hidden_items: ItemIndex
    raw: Scores
    lengths: Float32
    explained_variance: Float32

    def lists(self, scales: Scales) -> WarmAndCold:
        """The best items of both kinds under these scales."""
        scores = scales.scaled(self.raw.copy(), self.explained_variance, self.lengths)
        return WarmAndCold(self.warm, best_of(scores, self.hidden_items))


@dataclass(frozen=True, eq=False)
class HiddenRankings:
    """Hidden items of a split among the warm ones.

    kept, full: by the model of the kept clicks and that of all.  targets: clicks to find, of the former.
    """

    kept: ColdAmongWarm
    full: ColdAmongWarm
    targets: UserItems


def calibrated(scales: Scales, draws: Sequence[HiddenRankings]) -> CalibratedScales:
    """γ and β by the ranking of cold among warm items, the best for all draws together.

    The scales of the kept clicks are those of the first draw.
    """
    best_ndcg, best = -1.0, CalibratedScales(scales, scales)
    for exponent in VARIANCE_EXPONENTS:
        tried = replace(scales, variance_exponent=exponent)
        kept = [draw.kept.lists(tried) for draw in draws]
        scale = common_scale([(lists, draw.targets) for lists, draw in zip(kept, draws, strict=True)])
        if scale.ndcg > best_ndcg * (1 + 1e-3):
            best_ndcg = scale.ndcg
            ratios = [draw.full.lists(tried).level_ratio() for draw in draws]
            ratio = float(np.exp(np.log(ratios).mean()))
            best = CalibratedScales(
                full=replace(tried, cold_scale=scale.relative * ratio),
                kept=replace(tried, cold_scale=scale.relative * kept[0].level_ratio()),
            )
    return best


@dataclass(frozen=True, eq=False)
class KeptModel:
    """What a split leaves of the clicks, and EASE of it: all that does not depend on the metadata kernel.

    kept_clicks: (n_users, n_kept).  users: the test users, by EASE of the kept clicks.  inverse: its P.
    """

    split: PseudoColdSplit
    kept_clicks: UserItems
    users: Users
    inverse: RidgeInverse
    training: TrainingData

    @classmethod
    def of(cls, ease: EASE, split: PseudoColdSplit) -> "KeptModel":
        """Solve EASE."""
        kept_clicks, histories = split.kept_clicks, split.histories
        inverse = ease.solve(kept_clicks)
        users = Users.of(histories, inverse.weights)
        return cls(split, kept_clicks, users, inverse, TrainingData.of(kept_clicks))


class Tuner:
    """Hidden items of one split, before a model of the kept clicks and before the model of all clicks.

    keeps_best: whether the fit of the best mixture is kept, as it is likely to be asked for again.
    """

    def __init__(self, full: FullFit, model: KeptModel, keeps_best: bool = False) -> None:
        split = model.split
        self._keeps_best, self._best_ndcg = keeps_best, -1.0
        self._best: KeptFit | None = None
        self._full, self._split, self._users = full, split, model.users
        self._kept_clicks, self._inverse, self._training = model.kept_clicks, model.inverse, model.training
        self._targets = select_columns(split.targets, split.hidden_items)
        self._kept = full.encoded.take(split.kept_items)
        hidden = full.encoded.take(split.hidden_items)
        self._popularity = full.ridges.popularity(self._kept, self._training.items, split.kept_items)
        coefficients = self._popularity.dual_coefficients(self._training.log_clicks)
        self._hidden_popularity = self._popularity.kernel_rows(hidden) @ coefficients
        self._path = full.ridges.taste_path(self._kept, self._training.items, split.kept_items)
        self._hidden_rows = self._path.kernel.rows(hidden)
        self._prior_variance = np.maximum(self._path.kernel.diagonal(hidden), 1e-30)

    def fit(self, ridge: float) -> KeptFit:
        """The hidden items as a ridge r predicts them."""
        if self._best is not None and self._best.taste.ridge_ == ridge:
            return self._best
        taste = self._path.at(ridge)
        columns = taste.columns_by(self._hidden_rows.copy(), self._prior_variance)
        return KeptFit(taste, columns.weights, self._hidden_popularity, columns.explained_variance)

    def ndcg_by_mixture(self, scales: Scales, ridge: float) -> Float64:
        """ndcg@10 of the hidden items among themselves for each a and b: (n_smoothings, n_shares).

        The few histories meet EASE before Z does: Z alone has a column for each hidden item.
        """
        if not self._targets.nnz:
            return np.zeros((len(SMOOTHINGS), len(POPULARITY_SHARES)))
        fit, training = self.fit(ridge), self._training.items
        plain = products(select_columns(self._users.histories, training), fit.weights)
        smoothed = self._users.smoothed(training) @ fit.weights
        mixtures = [(a, b * scales.popularity_weight) for a in SMOOTHINGS for b in POPULARITY_SHARES]
        t = scales.inverse_temperature * self._training.mean_length
        ones = np.ones((1, plain.shape[1]), dtype=np.float32)
        a, b = (np.array(each, dtype=np.float32)[:, None] for each in zip(*mixtures, strict=True))
        blends = Blends(*map(_as_float32, (t * (1 - a) * ones, t * a * ones, b * self._hidden_popularity)))
        lengths = self._users.lengths.ravel()
        by_user = blend_ndcgs(plain, smoothed, blends, self._targets, self._split.known_hidden, lengths)
        ndcgs = np.asarray(by_user.mean(axis=1)).reshape(len(SMOOTHINGS), len(POPULARITY_SHARES))
        if self._keeps_best and ndcgs.max() > self._best_ndcg:
            self._best, self._best_ndcg = fit, float(ndcgs.max())
        return ndcgs

    def regressed(self, scales: Scales, fit: KeptFit) -> Scales:
        """With slope and intercept: EASE's scores of the hidden items, per click, on the raw ones."""
        full_users = self._full_users
        ease = full_users.smoothed(self._split.hidden_items) / full_users.lengths
        users = self._users.every(self._stride)
        predicted = fit.raw_scores(scales, self._training.mean_length, users)
        predicted /= users.lengths
        centred = predicted - predicted.mean()
        slope = float(np.vdot(centred, ease) / max(float(np.vdot(centred, centred)), 1e-30))
        if slope <= 0:
            slope = float(ease.std() / max(float(predicted.std()), 1e-15))
        slope = max(slope, 1e-12)
        return replace(scales, slope=slope, intercept=float(ease.mean() - slope * predicted.mean()))

    def rankings(self, scales: Scales, fit: KeptFit) -> HiddenRankings:
        """The hidden items among the warm ones; what these scales say of γ and β is not read."""
        kept, full = self._kept_ranking(scales, fit), self._full_ranking(scales, fit)
        return HiddenRankings(kept, full, self._split.targets)

    @property
    def _stride(self) -> int:
        """Of the test users by whose scores slope, intercept and level are measured."""
        return max(len(self._split.test_users) // _SCALE_USERS, 1)

    @cached_property
    def _full_users(self) -> Users:
        """Some of the test users with all their clicks, by EASE of all clicks."""
        histories = self._full.user_items[self._split.test_users[:: self._stride]]
        return Users.of(histories, self._full.ease_weights)

    def _full_ranking(self, scales: Scales, fit: KeptFit) -> ColdAmongWarm:
        """By the model of all clicks; items that were not kept count 0 in Z."""
        users, kept = self._full_users, self._split.kept_items
        raw = fit.raw_scores(scales, self._full.training.mean_length, users.among(kept))
        n_items = self._full.user_items.shape[1]
        return self._among_warm(users, np.arange(n_items), raw, fit)

    def _kept_ranking(self, scales: Scales, fit: KeptFit) -> ColdAmongWarm:
        """By the model of the kept clicks."""
        raw = fit.raw_scores(scales, self._training.mean_length, self._users)
        return self._among_warm(self._users, self._split.kept_items, raw, fit)

    def _among_warm(self, users: Users, items: ItemIndex, raw: Scores, fit: KeptFit) -> ColdAmongWarm:
        """items: what the columns of the users' histories stand for."""
        warm = users.scores.copy()
        hide(warm, users.histories)
        lengths = users.lengths
        return ColdAmongWarm(
            best_of(warm, items), self._split.hidden_items, raw, lengths, fit.explained_variance
        )

    @cached_property
    def trend(self) -> Float64:
        """How the clicks of the kept items grow or fade before a cut in time, (n_kept,)."""
        assert self._split.train_times is not None
        return popularity_trend(self._kept_clicks, self._split.train_times)

    def fitted_lists(
        self, scales: Scales, fit: KeptFit, histories: UserItems, powers: Sequence[float]
    ) -> list[UserLists]:
        """What the model of the kept clicks shows for histories (n_users, n_kept), by power of the trend."""
        users = Users.of(histories, self._inverse.weights)
        cold = best_of(fit.scores(scales, self._training.mean_length, users), self._split.hidden_items)
        hide(users.scores, histories)
        return self._lists(users.scores, cold, histories, powers)

    def tested_lists(
        self, scales: Scales, fit: KeptFit, warm_scores: Scores, powers: Sequence[float]
    ) -> list[UserLists]:
        """What it shows the test users, by power of the trend.  warm_scores: (n_test_users, n_kept)."""
        scores = fit.scores(scales, self._training.mean_length, self._users)
        hide(scores, self._split.known_hidden)
        cold = best_of(scores, self._split.hidden_items)
        return self._lists(warm_scores, cold, self._users.histories, powers)

    def _lists(
        self, warm_scores: Scores, cold: TopK, histories: UserItems, powers: Sequence[float]
    ) -> list[UserLists]:
        """By power of the trend of warm items; what is not shown is -inf."""
        lengths = np.diff(histories.indptr)
        scores = (warm_scores * (self.trend**power).astype(np.float32) for power in powers)
        warm = (best_of(each, self._split.kept_items) for each in scores)
        return [UserLists(WarmAndCold(top, cold), lengths) for top in warm]

    @property
    def n_new_item_users(self) -> int:
        """Test users with clicks on hidden items to find."""
        return int(np.count_nonzero(np.diff(self._targets.indptr)))

    @property
    def mean_clicks(self) -> float:
        """Per kept item."""
        return float(self._kept_clicks.nnz / self._kept_clicks.shape[1])

    def ramp_stages(self, scales: Scales, fit: KeptFit) -> list[RampStage]:
        """The hidden items after their first clicks, in the order in which the clicks came."""
        metadata_scores = fit.scores(scales, self._training.mean_length, self._users)
        ranks = self._full.click_order.ranks(self._split.hidden_items)
        weights = select_columns(self._full.user_items, self._split.hidden_items)
        hidden_counts, kept_counts = column_counts(ranks), column_counts(self._kept_clicks)
        solved, penalties = self._solved_histories(), self._full.ease.penalties
        stages = []
        for n in CLICKS_GIVEN:
            items = np.flatnonzero(hidden_counts > n)
            if not len(items):
                break
            given, left = (
                filter_entries(weights, chosen)[:, items] for chosen in (ranks.data <= n, ranks.data > n)
            )
            clicks = np.full(len(items), float(n))
            stages.append(
                RampStage(
                    metadata_scores[:, items],
                    added_scores(solved, self._inverse, self._kept_clicks, given, penalties),
                    clicks,
                    new_item_scores(np.concatenate([clicks, kept_counts]))[: len(items)],
                    given[self._split.test_users],
                    left[self._split.test_users],
                )
            )
        return stages

    def _solved_histories(self) -> Float32:
        """P·x of each test user, (n_test_users, n_kept)."""
        solved = self._users.histories.toarray()
        solved -= self._users.scores
        solved *= self._inverse.scale
        return np.asarray(solved, dtype=np.float32)

    def warm_guard(self, scales: Scales, fit: KeptFit) -> WarmGuard:
        """The kept items, those of few clicks also as their metadata predicts them."""
        ease_scores = self._users.scores.copy()
        hide(ease_scores, self._users.histories)
        clicks = column_counts(self._kept_clicks).astype(np.float32)
        rare = np.flatnonzero(clicks < MANY_CLICKS)
        left_out = LeftOutPredictor(self._kept, fit.taste, self._popularity, self._training.log_clicks)
        scores = left_out.scores(scales, self._users, self._training.mean_length)
        targets = select_columns(self._split.targets, self._split.kept_items)
        return WarmGuard(
            ease_scores, rare, scores[:, rare], clicks[rare], new_item_scores(clicks)[rare], targets
        )


def added_scores(
    histories: Float32, inverse: RidgeInverse, user_items: UserItems, given: UserItems, penalties: Penalties
) -> Scores:
    """EASE's scores (n_histories, m) of new items with the clicks ``given`` (n_users, m), each added alone.

    inverse: P of the clicks X = ``user_items`` (n_users, n), by these penalties.  histories: h·P of each
    history h.  Regressing a new column x on X is v = P·XᵀWx, so its score is h·P·XᵀWx. With a relaxed
    diagonal it counts max(1 − ξ, Λ_x / (xᵀWx + Λ_x − vᵀXᵀWx)) times: the second is Λ_x times the diagonal
    that the inverse would have for x. Of few clicks, beside Λ_x, it is 1 but for some percent: then half of
    xᵀWx is taken as explained.
    """
    weighted = given
    if penalties.user_power:
        weighted = scale_rows(given, user_weights(user_items, penalties.user_power).astype(np.float32))
    together = csr_array(weighted.T @ user_items, dtype=np.float32)
    if together.nnz > _DENSE * together.shape[0] * together.shape[1]:
        scores = np.asarray(histories @ together.toarray().T, dtype=np.float32)
    else:
        scores = np.ascontiguousarray(products(together, np.ascontiguousarray(histories.T)).T)
    if penalties.relaxation:
        squared = np.bincount(given.indices, given.data * weighted.data, minlength=given.shape[1])
        ridge, explained = penalties.ridge(squared), squared / 2
        if (squared > _LITTLE * ridge).any():
            rows = together.toarray()
            explained = np.einsum("mn,mn->m", inverse.times(rows), rows)
        scores *= np.maximum(1 - penalties.relaxation, ridge / (ridge + squared - explained))
    return scores


def _as_float32(array: Array) -> Float32:
    return np.ascontiguousarray(array, dtype=np.float32)
