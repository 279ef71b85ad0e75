"""Hidden items of one pseudo-cold split, as the model of the kept clicks and that of all clicks rank them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.linalg.csr import binary, column_counts, filter_entries, scale_rows, select_columns
from isotherm.linalg.products import products
from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.cold_start.calibration import WarmAndCold, best_of, mean_ndcg, top_items, top_items_by
from isotherm.models.cold_start.item_trend import popularity_trend
from isotherm.models.cold_start.new_item_share import UserLists
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.kernel_ridge.columns import LeftOutPredictor, Predictions, Scales
from isotherm.models.kernel_ridge.ridge import Ridge, RidgeFitter
from isotherm.models.kernel_ridge.training_data import TrainingData, history_lengths
from isotherm.models.kernel_ridge.warm_up import MANY_CLICKS, new_item_scores
from isotherm.models.kernel_ridge.warm_up_tuning import (
    CLICKS_GIVEN,
    RampStage,
    WarmGuard,
)
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.penalties import Penalties, user_weights
from isotherm.progress import stage
from isotherm.ranking.topk import TopK, hide
from isotherm.types import Float32, Float64, ItemIndex, ItemWeights, Scores, UserItems

SMOOTHINGS = (0.0, 0.3, 0.6, 0.9)  # a
POPULARITY_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25)  # b, in units of the learned one
VARIANCE_EXPONENTS = (0.0, 0.5, 1.0, 2.0)  # γ


@dataclass(frozen=True, eq=False)
class FullFit:
    """Clicked items with all their clicks, from which some are hidden.

    user_items: (n_users, n).  click_ranks: the same entries, the rank of each click, from 1, among those of
    its item.  encoded: metadata of the items.  ease_weights: (n, n) B, by ``ease``.  training: their targets.
    ridges: fits both regressions.
    """

    user_items: UserItems
    click_ranks: UserItems
    encoded: EncodedItems
    ease: EASE
    ease_weights: ItemWeights
    training: TrainingData
    ridges: RidgeFitter


@dataclass(frozen=True, eq=False)
class KeptFit:
    """The taste ridge of the kept items under one r, and what it says of the hidden ones."""

    taste: Ridge
    hidden: Predictions


@dataclass(frozen=True)
class CalibratedScales:
    """full: for the model of all clicks.  kept: for that of the kept clicks, of another cold_scale."""

    full: Scales
    kept: Scales


@dataclass(frozen=True, eq=False)
class ColdAmongWarm:
    """Hidden items among the warm ones, as one model ranks both for the test users.

    histories: (n_test_users, n).  warm: their best unseen warm items.  hidden_items: (m,) item columns.
    raw_columns: (n, m) of the hidden items.  explained_variance: (m,).
    """

    histories: UserItems
    warm: TopK
    hidden_items: ItemIndex
    raw_columns: ItemWeights
    explained_variance: Float32

    def lists(self, scales: Scales) -> WarmAndCold:
        """The best items of both kinds under these scales."""
        columns = scales.scaled(self.raw_columns.copy(), self.explained_variance)
        return WarmAndCold(self.warm, top_items(self.histories, columns, self.hidden_items))


@dataclass(frozen=True, eq=False)
class KeptModel:
    """What a split leaves of the clicks, and EASE of it: all that does not depend on the metadata kernel.

    kept_clicks: (n_users, n_kept).  histories: (n_test_users, n_kept).  inverse: P of the kept clicks.
    smoothed: (n_test_users, n_kept) the histories times EASE's weights B.
    """

    split: PseudoColdSplit
    kept_clicks: UserItems
    histories: UserItems
    inverse: RidgeInverse
    smoothed: Scores
    training: TrainingData

    @classmethod
    def of(cls, ease: EASE, split: PseudoColdSplit) -> "KeptModel":
        """Solve EASE."""
        kept_clicks, histories = split.kept_clicks, split.histories
        inverse = ease.solve(kept_clicks)
        smoothed = products(histories, inverse.weights)
        return cls(split, kept_clicks, histories, inverse, smoothed, TrainingData.of(kept_clicks))


class Tuner:
    """Hidden items of one split, before a model of the kept clicks and before the model of all clicks."""

    def __init__(self, full: FullFit, model: KeptModel) -> None:
        split = model.split
        self._full, self._split = full, split
        self._kept_clicks, self._histories = model.kept_clicks, model.histories
        self._history_lengths = history_lengths(self._histories)
        self._targets = select_columns(split.targets, split.hidden_items)
        self._kept = full.encoded.take(split.kept_items)
        self._hidden = full.encoded.take(split.hidden_items)
        self._inverse, self._smoothed, self._training = model.inverse, model.smoothed, model.training
        self._popularity = full.ridges.popularity(self._kept, self._training.items)
        coefficients = self._popularity.dual_coefficients(self._training.log_clicks)
        self._hidden_popularity = self._popularity.kernel_rows(self._hidden) @ coefficients

    def fit(self, ridge: float) -> KeptFit:
        """The hidden items as a ridge r predicts them."""
        taste = self._full.ridges.taste(self._kept, self._training.items, ridge)
        columns = taste.columns(self._hidden)
        smoothed = self._inverse.weights @ columns.weights
        predictions = Predictions(
            columns.weights, smoothed, self._hidden_popularity, columns.explained_variance
        )
        return KeptFit(taste, predictions)

    def ndcg_by_mixture(self, scales: Scales, ridge: float) -> Float64:
        """ndcg@10 of the hidden items among themselves for each a and b: (n_smoothings, n_shares).

        The few histories meet EASE before Z does: Z alone has a column for each hidden item.
        """
        columns = self._full.ridges.taste(self._kept, self._training.items, ridge).columns(self._hidden)
        taste, smoothed = self._histories @ columns.weights, self._smoothed @ columns.weights
        ndcgs = np.empty((len(SMOOTHINGS), len(POPULARITY_SHARES)))
        for i, a in enumerate(SMOOTHINGS):
            for j, b in enumerate(POPULARITY_SHARES):
                tried = replace(scales, smoothing=a, popularity_weight=b * scales.popularity_weight)
                scores = tried.raw(
                    taste,
                    smoothed,
                    self._hidden_popularity,
                    self._training.mean_length,
                    self._history_lengths,
                )
                hide(scores, self._split.known_hidden)
                ndcgs[i, j] = mean_ndcg(scores, self._targets)
        return ndcgs

    def calibrate(self, scales: Scales, fit: KeptFit) -> CalibratedScales:
        """Slope and intercept by regression, γ and β by the ranking of cold among warm items."""
        scales = self._regressed_on_ease(scales, fit)
        kept, full = self._kept_ranking(scales, fit), self._full_ranking(scales, fit)
        best_ndcg, best = -1.0, CalibratedScales(scales, scales)
        for exponent in VARIANCE_EXPONENTS:
            tried = replace(scales, variance_exponent=exponent)
            kept_lists = kept.lists(tried)
            scale = kept_lists.best_scale(self._split.targets)
            if scale.ndcg > best_ndcg * (1 + 1e-3):
                best_ndcg = scale.ndcg
                best = CalibratedScales(
                    full=replace(tried, cold_scale=scale.relative * full.lists(tried).level_ratio()),
                    kept=replace(tried, cold_scale=scale.relative * kept_lists.level_ratio()),
                )
        return best

    def _kept_ranking(self, scales: Scales, fit: KeptFit) -> ColdAmongWarm:
        """By the model of the kept clicks."""
        split, hidden = self._split, fit.hidden
        warm = top_items(self._histories, self._inverse.weights, split.kept_items, hide_seen=True)
        raw = hidden.raw_columns(scales, self._training.mean_length)
        return ColdAmongWarm(self._histories, warm, split.hidden_items, raw, hidden.explained_variance)

    def _full_ranking(self, scales: Scales, fit: KeptFit) -> ColdAmongWarm:
        """By the model of all clicks; items that were not kept count 0 in Z."""
        split, full, hidden = self._split, self._full, fit.hidden
        histories, n_items = full.user_items[split.test_users], full.user_items.shape[1]
        warm = top_items(histories, full.ease_weights, np.arange(n_items), hide_seen=True)
        taste = np.zeros((n_items, hidden.taste.shape[1]), dtype=np.float32)
        taste[split.kept_items] = hidden.taste
        predictions = replace(hidden, taste=taste, smoothed_taste=full.ease_weights @ taste)
        raw = predictions.raw_columns(scales, full.training.mean_length)
        return ColdAmongWarm(histories, warm, split.hidden_items, raw, hidden.explained_variance)

    @cached_property
    def trend(self) -> Float64:
        """How the clicks of the kept items grow or fade before a cut in time, (n_kept,)."""
        assert self._split.train_times is not None
        return popularity_trend(self._kept_clicks, self._split.train_times)

    def fitted_lists(
        self, scales: Scales, fit: KeptFit, histories: UserItems, powers: Sequence[float]
    ) -> list[UserLists]:
        """What the model of the kept clicks shows for histories (n_users, n_kept), by power of the trend."""
        columns = fit.hidden.columns(scales, self._training.mean_length)
        cold = top_items(histories, columns, self._split.hidden_items)
        lengths = np.diff(histories.indptr)
        weights, kept = self._inverse.weights, self._split.kept_items
        factors = [(self.trend**power).astype(np.float32) for power in powers]

        def scored(by: Float32) -> TopK:
            return top_items_by(lambda block: products(block, weights) * by, histories, kept, hide_seen=True)

        warm = [scored(by) for by in factors]
        return [UserLists(WarmAndCold(top, cold), lengths) for top in warm]

    def tested_lists(
        self, scales: Scales, fit: KeptFit, warm_scores: Scores, powers: Sequence[float]
    ) -> list[UserLists]:
        """What it shows the test users, by power of the trend.  warm_scores: (n_test_users, n_kept)."""
        columns = fit.hidden.columns(scales, self._training.mean_length)
        cold = top_items(self._histories, columns, self._split.hidden_items, seen=self._split.known_hidden)
        lengths = np.diff(self._histories.indptr)
        scores = (warm_scores * (self.trend**power).astype(np.float32) for power in powers)
        warm = (best_of(each, self._split.kept_items) for each in scores)
        return [UserLists(WarmAndCold(top, cold), lengths) for top in warm]

    def _regressed_on_ease(self, scales: Scales, fit: KeptFit) -> Scales:
        """With slope and intercept: EASE's scores of the hidden items, per click, on the raw ones."""
        histories = self._full.user_items[self._split.test_users]
        ease = histories @ self._full.ease_weights[:, self._split.hidden_items]
        ease /= history_lengths(histories)
        raw = fit.hidden.raw_columns(scales, self._training.mean_length)
        predicted = (self._histories @ raw) / self._history_lengths
        centred = predicted - predicted.mean()
        slope = float(np.vdot(centred, ease) / max(float(np.vdot(centred, centred)), 1e-30))
        if slope <= 0:
            slope = float(ease.std() / max(float(predicted.std()), 1e-15))
        slope = max(slope, 1e-12)
        return replace(scales, slope=slope, intercept=float(ease.mean() - slope * predicted.mean()))

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
        metadata_scores = self._histories @ fit.hidden.columns(scales, self._training.mean_length)
        ranks = self._full.click_ranks[:, self._split.hidden_items]
        hidden_counts, kept_counts = column_counts(ranks), column_counts(self._kept_clicks)
        stages = []
        for n in CLICKS_GIVEN:
            items = np.flatnonzero(hidden_counts > n)
            if not len(items):
                break
            given, left = (
                filter_entries(ranks, chosen)[:, items] for chosen in (ranks.data <= n, ranks.data > n)
            )
            clicks = np.full(len(items), float(n))
            stages.append(
                RampStage(
                    metadata_scores[:, items],
                    self._histories @ self._added_columns(given),
                    clicks,
                    new_item_scores(np.concatenate([clicks, kept_counts]))[: len(items)],
                    given[self._split.test_users],
                    left[self._split.test_users],
                )
            )
        return stages

    def _added_columns(self, given: UserItems) -> ItemWeights:
        """EASE's columns of hidden items with these clicks."""
        return added_columns(self._inverse, self._kept_clicks, given, self._full.ease.penalties)

    def warm_guard(self, scales: Scales, fit: KeptFit) -> WarmGuard:
        """The kept items, those of few clicks also as their metadata predicts them."""
        ease_scores = np.asarray(self._histories @ self._inverse.weights, dtype=np.float32)
        hide(ease_scores, self._histories)
        clicks = np.asarray(self._kept_clicks.sum(axis=0), dtype=np.float32).ravel()
        rare = np.flatnonzero(clicks < MANY_CLICKS)
        metadata_scores = np.empty((len(ease_scores), len(rare)), dtype=np.float32)
        left_out = LeftOutPredictor(
            self._kept,
            fit.taste,
            self._popularity,
            self._training.log_clicks,
            self._inverse.weights,
            self._training.mean_length,
        )
        with stage("predict items of few clicks", len(rare), "items") as advance:
            for band, columns in left_out.columns(scales, rare):
                metadata_scores[:, band] = self._histories @ columns
                advance(len(band))
        targets = select_columns(self._split.targets, self._split.kept_items)
        return WarmGuard(
            ease_scores, rare, metadata_scores, clicks[rare], new_item_scores(clicks)[rare], targets
        )


def added_columns(
    inverse: RidgeInverse, user_items: UserItems, given: UserItems, penalties: Penalties
) -> ItemWeights:
    """EASE's columns (n, m) of new items with the clicks ``given`` (n_users, m), each added alone.

    inverse: P of the clicks X = ``user_items`` (n_users, n), by these penalties. Regressing a new column x on
    them is v = P·XᵀWx. With a relaxed diagonal it counts max(1 − ξ, Λ_x / (xᵀWx + Λ_x − vᵀXᵀWx)) times: the
    second is Λ_x times the diagonal that the inverse would have for x.
    """
    given = binary(given)
    if penalties.user_power:
        given = scale_rows(given, user_weights(user_items, penalties.user_power).astype(np.float32))
    together = np.asarray((user_items.T @ given).toarray(), dtype=np.float32).T
    columns = inverse.times(together)
    if penalties.relaxation:
        squared = np.bincount(given.indices, given.data, minlength=given.shape[1])
        ridge = penalties.ridge(squared)
        left = ridge + squared - np.einsum("mn,mn->m", columns, together)
        columns *= np.maximum(1 - penalties.relaxation, ridge / left).astype(np.float32)[:, None]
    return columns.T
