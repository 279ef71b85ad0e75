"""MARec (Monteil et al. 2024): a backbone whose rare and new items are aligned with item metadata.

Metadata similarities G⁽ᵏ⁾ (eq. 3-4) are mixed by weights μ learned from clicks (eq. 5) into G. The backbone's
training is drawn to f_A = αXGD (eq. 6), where D decays with an item's clicks. How, says the backbone's family
in ``backbones``: eq. 9 and 10 in closed form on item-item weights, eq. 7 as a soft target of the VAEs, and
confidence-weighted soft targets of matrix factorization. Inference is the backbone's own.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, ClassVar

import numpy as np
import polars as pl

from isotherm.checks import above, at_least, between, is_text, one_of, seeded, truth
from isotherm.data import Interactions, Items
from isotherm.data.kinds import FieldType
from isotherm.errors import UnsupportedError
from isotherm.features.encoded_items import EncodedItems
from isotherm.features.encoding import Encoding
from isotherm.features.metadata_similarity import Embedding, MetadataSimilarity
from isotherm.features.metadata_terms import MetadataTerm
from isotherm.linalg.csr import move_entries, select_columns
from isotherm.models.base import Recommender
from isotherm.models.cold_start.cold_items import ColdItems
from isotherm.models.cold_start.item_trend import (
    ItemTrend,
    check_times,
    choose_trend,
    trend_setting,
    tried_powers,
)
from isotherm.models.cold_start.new_item_share import (
    CutInTime,
    ShareGoal,
    UserLists,
    given_share,
    learned_goal,
    lists_by,
    most_share,
    sampled_histories,
    settled_scale,
    share_setting,
    told_share,
)
from isotherm.models.cold_start.pseudo_cold import (
    PseudoColdSplit,
    cuts_of_log,
)
from isotherm.models.cold_start.user_scaling import LEAST_NEW_ITEMS, UserScaling, own_share, scale_columns
from isotherm.models.factorization.auto import Regularization
from isotherm.models.fit_inputs import FitOptions
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.marec.backbones import BACKBONES, aligner_of, checked_backbone
from isotherm.models.marec.backbones.base import (
    AlignedBackbone,
    Aligner,
    Alignment,
    BackboneData,
    CatalogueColumns,
    ExplainsClicks,
    ExplainsFields,
    WeightsBackbone,
)
from isotherm.models.marec.beta import BetaChoice, GivenBeta, HeldBeta, LearnedBeta
from isotherm.models.marec.embedding import EMBEDDINGS, EmbeddingModel, Identity, LearnedEmbedding
from isotherm.models.marec.field_weights import CellSample, normal_equations
from isotherm.models.marec.in_time import cut_in_time
from isotherm.models.marec.pseudo_cold import PseudoColdItems
from isotherm.models.marec.similarity import ItemMetadata, WeightedSimilarity
from isotherm.models.marec.warm_clicks import WarmClicks
from isotherm.models.marec.weights_in_time import candidates, choose_in_time
from isotherm.models.scorer import (
    IMPORTANCE_ITEMS,
    IMPORTANCE_USERS,
    LEAST_NEW,
    AddsItems,
    ComparesItems,
    Contributions,
    Explains,
    WeighsMetadata,
    evenly,
)
from isotherm.parameters import part_of
from isotherm.progress import expect_stages, note, stage
from isotherm.state import Dense, Field, Inner, Plain, Size
from isotherm.types import Float32, Float64, ItemIndex, Scores, UserItems
from isotherm.untrusted import Number

_READS = "read the metadata"  # a stage of a fit
#: d_j / β of an item with x·p clicks (eq. 6)
_DECAYS: dict[str, Callable[[Float64], Float64]] = {
    "linear": lambda x: np.maximum(1 - x, 0),
    "constant": lambda x: (x < 1).astype(np.float64),
    "exponential": lambda x: np.where(np.exp(-x) >= 0.01, np.exp(-x), 0),
}


class MARec(Recommender, ComparesItems, Explains, AddsItems, WeighsMetadata):
    """A backbone whose rare and never-clicked items are aligned with item metadata.

    >>> import polars as pl
    >>> from isotherm import EASE, Interactions, Items, MARec
    >>> log = pl.DataFrame({"user_id": [1, 1, 2, 2, 3, 4], "item_id": ["a", "b", "a", "b", "c", "a"]})
    >>> table = pl.DataFrame({"item_id": ["a", "b", "c"], "genre": [["space"], ["space"], ["love"]]})
    >>> model = MARec(backbone=EASE(l2=1.0), beta=1.0)
    >>> model = model.fit(Interactions.from_frame(log), Items.from_frame(table))
    >>> new = pl.DataFrame({"item_id": ["new", "newer"], "genre": [["love"], ["space"]]})
    >>> model.add_items(Items.from_frame(new)).recommend([4], k=2)["item_id"].to_list()
    ['b', 'newer']

    Parameters:
        backbone (ease, slim, ials, multvae, multdae or recvae; default EASE()): the model that is aligned,
            with settings of its own, or its name: EASE (eq. 9), SLIM (eq. 10), IALS, or MultVAE, MultDAE and
            RecVAE (eq. 7).
        encoding (an Encoding; default Encoding()): the metadata fields, and how they become vectors.
        shrinkage (>= 0; default 20): δ, which shrinks the similarity of items with little metadata (eq. 3).
        second_order (true or false; default true): whether products of two fields' similarities count beside
            the fields alone (eq. 5).
        alpha (> 0; default 1): α, the weight of the alignment in the backbone's loss (eq. 6).
        beta (> 0 or auto; default auto): β, how many clicks a prediction from metadata stands for (eq. 6):
            the higher, the more new items are boosted in the mixed list; auto: what ranks clicked items best
            that are hidden and treated as new.
        smoothing (in [0, 1] or auto; default auto): t, how far similarities of new items are smoothed by EASE
            or SLIM: 1 as eq. 9 says, with the backbone's λ; less as with a smaller λ of their own, 0 as with
            0; auto: what ranks clicked items best that are hidden and treated as new.
        click_threshold (>= 1 or None; default None): p, the clicks from which an item needs no metadata
            (eq. 6); None: the paper's max(10th percentile of clicks, 1).
        decay (linear, constant or exponential; default linear): how d falls from β with an item's clicks n
            (eq. 6): β(1 − n/p); β until p; β·exp(−n/p) until it is below 1% of β.
        non_negative (true or false; default false): whether every μ is held at or above 0 (eq. 5); false:
            halfway, where the log has times and that ranks the items better that came last.
        nonclick_weight (> 0; default 0.1): w₀, the weight of a cell without a click in the fit of μ, beside 1
            of a clicked one (eq. 5).
        evidence (warm or all; default warm): the columns that μ is learned on: of the clicked items; all: of
            the others too, as in the paper.
        new_item_share (in (0, 1) or auto; default auto): the share of lists that never-clicked items have,
            where scores are sums over clicks (not of the VAEs); auto: where the log has times and β is auto,
            what they had of the latest clicks, as far as the ranking of all items bears it, else as β says,
            but at most twice their share of the catalogue.
        trend (in [0, 1] or auto; default auto): the power of the items' trend (recent clicks over all clicks)
            that scores are multiplied by, where they are sums over clicks; auto: what ranks best at
            cuts in time, 0 where the log has no times or it ranks no better.
        embedding (identity or siamese; default Identity()): f_E, by which items are compared: each field as
            it is, or a network learned from clicks (§1.1).
        seed (>= 0; default 0): of the items that are hidden and treated as new.
    """

    name: ClassVar[str] = "marec"
    needs_items: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, Any]] = {
        "backbone": BACKBONES,
        "encoding": {"encoding": Encoding},
        "embedding": EMBEDDINGS,
    }

    similarity_: MetadataSimilarity  #: the fields' encoders, and the embedding where one is learned
    click_threshold_: float  #: p in use
    field_weights_: Float64  #: μ, (n_terms,), one weight per term of similarity_.terms
    warm_encoded_: EncodedItems  #: the clicked items, with which new ones are compared
    cold_: ColdItems  #: the never-clicked items, added ones last
    aligned_: AlignedBackbone  #: the trained backbone, with β in use
    new_item_share_: float  #: the share of the fitted users' lists that never-clicked items have
    new_item_factor_: float  #: of the scores of never-clicked items
    user_scaling_: UserScaling  #: by which they are multiplied, after it, for each user
    trend_: ItemTrend  #: by which scores follow how an item's clicks grow or fade
    _weighted_similarity: WeightedSimilarity  #: G to the warm items; follows from the rest

    def __init__(
        self,
        *,
        backbone: Recommender | str | None = None,
        encoding: Encoding | None = None,
        shrinkage: float = 20.0,
        second_order: bool = True,
        alpha: float = 1.0,
        beta: float | str = "auto",
        smoothing: float | str = "auto",
        click_threshold: float | None = None,
        decay: str = "linear",
        non_negative: bool = False,
        nonclick_weight: float = 0.1,
        evidence: str = "warm",
        new_item_share: float | str = "auto",
        trend: float | str = "auto",
        embedding: EmbeddingModel | str | None = None,
        seed: int = 0,
    ) -> None:
        self.backbone = EASE() if backbone is None else checked_backbone(backbone)
        self.encoding = part_of(self, "encoding", encoding, Encoding)
        self.shrinkage = at_least("shrinkage", shrinkage, 0)
        self.second_order = truth("second_order", second_order)
        self.alpha = above("alpha", alpha, 0)
        self.beta = "auto" if is_text(beta, "auto") else above("beta", beta, 0)
        self.smoothing = "auto" if is_text(smoothing, "auto") else between("smoothing", smoothing, 0, 1)
        self.click_threshold = (
            None if click_threshold is None else at_least("click_threshold", click_threshold, 1)
        )
        self.decay = one_of("decay", decay, tuple(_DECAYS))
        self.non_negative = truth("non_negative", non_negative)
        self.nonclick_weight = above("nonclick_weight", nonclick_weight, 0)
        self.evidence = one_of("evidence", evidence, ("warm", "all"))
        self.new_item_share = share_setting(new_item_share)
        self.trend = trend_setting(trend)
        self.embedding = part_of(self, "embedding", embedding, Identity)
        self.seed = seeded("seed", seed)

    def fit_memory(self, clicks: Interactions) -> float:
        memory: float = self.backbone.fit_memory(clicks) + self.embedding.fit_memory()
        return memory

    def memory_settings(self) -> dict[str, int]:
        parts = {"backbone": self.backbone.memory_settings(), "embedding": self.embedding.memory_settings()}
        return {f"{part}.{name}": size for part, sizes in parts.items() for name, size in sizes.items()}

    @property
    def learned(self) -> Iterator[Field]:
        """Encoders, numbers, item vectors by metadata, and the trained backbone."""
        yield Plain("similarity_", dict, MetadataSimilarity.state, MetadataSimilarity.from_state)
        if isinstance(self.embedding, LearnedEmbedding):
            yield Inner("embedding_", lambda model, _: model.embedding.empty(model.similarity_))
        yield Plain("click_threshold_", Number(above=0))
        yield Plain("new_item_share_", Number(least=0, most=1))
        yield Plain("new_item_factor_", Number(above=0))
        yield UserScaling.state("user_scaling_")
        yield Inner("trend_", lambda *_: ItemTrend.empty())
        yield Dense("field_weights_", np.float64, (self.similarity_.n_terms,))
        forms = self.similarity_.forms
        yield Inner("warm_encoded_", lambda *_: EncodedItems.empty(forms), {"n": "n_warm"})
        yield Inner("cold_", lambda *_: ColdItems.empty(forms))
        n_features = sum(field.width for field in forms.values())
        sizes: dict[str, Size] = {"n_warm": "n_warm", "n_features": n_features}
        yield Inner("aligned_", lambda model, known: model._aligner().empty(known), sizes)

    @property
    def embedding_(self) -> Embedding | None:
        """The learned embedding, where there is one."""
        return self.similarity_.embedding

    @embedding_.setter
    def embedding_(self, embedding: Embedding) -> None:
        self.similarity_ = self.similarity_.with_embedding(embedding, self.embedding.alone)

    @property
    def beta_(self) -> float:
        """β in use."""
        return self._fitted().aligned_.beta

    @property
    def weights_(self) -> DenseWeights:
        """Item-item weights, where the backbone has them: EASE and SLIM."""
        aligned = self._fitted().aligned_
        if not isinstance(aligned, WeightsBackbone):
            raise UnsupportedError(f"marec on {self.backbone.name} has no item-item weights")
        return aligned.weights

    def restored(self) -> None:
        """Compare with the warm items again."""
        index = self.similarity_.index(self.warm_encoded_)
        self._weighted_similarity = WeightedSimilarity(index, self.field_weights_)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        assert items is not None
        check_times(self.name, self.trend, clicks)
        expect_stages(7 + isinstance(self.embedding, LearnedEmbedding))
        with stage(_READS):
            self.similarity_, encoded = MetadataSimilarity.fit_encode(
                items, self.encoding, shrinkage=self.shrinkage, second_order=self.second_order
            )
        counts = clicks.item_clicks()
        self.click_threshold_ = self.click_threshold or max(float(np.percentile(counts, 10)), 1.0)
        warm, pseudo_cold = WarmClicks.of(clicks), None
        with stage("train the embedding") if isinstance(self.embedding, LearnedEmbedding) else nullcontext():
            if isinstance(self.embedding, LearnedEmbedding) or "auto" in (self.beta, self.smoothing):
                pseudo_cold = PseudoColdItems.draw(warm, encoded, self.similarity_, self.embedding, self.seed)
            if isinstance(self.embedding, LearnedEmbedding):
                clicked = encoded.take(warm.columns)
                self.similarity_ = self.embedding.learn(self.similarity_, clicked, warm.gram)
                encoded = self.similarity_.embedded(encoded)
        cuts = cuts_of_log(self.name, clicks, warm.user_items, self.seed)
        expect_stages(7 + isinstance(self.embedding, LearnedEmbedding) + bool(cuts))
        self.field_weights_ = self._learned_field_weights(warm, encoded, pseudo_cold, cuts)
        with stage("compare items treated as new by metadata"):
            choice = self._beta_choice(pseudo_cold)
        aligner = self._align(self._aligner(), warm, encoded, choice)
        with stage("learn what changes in time"):
            self._follow_time(clicks, aligner, warm, cuts)

    def _refit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """The nightly job between two full fits: encoders, the embedding, μ, β, p, scales and the
        trend's power are held.

        The backbone is trained anew, so that on unchanged clicks and items a refit is the fit; a new item's
        column is then what ``add_items`` gives it.
        """
        assert items is not None
        check_times(self.name, self.trend, clicks)
        expect_stages(4)
        with stage(_READS):
            encoded = self.similarity_.encode(items)
        choice = HeldBeta(self.beta_) if self.beta == "auto" else GivenBeta(float(self.beta))
        self._align(self._aligner().held(self.aligned_), WarmClicks.of(clicks), encoded, choice)
        self.user_scaling_ = self.user_scaling_.at(clicks.n_items)
        self.trend_ = self.trend_.of_newer(self.name, clicks)

    def _beta_choice(self, pseudo_cold: PseudoColdItems | None) -> BetaChoice:
        """β as the hyper-parameter says, or as pseudo-cold items will, the default where there are none."""
        hidden = None
        if pseudo_cold is not None and "auto" in (self.beta, self.smoothing):
            hidden = pseudo_cold.weighted(self.field_weights_)
        return LearnedBeta(hidden) if self.beta == "auto" else GivenBeta(float(self.beta), hidden)

    def _learned_field_weights(
        self,
        warm: WarmClicks,
        encoded: EncodedItems,
        pseudo_cold: PseudoColdItems | None,
        cuts: Sequence[PseudoColdSplit],
    ) -> Float64:
        """μ (eq. 5), validated at cuts in time.  encoded: all items.

        Where the embedding is learned, by the columns of items that it has not met.
        """
        if pseudo_cold is not None and self.similarity_.embedding is not None:
            index, columns = pseudo_cold.warm_index, pseudo_cold.hidden
            warm_rows = pseudo_cold.split.hidden_items
        else:
            columns, warm_rows = encoded.take(warm.columns), np.arange(len(warm.columns))
            index = self.similarity_.index(columns)
            if self.evidence == "all" and len(warm.cold):
                columns = EncodedItems.stacked([columns, encoded.take(warm.cold)])
                warm_rows = np.concatenate([warm_rows, np.full(len(warm.cold), -1)])
        sample = CellSample(seed=self.seed)
        equations = normal_equations(
            warm.user_items, warm.gram, index, columns, warm_rows, self.nonclick_weight, sample
        )
        fits = candidates(equations, self.non_negative)
        if not cuts or len(fits) == 1:
            return fits[0].importance
        with stage("validate the fields' weights at cuts in time"):
            chosen = choose_in_time(fits, self.similarity_, encoded.take(warm.columns), cuts)
        note(f"{self.name}: {chosen}")
        return chosen.chosen.importance

    def _align(
        self, aligner: Aligner, warm: WarmClicks, encoded: EncodedItems, choice: BetaChoice
    ) -> Aligner:
        """Train the backbone, its rare and its never-clicked columns aligned (eq. 6).  encoded: all items.

        Returns what trained it, with numbers for all that it learned of its settings.
        """
        self.warm_encoded_ = encoded.take(warm.columns)
        self.restored()
        with stage("compare items by metadata"):
            data = self._backbone_data(warm, encoded, self._weighted_similarity)
        with stage("fit and align the backbone"):
            aligner = aligner.settled(warm.user_items)
            self.aligned_ = aligner.fit(data, choice)
        self.cold_ = ColdItems(warm.cold, encoded.take(warm.cold))
        return aligner.held(self.aligned_)

    def _backbone_data(
        self, warm: WarmClicks, encoded: EncodedItems, similarity: WeightedSimilarity
    ) -> BackboneData:
        """What the backbone is fitted on.  encoded: all items.  similarity: to the warm ones."""
        decay = _DECAYS[self.decay](warm.counts / self.click_threshold_)
        rare = np.flatnonzero(decay)
        alignment = Alignment(
            warm.user_items,
            rare,
            decay[rare].astype(np.float32),
            similarity.rows(encoded.take(warm.columns[rare]), rare),
            similarity.rows(encoded.take(warm.cold)),
        )
        order = np.concatenate([warm.columns, warm.cold])
        return BackboneData(
            alignment,
            warm.gram,
            CatalogueColumns(warm.n_items, warm.columns, warm.cold),
            lambda: similarity.features(encoded.take(order)),
        )

    def _aligned_at_cut(self, aligner: Aligner, warm: WarmClicks, encoded: EncodedItems) -> AlignedBackbone:
        """The backbone of earlier clicks, by μ and β as learned."""
        index = self.similarity_.index(encoded.take(warm.columns))
        data = self._backbone_data(warm, encoded, WeightedSimilarity(index, self.field_weights_))
        return aligner.fit(data, HeldBeta(self.aligned_.beta))

    def _follow_time(
        self, clicks: Interactions, aligner: Aligner, warm: WarmClicks, cuts: Sequence[PseudoColdSplit]
    ) -> None:
        """The items' trend, and the share of new ones: given, learned at cuts in time, or as β gives it."""
        self.trend_ = ItemTrend.of(clicks, 0.0)
        self.new_item_share_, self.new_item_factor_, self.user_scaling_ = 0.0, 1.0, UserScaling()
        if not isinstance(self.aligned_, ExplainsClicks):
            self._refuse_time_settings()
            return
        power, at_cuts = choose_trend(self.name, self.trend, self._shown_at_cuts(aligner, cuts))
        self.trend_ = ItemTrend.of(clicks, power)
        goal, lists = self._share_goal(warm, at_cuts, cuts), None
        if goal is not None and goal.stand_in is not None:
            lists = self._lists_with(warm, goal.stand_in)
        elif len(warm.cold):
            histories = sampled_histories(clicks.matrix, self.seed)
            lists = lists_by(self._trending_scores, histories, warm.columns, warm.cold)
        most = most_share(clicks, len(warm.cold)) if self.beta == "auto" else ShareGoal(1.0)
        scale = settled_scale(lists, goal, most)
        self.new_item_share_, self.new_item_factor_ = scale.share, scale.factor
        self.user_scaling_ = scale.by_user.at(warm.n_items)
        if lists is not None:
            note(f"{self.name}: {told_share(goal, scale)}")

    def _refuse_time_settings(self) -> None:
        """Raise UnsupportedError where scores are no sums over clicks, and a setting asks for more."""
        if self.new_item_share != "auto":
            raise UnsupportedError(f"marec on {self.backbone.name} knows no new_item_share; set beta")
        if self.trend not in ("auto", 0.0):
            raise UnsupportedError(f"marec on {self.backbone.name} knows no trend; leave it at auto")

    def _shown_at_cuts(
        self, aligner: Aligner, cuts: Sequence[PseudoColdSplit]
    ) -> Sequence[Sequence[CutInTime]]:
        """What the model shows after each cut, by tried power of the trend; nothing where nothing is open."""
        if self.trend != "auto" and (self.new_item_share != "auto" or self.beta != "auto"):
            return []
        powers, shows = tried_powers(self.trend), []
        align = partial(self._aligned_at_cut, aligner)
        with stage("rank at cuts in time", len(cuts), "cuts") as advance:
            for split in cuts:
                shows.append(cut_in_time(split, self.warm_encoded_, align, powers, self.seed))
                advance(1)
        return shows

    def _share_goal(
        self, warm: WarmClicks, at_cuts: Sequence[CutInTime], cuts: Sequence[PseudoColdSplit]
    ) -> ShareGoal | None:
        """None where neither the setting nor the log's times say what share new items shall have."""
        few, given = len(warm.cold) < LEAST_NEW_ITEMS, given_share(self.new_item_share)
        if given is not None:
            split = PseudoColdSplit.draw(warm.user_items, self.seed) if few else None
            stand_in = split.hidden_items if split is not None else None
            return ShareGoal(given, stand_in, own=own_share(len(warm.cold)))
        if not at_cuts or self.beta != "auto":
            return None
        return learned_goal(at_cuts, len(warm.cold), cuts[-1].hidden_items if few else None)

    def _lists_with(self, warm: WarmClicks, stand_in: ItemIndex) -> UserLists:
        """Some users' best items; some warm ones, as though nobody had clicked them, end the catalogue."""
        hidden = self.warm_encoded_.take(stand_in)
        new = warm.n_items + np.arange(len(stand_in))
        rows = self._weighted_similarity.rows(hidden, stand_in)
        metadata = ItemMetadata(rows, lambda: self._weighted_similarity.features(hidden))
        extended = self.aligned_.extended(warm.n_items + len(new), new, metadata)
        users = sampled_histories(warm.user_items, self.seed)
        histories = move_entries(users, warm.columns[users.indices], warm.n_items + len(new))
        trend = self.trend_.appended(len(new))
        return lists_by(lambda block: trend.scaled(extended.scores(block)), histories, warm.columns, new)

    def _aligner(self) -> Aligner:
        return aligner_of(self.backbone, self.alpha, self.smoothing)

    def _score(self, user_items: UserItems) -> Scores:
        """Scores (n_users, n_items) float32 of the aligned backbone, those of new items by their scale."""
        return self.user_scaling_.scale(self._evenly_scaled(user_items), user_items, self.cold_.columns)

    def _evenly_scaled(self, user_items: UserItems) -> Scores:
        """Those of new items by one factor for all users."""
        scores = self._trending_scores(user_items)
        if len(self.cold_) and self.new_item_factor_ != 1:
            factors = np.full(len(scores), self.new_item_factor_, dtype=np.float32)
            scale_columns(scores, self.cold_.columns, factors)
        return scores

    def _trending_scores(self, user_items: UserItems) -> Scores:
        """Those of the backbone, by the items' trend."""
        return self.trend_.scaled(self.aligned_.scores(user_items))

    def _new_item_factors(self, user_items: UserItems) -> Float32:
        """By which the backbone's scores of new items are multiplied, (n_users,)."""
        of_users = self.user_scaling_.of(self._evenly_scaled(user_items), user_items, self.cold_.columns)
        return np.asarray(np.float32(self.new_item_factor_) * of_users)

    def item_similarities(self, column: int) -> Float32:
        """As the backbone has it."""
        return self.aligned_.similarities(column)

    def user_vectors(self, user_items: UserItems) -> Float32 | UserItems:
        """As the backbone has it."""
        return self.aligned_.user_vectors(user_items)

    def contributions(self, history: UserItems, column: int) -> Contributions:
        """As the backbone has it. Raises UnsupportedError for a backbone that has none."""
        if not isinstance(self.aligned_, ExplainsClicks):
            raise UnsupportedError(f"marec on {self.backbone.name} has no exact explanation of a score")
        by_click = self.aligned_.click_shares(history, column) * self.trend_.factors[column]
        if self.cold_.position(column) is not None:
            by_click = by_click * self._new_item_factors(history)[0]
        return Contributions(by_click, self.metadata_terms(), self._by_term(history, column))

    def _by_term(self, history: UserItems, column: int) -> Float64 | None:
        """What each term of eq. 5 gives to the score of a never-clicked item."""
        position = self.cold_.position(column)
        if position is None or not isinstance(self.aligned_, ExplainsFields):
            return None
        item = self.cold_.encoded.take(np.array([position]))
        projection = self.aligned_.history_projection(history)
        scale = self.beta_ * float(self._new_item_factors(history)[0])
        products = self._weighted_similarity.term_products(item, projection[None, :])
        return np.asarray(scale * products[:, 0, 0])

    @property
    def item_schema(self) -> dict[str, FieldType]:
        """The item fields in use, and how they are read."""
        return dict(self._fitted().similarity_.encoders.schema)

    def append_items(self, items: Items, n_items: int) -> None:
        """New items get the columns that a refit would give them, from metadata alone.

        Held meanwhile: encoders, μ, β and the click threshold.
        """
        encoded, columns = self.similarity_.encode(items), np.arange(self.n_items, n_items)
        metadata = self._weighted_similarity.metadata(encoded)
        self.aligned_ = self.aligned_.extended(n_items, columns, metadata)
        self.cold_ = self.cold_.appended(ColdItems(columns, encoded))
        self.trend_ = self.trend_.appended(len(items))

    def metadata_terms(self) -> list[MetadataTerm]:
        """The terms of eq. 5: fields, then pairs of them."""
        return self._fitted().similarity_.named_terms

    def metadata_weights(self) -> pl.DataFrame:
        """μ of eq. 5: field, with (the pair's other field or null), weight, of either sign.

        Pairs are products of two similarities, so that a large weight can go with a small effect:
        ``importance`` says what a field does.
        """
        terms = self._fitted().similarity_.terms
        return pl.DataFrame(
            {
                "field": [term[0] for term in terms],
                "with": pl.Series([term[1] if len(term) > 1 else None for term in terms], dtype=pl.String),
                "weight": self.field_weights_,
            }
        )

    def metadata_contributions(self) -> Float64:
        """μ_k·G⁽ᵏ⁾v: v is αOᵀx where the backbone splits scores over fields, else x, as in f_A (eq. 6)."""
        users = evenly(np.flatnonzero(np.diff(self._fitted().clicks_.indptr)), IMPORTANCE_USERS)
        histories = self.histories_of(users)
        if isinstance(self.aligned_, ExplainsFields):
            rows = [self.aligned_.history_projection(histories[[row]]) for row in range(len(users))]
            vectors = np.stack(rows)
        else:
            warm = np.setdiff1d(np.arange(self.n_items), self.cold_.columns)
            vectors = select_columns(histories, warm).toarray().astype(np.float32)
        if len(self.cold_) >= LEAST_NEW:
            new = evenly(np.arange(len(self.cold_)), IMPORTANCE_ITEMS)
            return self._weighted_similarity.term_products(self.cold_.encoded.take(new), vectors)
        clicked = evenly(np.arange(len(self.warm_encoded_)), IMPORTANCE_ITEMS)
        return self._weighted_similarity.term_products(self.warm_encoded_.take(clicked), vectors, clicked)

    def learned_settings(self) -> dict[str, float]:
        """β, the share of new items in lists, the power of the trend and the penalties, where learned."""
        if not hasattr(self, "aligned_"):
            return {}
        learned = {"beta_": float(self.beta_)} if self.beta == "auto" else {}
        if self.smoothing == "auto" and hasattr(self.aligned_, "smoothing"):  # of EASE and SLIM
            learned["aligned_.smoothing"] = float(self.aligned_.smoothing)
        if isinstance(regularization := getattr(self.aligned_, "regularization", None), Regularization):
            learned |= regularization.learned_settings(self.backbone, "aligned_.regularization")
        if isinstance(self.aligned_, WeightsBackbone):
            learned |= self.aligned_.penalties.learned_settings(self.backbone.asked, "aligned_.penalties")
        if self.new_item_share == "auto" and len(self.cold_):
            learned["new_item_share_"] = self.new_item_share_
        return learned | self.trend_.learned_settings(self.trend)
