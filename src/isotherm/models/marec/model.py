"""MARec (Monteil et al. 2024): a backbone whose rare and new items are aligned with item metadata.

Metadata similarities G⁽ᵏ⁾ (eq. 3-4) are mixed by weights μ learned from clicks (eq. 5); f_A = αXGD (eq. 6), D
falling with an item's clicks, is what the backbone's training is drawn to. How, is the backbone's file in
``aligned``: eq. 9 and 10 in closed form on item-item weights, eq. 7 as a soft target of the VAEs, and
confidence-weighted soft targets of matrix factorization. Inference is the backbone's own.
"""

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.checks import above, at_least, is_text, one_of, seeded, truth
from isotherm.data import Interactions, Items
from isotherm.data.items import Kind
from isotherm.errors import UnsupportedError
from isotherm.features.encoding import Encoding
from isotherm.features.metadata import (
    Embedding,
    EncodedItems,
    FeatureStack,
    MetadataIndex,
    MetadataSimilarity,
)
from isotherm.linalg.csr import row_blocks, select_columns
from isotherm.linalg.gram import gram
from isotherm.models.base import Recommender
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.fitting import FitOptions
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.marec.backbones import BACKBONES, aligned, check
from isotherm.models.marec.backbones.base import Aligned, Alignment, OnWeights, Rehearsal
from isotherm.models.marec.embedding import EMBEDDINGS, EmbeddingModel, Identity, Siamese
from isotherm.models.marec.field_weights import normal_equations
from isotherm.models.scorer import AddsItems, ComparesItems, Contributions, Explains
from isotherm.parameters import part_of, shown
from isotherm.state import Dense, Field, Inner, Plain, Size
from isotherm.types import Array, Float32, Float64, Int64
from isotherm.untrusted import Number

_BAND = 512
#: d_j / β of an item with x·p clicks (eq. 6)
_DECAYS: dict[str, Callable[[Float64], Float64]] = {
    "linear": lambda x: np.maximum(1 - x, 0),
    "constant": lambda x: (x < 1).astype(np.float64),
    "exponential": lambda x: np.where(np.exp(-x) >= 0.01, np.exp(-x), 0),
}


@dataclass(frozen=True)
class _Trial:
    """Pseudo-cold items, and the warm items as they are compared when those play new ones."""

    pseudo: PseudoColdSplit
    similarity: MetadataSimilarity
    encoded: EncodedItems
    learned: bool  #: whether the embedding is learned, and so without the hidden items


