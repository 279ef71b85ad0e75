"""Kernel ridge: brand-new items by a Gaussian process over items, its kernel learned from their metadata.

Two predictions for an item j, from its metadata alone, with Z_j = (K + r·I)⁻¹·k_j (derived in
docs/kernel-ridge.md):

* taste: what each user would click, a ridge regression on the kernel K of clicks that EASE has smoothed,
  ŷ_·j = X·M·Z_j with M = (1 − a)·I + a·B° and B° EASE's weights, none of an item on itself;
* popularity: what everybody would click, g_j, a ridge regression of log-clicks with a kernel of its own.

A new item's weight column is c_j = t·n̄·M·Z_j + b·g_j·1: a score is a sum over the user's clicks, and is split
exactly over them and over fields. The kernels are learned from leave-one-out rankings (``kernel_weights``).
What ranks pseudo-cold items best is chosen (``tuning``): r, a and b, the scale of cold scores beside warm
ones, how much it depends on the explained variance, and how fast an item that gets clicks moves from its
metadata to its own clicks (``warm_up``). All of this is chosen beside EASE; another backbone, fitted once,
then scores the clicked items in its place (``backbones``).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from isotherm.checks import at_least, seeded, whole
from isotherm.data import Interactions, Items
from isotherm.data.kinds import FieldType
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoding import Encoding
from isotherm.features.kernel_index import KernelIndex, WeightedKernel
from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.features.metadata_terms import BASE_LEVEL, MetadataTerm
from isotherm.linalg.csr import column_counts, move_entries, select_columns
from isotherm.models.base import Recommender
from isotherm.models.cold_start.cold_items import ColdItems
from isotherm.models.cold_start.item_trend import ItemTrend, check_times, trend_setting
from isotherm.models.cold_start.new_item_share import (
    TOLD_USERS,
    ShareGoal,
    UserLists,
    given_share,
    lists_by,
    most_share,
    sampled_histories,
    settled_scale,
    share_setting,
    told_share,
)
from isotherm.models.cold_start.pseudo_cold import cuts_of_log
from isotherm.models.cold_start.user_scaling import UserScaling
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.kernel_ridge.backbones import BACKBONES, AtEaseLevel, OtherBackbone, checked_backbone
from isotherm.models.kernel_ridge.columns import LeftOutPredictor, Predictions, Scales, Users
from isotherm.models.kernel_ridge.declared import LEARNED, OTHER
from isotherm.models.kernel_ridge.kernel_weights import KernelWeights, learn_kernel_weights
from isotherm.models.kernel_ridge.learning_sample import LearningSample
from isotherm.models.kernel_ridge.rare_items import blended
from isotherm.models.kernel_ridge.ridge import Ridge, RidgeFitter
from isotherm.models.kernel_ridge.term_shares import TermShares
from isotherm.models.kernel_ridge.training_data import random_rows
from isotherm.models.kernel_ridge.training_log import TrainingLog
from isotherm.models.kernel_ridge.tuner import FullFit, KeptModel
from isotherm.models.kernel_ridge.tuning import InTime, tune
from isotherm.models.kernel_ridge.unrelaxed import Unrelaxed
from isotherm.models.kernel_ridge.warm_up import WarmUp, new_item_scores
from isotherm.models.kernel_ridge.weights_in_time import candidates, choose_in_time
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights, ItemItem
from isotherm.models.linear.penalties import Penalties
from isotherm.models.scorer import (
    IMPORTANCE_ITEMS,
    IMPORTANCE_USERS,
    LEAST_NEW,
    AddsItems,
    Contributions,
    WeighsMetadata,
    evenly,
)
from isotherm.parameters import part_of
from isotherm.progress import expect_stages, note, stage
from isotherm.state import Field
from isotherm.streams import stream
from isotherm.types import Float32, Float64, Int64, ItemIndex, ItemWeights, Scores, UserItems

_RMS_USERS = 400  # by whose scores the root mean square of a column is measured
_READS = "read the metadata"  # stages of a fit
_COMPARES = "compare the items that are learned from"
_FITS_BACKBONE = "fit the backbone"
_REGRESSES = "regress on the metadata"


class KernelRidge(ItemItem, AddsItems, WeighsMetadata):
    """EASE for warm items, kernel ridge on learned metadata kernels for new ones, a smooth way between.

    An item added later gets the weights of a never-clicked one: those of its metadata.

    >>> import polars as pl
    >>> from isotherm import EASE, Interactions, Items, KernelRidge
    >>> log = [(u, i) for u in range(8) for i in range(6) if u % 2 == i % 2 and u != i]
    >>> clicks = Interactions.from_frame(pl.DataFrame(log, schema=["user_id", "item_id"], orient="row"))
    >>> genres = [["war"], ["love"]] * 4
    >>> items = Items.from_frame(pl.DataFrame({"item_id": range(8), "genres": genres}))
    >>> model = KernelRidge(backbone=EASE(l2=1.0), steps=2).fit(clicks, items)
    >>> model.recommend([1], k=1, candidates=[6, 7])["item_id"].to_list()
    [7]

    Parameters:
        backbone (ease, slim, ials, multvae, multdae or recvae; default EASE()): the model of warm items, or
            its name; EASE without ``collective``. Of the others, which are fitted once, warm items have the
            scores, and cold ones get scores at their level; what is learned of cold items is learned beside
            EASE().
        encoding (Encoding; default Encoding()): which metadata fields are read, and how.
        shrinkage (>= 0; default 0.3): δ of the kernels, in units of a field's median squared norm
            (docs/kernel-ridge.md, the kernel).
        sample_items (>= 1; default 1000): the most items that the kernels' weights are learned on.
        sample_users (>= 1; default 600): the most users that they are learned on.
        steps (>= 0; default 20): iterations of L-BFGS for the weights of either kernel.
        draws (>= 1; default 1): draws of items hidden and treated as new, on which scales are chosen.
        new_item_share (in (0, 1) or auto; default auto): the share of lists that never-clicked items have;
            auto: where the log has times, what they had of the latest clicks, as far as the ranking of all
            items bears it; without times, what ranks items hidden and treated as new
            best, but at most twice their share of the catalogue.
        trend (in [0, 1] or auto; default auto): the power of the items' trend (recent clicks over all clicks)
            that scores are multiplied by; auto: what ranks best at
            cuts in time, 0 where the log has no times or it ranks no better.
        exact_items (>= 0; default 20000): the most training items that both regressions use exactly.
        landmarks (>= 1; default 4000): the items that stand for all past ``exact_items`` (Nyström).
        seed (a whole number >= 0; default 0): of the samples and of the items treated as new.
    """

    name: ClassVar[str] = "kernel-ridge"
    needs_items: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, Any]] = {"backbone": BACKBONES, "encoding": {"encoding": Encoding}}

    weights_: DenseWeights  #: EASE's, then the columns of rare items, then those of cold ones
    penalties_: Penalties  #: of EASE
    other_: OtherBackbone | None  #: the backbone where it is not EASE
    kernel_: MetadataKernel
    taste_weights_: Float64  #: μ, one per term of kernel_.terms, and the constant's
    popularity_weights_: Float64  #: ν, the same for popularity
    scales_: Scales
    warm_up_: WarmUp
    new_item_share_: float  #: the share of the fitted users' lists that never-clicked items have
    user_scaling_: UserScaling  #: by which scores of never-clicked items are multiplied for each user
    trend_: ItemTrend  #: by which scores follow how an item's clicks grow or fade
    mean_length_: float  #: n̄, mean clicks per user
    exact_: bool  #: whether every training item is a landmark
    landmarks_: EncodedItems  #: the items that new ones are compared with
    taste_: Ridge
    popularity_coefficients_: Float32  #: (n_landmarks,) α with g_j = α·k'_j
    cold_: ColdItems  #: the items without clicks; certainty: their explained variance
    _landmark_index: KernelIndex  #: follows from the landmarks
    _popularity_kernel: WeightedKernel  #: with the landmarks, by ν

    def __init__(
        self,
        *,
        backbone: Recommender | str | None = None,
        encoding: Encoding | None = None,
        shrinkage: float = 0.3,
        sample_items: int = 1_000,
        sample_users: int = 600,
        steps: int = 20,
        draws: int = 1,
        new_item_share: float | str = "auto",
        trend: float | str = "auto",
        exact_items: int = 20_000,
        landmarks: int = 4_000,
        seed: int = 0,
    ) -> None:
        self.backbone = checked_backbone(backbone)
        self.encoding = part_of(self, "encoding", encoding, Encoding)
        self.shrinkage = at_least("shrinkage", shrinkage, 0)
        self.sample_items = whole("sample_items", sample_items, 1)
        self.sample_users = whole("sample_users", sample_users, 1)
        self.steps = whole("steps", steps, 0)
        self.draws = whole("draws", draws, 1)
        self.new_item_share = share_setting(new_item_share)
        self.trend = trend_setting(trend)
        self.exact_items = whole("exact_items", exact_items, 0)
        self.landmarks = whole("landmarks", landmarks, 1)
        self.seed = seeded("seed", seed)

    @property
    def learned(self) -> Iterator[Field]:
        """What is learned on any backbone; last the backbone, where it is not EASE."""
        yield from LEARNED
        if not isinstance(self.backbone, EASE):
            yield OTHER

    @property
    def trains_in_steps(self) -> bool:
        """Whether the backbone does."""
        return self.backbone.trains_in_steps

    def fit_memory(self, clicks: Interactions) -> float:
        memory = self._ease.fit_memory(clicks)
        return memory if self.backbone is self._ease else memory + self.backbone.fit_memory(clicks)

    def memory_settings(self) -> dict[str, int]:
        return {f"backbone.{name}": value for name, value in self.backbone.memory_settings().items()}

    @property
    def _ease(self) -> EASE:
        """The backbone, or what stands for it where new items are learned."""
        return self.backbone if isinstance(self.backbone, EASE) else EASE(seed=self.seed)

    @property
    def n_weights(self) -> int:
        """Of μ: one per term, and the constant's."""
        return len(self.kernel_.terms) + 1

    def restored(self) -> None:
        """Compare with the landmarks again."""
        if isinstance(self.backbone, EASE):
            self.other_ = None
        self._index_landmarks()
        self.taste_.attach(self._landmark_index.weighted(self.taste_weights_), len(self.weights_.rows))

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        assert items is not None
        check_times(self.name, self.trend, clicks)
        expect_stages(8)
        with stage(_READS):
            self.kernel_, encoded = MetadataKernel.fit_encode(items, self.encoding, shrinkage=self.shrinkage)
            log = TrainingLog.of(clicks, encoded)
        cuts = cuts_of_log(self.name, clicks, log.user_items, self.seed)
        expect_stages(8 + bool(cuts))
        with stage("learn what the metadata is worth", 2 * self.steps, "steps", may_stop=True) as advance:
            sample = LearningSample.of(log, self.kernel_, self.sample_items, self.sample_users, self.seed)
            learned = learn_kernel_weights(sample, self.steps, advance)
            tried = candidates(learned, sample) if cuts and sample.user_items.shape[0] else [learned]
            del sample  # up to a gigabyte
            self._take_weights(learned)
        with stage(_FITS_BACKBONE):
            ease, ease_weights = self._ease_weights(log)
            self.other_ = self._fitted_other(clicks, items, options)
            kept = [KeptModel.of(ease, cut) for cut in cuts]
        full = self._full_fit(log, clicks, ease, ease_weights)
        if len(tried) > 1:
            chosen = choose_in_time(tried, full, kept)
            note(f"{self.name}: {chosen}")
            self._take_weights(chosen.weights)
            full = replace(full, ridges=self._ridges)
        with stage(_COMPARES):
            full = replace(full, ridges=full.ridges.sharing(log.encoded, log.training.items))
        goal = self._tune(clicks, log, full, kept)
        with stage(_REGRESSES):
            left_out = self._solve(log, ease_weights, full.ridges)
            predictions = self._cold_predictions(log)
        with stage("set the share of new items"):
            self._settle_new_items(log, left_out, predictions, goal, most_share(clicks, len(log.cold)))
            self._append_cold(log, predictions)

    def _refit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """Solve anew for newer clicks and items.

        Held meanwhile: encoders, the weights of both kernels, scales, those of users, the trend's power and
        the warm-up.
        """
        assert items is not None
        check_times(self.name, self.trend, clicks)
        expect_stages(3)
        with stage(_READS):
            log = TrainingLog.of(clicks, self.kernel_.encode(items))
        with stage(_FITS_BACKBONE):
            _, ease_weights = self._ease_weights(log)
            self.other_ = self._fitted_other(clicks, items, options)
        with stage(_REGRESSES):
            self._solve(log, ease_weights, self._ridges)
            self._append_cold(log, self._cold_predictions(log))
        self.user_scaling_ = self.user_scaling_.at(log.n_items)
        self.trend_ = self.trend_.of_newer(self.name, clicks)

    def learned_settings(self) -> dict[str, float]:
        """The taste ridge r, the share of new items, the trend's power and the penalties, where learned."""
        if not hasattr(self, "cold_"):
            return {}
        learned = {"scales_.ridge": float(self.scales_.ridge)}
        if self.new_item_share == "auto" and len(self.cold_):
            learned["new_item_share_"] = self.new_item_share_
        learned |= self.penalties_.learned_settings(self._ease.asked, "penalties_")
        if self.other_ is not None:
            of_other = self.other_.model.learned_settings()
            learned |= {f"other_.model.{name}": value for name, value in of_other.items()}
        return learned | self.trend_.learned_settings(self.trend)

    def _take_weights(self, learned: KernelWeights) -> None:
        """μ and ν in use, and the scales that go with them."""
        self.taste_weights_, self.popularity_weights_ = learned.taste, learned.popularity
        self.user_scaling_ = UserScaling()
        self.scales_ = Scales(
            inverse_temperature=learned.inverse_temperature, popularity_weight=learned.popularity_weight
        )

    @property
    def _ridges(self) -> RidgeFitter:
        """Fits both regressions with the weights that were learned."""
        return RidgeFitter(
            self.kernel_,
            self.taste_weights_,
            self.popularity_weights_,
            self.exact_items,
            self.landmarks,
            self.seed,
        )

    def _ease_weights(self, log: TrainingLog) -> tuple[EASE, ItemWeights]:
        """EASE with numbers for what it learns of its settings, and B."""
        ease = self._ease.settled(log.user_items)
        self.penalties_ = ease.penalties
        return ease, ease.solve(log.user_items).weights

    def _fitted_other(
        self, clicks: Interactions, items: Items | None, options: FitOptions
    ) -> OtherBackbone | None:
        """The backbone where it is not EASE."""
        if isinstance(self.backbone, EASE):
            return None
        return OtherBackbone.fitted(self.backbone, clicks, items, options)

    def _full_fit(
        self, log: TrainingLog, clicks: Interactions, ease: EASE, ease_weights: ItemWeights
    ) -> FullFit:
        """What pseudo-cold items are hidden from."""
        order = log.click_order(clicks, self.seed)
        return FullFit(log.user_items, order, log.encoded, ease, ease_weights, log.training, self._ridges)

    def _tune(
        self, clicks: Interactions, log: TrainingLog, full: FullFit, cuts: Sequence[KeptModel]
    ) -> ShareGoal | None:
        """Scales, warm-up and trend; returns the share of lists that new items shall have."""
        asked = InTime(len(log.cold), given_share(self.new_item_share), self.trend)
        tuned = tune(full, self.scales_, self.draws, self.seed, cuts, asked)
        self.scales_, self.warm_up_ = tuned.scales, tuned.warm_up
        self.trend_ = ItemTrend.of(clicks, tuned.trend)
        return tuned.goal

    def _solve(self, log: TrainingLog, ease_weights: ItemWeights, ridges: RidgeFitter) -> LeftOutPredictor:
        """Both regressions, then the weights: EASE's, and the columns of rare items.

        Returns what predicts any clicked item as though nobody had clicked it.
        """
        training = log.training
        self.mean_length_ = training.mean_length
        self.exact_ = ridges.is_exact(training.items)
        landmarks = ridges.landmark_items(training.items)
        self.landmarks_ = log.encoded.take(landmarks)
        self._index_landmarks()
        self.taste_ = ridges.taste(log.encoded, training.items, self.scales_.ridge)
        popularity = ridges.popularity(log.encoded, training.items)
        self.popularity_coefficients_ = popularity.coefficients_of(training.log_clicks, landmarks)
        self.weights_ = DenseWeights.among(log.n_items, log.warm, ease_weights)
        left_out = LeftOutPredictor(log.encoded, self.taste_, popularity, training.log_clicks)
        self._blend_rare_items(log, left_out)
        return left_out

    def _cold_predictions(self, log: TrainingLog) -> Predictions | None:
        """What metadata says of the items without clicks; None where there are none."""
        return self._predict(log.cold_encoded) if len(log.cold) else None

    def _append_cold(self, log: TrainingLog, predictions: Predictions | None) -> None:
        """The columns of the items without clicks."""
        self.cold_ = ColdItems(log.cold, log.cold_encoded, np.empty(0, dtype=np.float32))
        if predictions is not None:
            self.cold_ = ColdItems(log.cold, log.cold_encoded, predictions.explained_variance)
            self.weights_ = self.weights_.appended(log.n_items, log.cold, self._columns(predictions))

    def _settle_new_items(
        self,
        log: TrainingLog,
        left_out: LeftOutPredictor,
        predictions: Predictions | None,
        goal: ShareGoal | None,
        most: ShareGoal,
    ) -> None:
        """Their share of the lists of some users: as the goal says, or by the scales, up to ``most``."""
        users = sampled_histories(log.user_items, self.seed, *([TOLD_USERS] if goal is None else []))
        lists = None
        if goal is not None and goal.stand_in is not None:
            columns = [columns for _, columns in self._left_out_columns(left_out, goal.stand_in)]
            lists = self._lists_with(log, users, np.concatenate(columns, axis=1))
        elif predictions is not None:
            lists = self._lists_with(log, users, self._columns(predictions))
        scale = settled_scale(lists, goal, most)
        self.user_scaling_, self.new_item_share_ = scale.by_user.at(log.n_items), scale.share
        self.scales_ = replace(self.scales_, new_item_factor=scale.factor)
        if lists is not None:
            note(f"{self.name}: {told_share(goal, scale)}")

    def _lists_with(self, log: TrainingLog, users: UserItems, columns: ItemWeights) -> UserLists:
        """The users' best warm items, and new ones of these weight columns, at the end of the catalogue."""
        new = log.n_items + np.arange(columns.shape[1])
        weights = self.weights_.appended(log.n_items + len(new), new, np.ascontiguousarray(columns))
        histories = move_entries(users, log.warm[users.indices], log.n_items + len(new))
        trend = self.trend_.appended(len(new))
        return lists_by(
            lambda block: trend.scaled(self._at_ease_level(block, weights).scores), histories, log.warm, new
        )

    def _index_landmarks(self) -> None:
        """Be ready to compare items with the landmarks."""
        self._landmark_index = self.kernel_.index(self.landmarks_)
        self._popularity_kernel = self._landmark_index.weighted(self.popularity_weights_)

    def _predict(self, queries: EncodedItems) -> Predictions:
        """What metadata says of never-clicked items."""
        taste = self.taste_.columns(queries)
        popularity = self._popularity_kernel.rows(queries) @ self.popularity_coefficients_
        smoothed = taste.weights
        if self.scales_.smoothing > 0:
            smoothed = Unrelaxed.of(self.weights_.warm).times(self.weights_.warm, taste.weights)
        return Predictions(taste.weights, smoothed, popularity, taste.explained_variance)

    def _columns(self, predictions: Predictions) -> ItemWeights:
        """Weight columns (n_warm, n_queries) of never-clicked items."""
        return np.ascontiguousarray(predictions.columns(self.scales_.of_new_items, self.mean_length_))

    def _left_out_columns(
        self, left_out: LeftOutPredictor, items: ItemIndex
    ) -> Iterator[tuple[Int64, ItemWeights]]:
        """Weight columns (n_warm, len(band)) of the items at ``items[band]``, each without its own clicks."""
        return left_out.columns(self.scales_, items, self.weights_.warm, self.mean_length_)

    def _blend_rare_items(self, log: TrainingLog, left_out: LeftOutPredictor) -> None:
        """Replace the columns of items with few clicks by what lies between metadata and own clicks."""
        clicks = column_counts(log.user_items)
        if self.other_ is not None:
            self.other_.own_shares = self.warm_up_.own_shares(clicks, new_item_scores(clicks))
        n_users = log.user_items.shape[0]
        users = log.user_items[random_rows(n_users, _RMS_USERS, stream(self.seed, "listeners"))]
        rare = blended(
            left_out,
            self.scales_,
            self.warm_up_,
            clicks,
            self.weights_.warm,
            Users.of(users, self.weights_.warm),
            self.mean_length_,
        )
        if len(rare.items):
            self.weights_ = self.weights_.replaced(log.warm[rare.items], rare.columns)

    def _score(self, user_items: UserItems) -> Scores:
        """user_items · weights_, by the items' trend, those of never-clicked items scaled for each user.

        Of another backbone than EASE, at its level.
        """
        at_ease = self._at_ease_level(user_items, self.weights_)
        scores = self.trend_.scaled(at_ease.scores)
        return at_ease.at_own_level(self.user_scaling_.scale(scores, user_items, self.cold_.columns))

    def _at_ease_level(self, user_items: UserItems, weights: DenseWeights) -> AtEaseLevel:
        """Scores of all items.  weights: EASE's, and the columns of items that it says too little of."""
        if self.other_ is None:
            return AtEaseLevel(weights.scores(user_items))
        return self.other_.at_ease_level(weights, user_items)

    def user_vectors(self, user_items: UserItems) -> Float32 | UserItems:
        """As the backbone has it."""
        if self.other_ is None:
            return super().user_vectors(user_items)
        return self.other_.user_vectors(user_items)

    @property
    def item_schema(self) -> dict[str, FieldType]:
        """The item fields in use, and how they are read."""
        return dict(self._fitted().kernel_.encoders.schema)

    def append_items(self, items: Items, n_items: int) -> None:
        """New items get the columns of never-clicked ones: a solve with the kept factor."""
        queries = self.kernel_.encode(items)
        new = np.arange(self.n_items, n_items)
        predictions = self._predict(queries)
        self.weights_ = self.weights_.appended(n_items, new, self._columns(predictions))
        self.cold_ = self.cold_.appended(ColdItems(new, queries, predictions.explained_variance))
        self.trend_ = self.trend_.appended(len(new))

    def certainty(self) -> pl.DataFrame:
        """How sure the model is of each never-clicked item: item_id, certainty in [0, 1], surest first.

        The share of the item's prior variance that the metadata of the clicked items explains.
        """
        cold = self._fitted().cold_
        frame = pl.DataFrame({"item_id": self.items_.take(cold.columns), "certainty": cold.certainty})
        return frame.sort("certainty", descending=True, maintain_order=True)

    def metadata_terms(self) -> list[MetadataTerm]:
        """The kernels: fields and amounts of them; last what is the same for all items."""
        return [*self._fitted().kernel_.named_terms, MetadataTerm(BASE_LEVEL, (BASE_LEVEL,))]

    def metadata_weights(self) -> pl.DataFrame:
        """The weights of the kernels: term, taste (μ), popularity (ν), all >= 0.

        ``importance`` says what a field does.
        """
        names = [term.name for term in self.metadata_terms()]
        return pl.DataFrame(
            {"term": names, "taste": self.taste_weights_, "popularity": self.popularity_weights_}
        )

    def metadata_contributions(self) -> Float64:
        """What each kernel gives to c_j, summed over a history, before β and the explained variance."""
        users = evenly(np.flatnonzero(np.diff(self._fitted().clicks_.indptr)), IMPORTANCE_USERS)
        histories = self.histories_of(users)
        if len(self.cold_) >= LEAST_NEW:
            new = evenly(np.arange(len(self.cold_)), IMPORTANCE_ITEMS)
            return self._by_term(histories, self.cold_.encoded.take(new))
        clicked = evenly(np.arange(len(self.landmarks_)), IMPORTANCE_ITEMS)
        return self._by_term(histories, self.landmarks_.take(clicked), clicked)

    def contributions(self, history: UserItems, column: int) -> Contributions:
        """Each click's weight, and what metadata gives to a never-clicked item."""
        factor = self.trend_.factors[column]
        position, certainty = self.cold_.position(column), self.cold_.certainty
        if position is None or certainty is None:
            if self.other_ is None:
                return Contributions(super().contributions(history, column).by_click * factor)
            return Contributions(self.other_.shares_of_clicked(self.weights_, history, column, float(factor)))
        at_ease = self._at_ease_level(history, self.weights_)
        scores = self.trend_.scaled(at_ease.scores)
        of_user = self.user_scaling_.of(scores, history, self.cold_.columns)[0]
        by_click = super().contributions(history, column).by_click * factor * of_user
        cold_factor = float(self.scales_.of_new_items.cold_factor(certainty)[position] * of_user)
        by_term = cold_factor * self._by_term(history, self.cold_.encoded.take(np.array([position])))[:, 0, 0]
        by_click, by_term = at_ease.shares_at_own_level(by_click, by_term)
        return Contributions(by_click, self.metadata_terms(), by_term, float(certainty[position]))

    def _by_term(
        self, histories: UserItems, items: EncodedItems, landmarks: ItemIndex | None = None
    ) -> Float64:
        """What each term gives to the raw scores of cold items, (n_terms + 1, n_users, n_items).

        landmarks: which of them the items are, compared with the others alone.
        """
        kernels = self._landmark_index.by_term(items)
        if landmarks is not None:
            kernels[:, np.arange(len(items)), landmarks] = 0
        shares = TermShares(
            self.taste_,
            self.popularity_coefficients_,
            self.taste_weights_,
            self.popularity_weights_,
            self.weights_.warm,
            self.scales_,
            self.mean_length_,
        )
        return shares.of(select_columns(histories, self.weights_.rows), kernels)