class MARec(Recommender, ComparesItems, Explains, AddsItems):
    """A backbone whose cold and rare columns are aligned with item metadata.

    backbone: EASE (eq. 9), SLIM (eq. 10), IALS, MultVAE, MultDAE or RecVAE (eq. 7), with its settings; a name
    in a setting: backbone=slim.  encoding: the metadata fields, and their vectors.  shrinkage (δ),
    second_order: their similarities (eq. 3-5).  embedding: f_E, identity (each field as it
    is) or siamese (learned from clicks).  alpha, beta: strength of the alignment (eq. 6); α weighs its term
    in a loss, β says how many clicks a guess stands for; beta="auto" is learned on pseudo-cold items.
    click_threshold: p, the clicks from which an item needs no metadata; None is the paper's max(10th
    percentile of clicks, 1).  decay: how D falls from β with an item's clicks n: "linear", 1 − n/p;
    "constant", 1 until p; "exponential", exp(−n/p) until it is below 1%.  non_negative, nonclick_weight,
    evidence: the fit of μ; evidence="all" counts the cells of never-clicked items too, as the paper does.
    seed: for beta="auto".
    """

    name: ClassVar[str] = "marec"
    needs_items: ClassVar[bool] = True
    parts: ClassVar[Mapping[str, Any]] = {
        "backbone": BACKBONES,
        "encoding": {"encoding": Encoding},
        "embedding": EMBEDDINGS,
    }

    aligned_: Aligned  #: the trained backbone
    similarity_: MetadataSimilarity
    importance_: Float64  #: μ, one weight a term of similarity_.terms
    beta_: float  #: β in use
    click_threshold_: float  #: p in use
    warm_encoded_: EncodedItems  #: the items that new ones are compared with
    cold_: Int64  #: (n_cold,) columns of the items without clicks, added ones last
    cold_encoded_: EncodedItems

    def __init__(
        self,
        *,
        backbone: Recommender | str | None = None,
        encoding: Encoding | None = None,
        shrinkage: float = 20.0,
        second_order: bool = True,
        alpha: float = 1.0,
        beta: float | str = "auto",
        click_threshold: float | None = None,
        decay: str = "linear",
        non_negative: bool = False,
        nonclick_weight: float = 0.1,
        evidence: str = "warm",
        embedding: EmbeddingModel | str | None = None,
        seed: int = 0,
    ) -> None:
        self.backbone = EASE() if backbone is None else check(backbone)
        self.encoding = part_of(self, "encoding", encoding, Encoding)
        self.shrinkage = at_least("shrinkage", shrinkage, 0)
        self.second_order = truth("second_order", second_order)
        self.alpha = above("alpha", alpha, 0)
        self.beta = "auto" if is_text(beta, "auto") else above("beta", beta, 0)
        self.click_threshold = (
            None if click_threshold is None else at_least("click_threshold", click_threshold, 1)
        )
        self.decay = one_of("decay", decay, tuple(_DECAYS))
        self.non_negative = truth("non_negative", non_negative)
        self.nonclick_weight = above("nonclick_weight", nonclick_weight, 0)
        self.evidence = one_of("evidence", evidence, ("warm", "all"))
        self.embedding = part_of(self, "embedding", embedding, Identity)
        self.seed = seeded("seed", seed)

    def fit_memory(self, clicks: Interactions) -> float:
        memory: float = self.backbone.fit_memory(clicks) + self.embedding.memory()
        return memory

    def memory_settings(self) -> dict[str, int]:
        parts = {"backbone": self.backbone.memory_settings(), "embedding": self.embedding.sizes()}
        return {f"{part}.{name}": size for part, sizes in parts.items() for name, size in sizes.items()}

    @property
    def learned(self) -> Iterator[Field]:
        """Encoders, numbers, item vectors by metadata, and the trained backbone."""
        yield Plain("similarity_", dict, MetadataSimilarity.state, MetadataSimilarity.from_state)
        if isinstance(self.embedding, Siamese):
            yield Inner("embedding_", lambda model, _: model.embedding.empty(model.similarity_))
        yield Plain("beta_", Number(least=0))
        yield Plain("click_threshold_", Number(above=0))
        yield Dense("importance_", np.float64, (self.similarity_.n_terms,))
        yield Inner("warm_encoded_", _empty_items, {"n": "n_warm"})
        yield Dense("cold_", np.int64, ("n_cold",), below="n_items", distinct=True)
        yield Inner("cold_encoded_", _empty_items, {"n": "n_cold"})
        n_features = sum(field.width for field in self.similarity_.encoded.values())
        sizes: dict[str, Size] = {"n_warm": "n_warm", "n_features": n_features}
        yield Inner("aligned_", lambda model, _: aligned(model.backbone), sizes)

    @property
    def embedding_(self) -> Embedding | None:
        """The learned embedding, where there is one."""
        return self.similarity_.embedding_

    @embedding_.setter
    def embedding_(self, embedding: Embedding) -> None:
        self.similarity_.learn(embedding, self.embedding.alone)

    def restored(self) -> None:
        """Compare with the warm items again."""
        self._index = self.similarity_.index(self.warm_encoded_)

    def _fit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        assert items is not None
        self.similarity_ = MetadataSimilarity(
            self.encoding, shrinkage=self.shrinkage, second_order=self.second_order
        ).fit(items)
        counts = clicks.item_clicks()
        self.click_threshold_ = self.click_threshold or max(float(np.percentile(counts, 10)), 1.0)
        self._align(clicks, items, learn=True)

    def _refit(self, clicks: Interactions, items: Items | None, options: FitOptions) -> None:
        """The nightly job between two full fits: encoders, the embedding, μ, β and p are held.

        The backbone is trained anew, so that on unchanged clicks and items a refit is the fit; a new item's
        column is then what ``add_items`` gives it.
        """
        assert items is not None
        self._align(clicks, items, learn=False)

    def _align(self, clicks: Interactions, items: Items, learn: bool) -> None:
        """The weights: warm block from the backbone, rare and cold columns from metadata."""
        counts = clicks.item_clicks()
        warm, cold = np.flatnonzero(counts), np.flatnonzero(counts == 0)
        encoded = self.similarity_.encode(items)
        user_items = select_columns(clicks.matrix, warm)
        product = gram(row_blocks(user_items, len(clicks.users)), len(warm))
        trial = None
        if learn:
            trial = self._trial(user_items, encoded.take(warm), product)
            self.embedding.learn(self.similarity_, encoded.take(warm), product)
            encoded = self.similarity_.embedded(encoded)
        self.warm_encoded_ = encoded.take(warm)
        self._index = self.similarity_.index(self.warm_encoded_)
        if learn:
            self._learn_importance(user_items, product, encoded, warm, cold, trial)
        falling = _DECAYS[self.decay](counts[warm] / self.click_threshold_)
        rare = np.flatnonzero(falling)
        model = aligned(self.backbone)
        data = Alignment(
            user_items,
            rare,
            falling[rare].astype(np.float32),
            self._similarities(encoded.take(warm[rare]), rare),
            self._similarities(encoded.take(cold)),
            self.alpha,
            self._features(encoded.take(np.concatenate([warm, cold]))) if model.wants_features else None,
        )
        beta = None if self.beta == "auto" else float(self.beta)
        chosen_by: Rehearsal | float | None = None if learn else self.beta_
        if beta is None and trial is not None:
            features = None if data.features is None else data.features[: len(warm)]
            chosen_by = self._rehearsal(trial, features)
        self.beta_ = model.fit(data, beta, chosen_by, product)
        model.place_all(clicks.n_items, warm, cold, data, self.beta_)
        self.aligned_ = model
        self.cold_encoded_ = encoded.take(cold)
        self.cold_ = cold

    def _trial(self, user_items: csr_array, encoded: EncodedItems, product: Float32) -> _Trial | None:
        """Pseudo-cold items; None where nothing is learned on them, or the log is too small to hide any.

        A learned embedding is trained without them: with it, they would look more alike what they are clicked
        with than any new item can.
        """
        learned = not isinstance(self.embedding, Identity)
        pseudo = PseudoColdSplit.draw(user_items, self.seed) if learned or self.beta == "auto" else None
        if pseudo is None:
            return None
        similarity = copy(self.similarity_)
        kept = pseudo.kept_items
        if learned:
            self.embedding.learn(similarity, encoded.take(kept), product[np.ix_(kept, kept)])
        return _Trial(pseudo, similarity, similarity.embedded(encoded), learned)

    def _learn_importance(
        self,
        user_items: csr_array,
        product: Float32,
        encoded: EncodedItems,
        warm: Int64,
        cold: Int64,
        trial: _Trial | None,
    ) -> None:
        """μ; where the embedding is learned, by the columns of items that it has not met."""
        columns, own_rows, index = encoded.take(warm), np.arange(len(warm)), self._index
        if trial is not None and trial.learned:
            own_rows = trial.pseudo.hidden_items
            columns, index = trial.encoded.take(own_rows), trial.similarity.index(trial.encoded)
        elif self.evidence == "all" and len(cold):
            columns = EncodedItems.stacked([columns, encoded.take(cold)])
            own_rows = np.concatenate([own_rows, np.full(len(cold), -1)])
        sums = normal_equations(user_items, product, index, columns, own_rows, self.nonclick_weight)
        self.importance_ = sums.solve(self.non_negative)

    def _similarities(
        self, queries: EncodedItems, own_rows: Array | None = None, index: MetadataIndex | None = None
    ) -> Float32:
        """G rows (eq. 5) of the query items to the warm ones, (n_queries, n_warm)."""
        index = index or self._index
        out = np.empty((len(queries), len(index.catalogue)), dtype=np.float32)
        for first in range(0, len(queries), _BAND):
            band = np.arange(first, min(first + _BAND, len(queries)))
            fields = index.by_field(queries.take(band), None if own_rows is None else own_rows[band])
            out[band] = index.mixed(fields, self.importance_)
        return out

    def _features(self, encoded: EncodedItems) -> csr_array:
        """Their own features, for a backbone that wants them."""
        return FeatureStack(self._index.catalogue).of(encoded)

    def _rehearsal(self, trial: _Trial, features: csr_array | None) -> Rehearsal:
        """The pseudo-cold items' similarities, to choose β on."""
        pseudo, encoded = trial.pseudo, trial.encoded
        hidden = encoded.take(pseudo.hidden_items)
        return Rehearsal(
            pseudo,
            self._similarities(hidden, index=trial.similarity.index(encoded.take(pseudo.kept_items))),
            self._similarities(hidden, pseudo.hidden_items, trial.similarity.index(encoded)),
            features,
        )

    @property
    def weights_(self) -> DenseWeights:
        """Item-item weights, where the backbone has them: EASE and SLIM."""
        found = self._fitted().aligned_
        if not isinstance(found, OnWeights):
            raise UnsupportedError(f"marec on {self.backbone.name} has no item-item weights")
        return found.weights

    def _score(self, user_items: csr_array) -> Float32:
        """Scores (n_users, n_items) float32 of the aligned backbone."""
        return self.aligned_.score(user_items)

    def item_similarities(self, column: int) -> Float32:
        """As the backbone has it."""
        return self.aligned_.nearness(column)

    def user_vectors(self, user_items: csr_array) -> Float32 | csr_array:
        """As the backbone has it."""
        return self.aligned_.user_vectors(user_items)

    def contributions(self, history: csr_array, column: int) -> Contributions:
        """As the backbone has it. Raises UnsupportedError for a backbone that has none."""
        if not self.aligned_.explains:
            raise UnsupportedError(f"marec on {self.backbone.name} has no exact explanation of a score")
        return Contributions(self.aligned_.shares(history, column), self._by_field(history, column))

    @property
    def item_kinds(self) -> dict[str, Kind]:
        """Kinds of the item fields in use."""
        return dict(self._fitted().similarity_.kinds_)

    def append_items(self, items: Items, n_items: int) -> None:
        """New items get the columns that a refit would give them, from metadata alone.

        Held meanwhile: encoders, μ, β and the click threshold.
        """
        queries = self.similarity_.encode(items)
        new = np.arange(self.n_items, n_items)
        features = self._features(queries) if self.aligned_.wants_features else None
        columns = self.aligned_.columns(self._similarities(queries), features)
        self.aligned_.append(n_items, new, self.aligned_.strengthened(columns, self.beta_))
        self.cold_ = np.concatenate([self.cold_, new])
        self.cold_encoded_ = EncodedItems.stacked([self.cold_encoded_, queries])

    def importance(self) -> pl.DataFrame:
        """What in the metadata predicts clicks: field, with (the pair's other field or null), weight μ."""
        terms = self._fitted().similarity_.terms
        return pl.DataFrame(
            {
                "field": [term[0] for term in terms],
                "with": pl.Series([term[1] if len(term) > 1 else None for term in terms], dtype=pl.String),
                "weight": self.importance_,
            }
        )

    def _by_field(self, history: csr_array, column: int) -> pl.DataFrame | None:
        place = np.flatnonzero(self.cold_ == column)
        if not len(place) or not self.aligned_.splits_fields:
            return None
        carried = self.aligned_.carried(history)
        terms = self._index.by_term(self._index.by_field(self.cold_encoded_.take(place)))[:, 0]
        shares = self.beta_ * self.importance_ * (terms @ carried)
        order = np.argsort(-np.abs(shares), kind="stable")
        names = [" × ".join(self.similarity_.terms[i]) for i in order]
        return pl.DataFrame({"field": names, "share": shares[order].astype(np.float32)})

    def __repr__(self) -> str:
        learned = f" [beta_={self.beta_:.4g}]" if self.beta == "auto" and hasattr(self, "beta_") else ""
        return shown(self) + learned


def _empty_items(model: MARec, sizes: Mapping[str, int]) -> EncodedItems:
    return EncodedItems.empty(model.similarity_.encoded)
