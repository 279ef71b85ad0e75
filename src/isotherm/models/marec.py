"""MARec (Monteil et al. 2024) on EASE: eq. 9, exactly, by its structure.

With A = C(I + αGD) + λI and P = A⁻¹ the weights are Θ = I − P·diag(P)⁻¹. D is not zero on few columns:

* never clicked (cold) items, d = β: the warm block is plain EASE's, and the cold column of item j is
  αβ·O·g_j with O = P·C on the warm items and g_j its metadata similarities to them;
* rarely clicked items S, 0 < d < β: by Woodbury P = Q − L·Q_S with Q = (C + λI)⁻¹, V = αC·G_S·D_S and
  L = QV(I + (QV)_S)⁻¹; then O = I − λP − L·E_S, where E_S picks the rows of S.

So a new item is one product with O, and a score of it is split exactly over fields: scoreⱼ = αβ·(Oᵀx)·g_j.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data import Interactions, Items
from isotherm.data.gram import gram
from isotherm.data.interactions import row_blocks
from isotherm.data.items import Kind
from isotherm.errors import ParameterError
from isotherm.features.encoders import Weighting
from isotherm.features.metadata import EncodedItems, MetadataIndex, MetadataSimilarity
from isotherm.models.alignment import normal_equations
from isotherm.models.calibration import PseudoCold, best, level, loudness
from isotherm.models.catalogue import grown, narrowed, part
from isotherm.models.ease import EASE
from isotherm.models.item_item import DenseWeights, ItemItem
from isotherm.models.operator import AlignmentOperator
from isotherm.models.parameters import above, at_least, one_of, shown, whole
from isotherm.progress import stage

_BAND = 512
#: d_j / β of an item with x·p clicks (eq. 6)
_DECAYS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "linear": lambda x: np.maximum(1 - x, 0),
    "constant": lambda x: (x < 1).astype(np.float64),
    "exponential": lambda x: np.where(np.exp(-x) >= 0.01, np.exp(-x), 0),
}


class MARec(ItemItem):
    """EASE whose cold and rare columns are aligned with item metadata.

    backbone: EASE.  fields, shrinkage (δ), second_order, min_count, max_words, text_weighting, text_model:
    the metadata similarities (eq. 3-5).  alpha, beta: strength of the alignment (eq. 6); beta="auto" is
    learned on pseudo-cold items.  click_threshold: p, the clicks from which an item needs no metadata; None
    is the paper's max(10th percentile of clicks, 1).  decay: how D falls from β with an item's clicks n:
    "linear", 1 − n/p; "constant", 1 until p; "exponential", exp(−n/p) until it is below 1%.  non_negative,
    nonclick_weight, evidence: the fit of μ; evidence="all" counts the cells of never-clicked items too, as
    the paper does.  seed: for beta="auto".
    """

    name: ClassVar[str] = "marec"
    needs_items: ClassVar[bool] = True

    weights_: DenseWeights
    similarity_: MetadataSimilarity
    importance_: NDArray[np.float64]  #: μ, one weight a term of similarity_.terms
    beta_: float  #: β in use
    click_threshold_: float  #: p in use

    def __init__(
        self,
        *,
        backbone: EASE | None = None,
        fields: Sequence[str] | None = None,
        shrinkage: float = 20.0,
        second_order: bool = True,
        alpha: float = 1.0,
        beta: float | str = "auto",
        click_threshold: float | None = None,
        decay: str = "linear",
        non_negative: bool = False,
        nonclick_weight: float = 0.1,
        evidence: str = "warm",
        min_count: int = 2,
        max_words: int = 2000,
        text_weighting: Weighting = "count",
        text_model: str | None = None,
        seed: int = 0,
    ) -> None:
        self.backbone = EASE() if backbone is None else backbone
        if not isinstance(self.backbone, EASE):
            raise ParameterError(f"marec: backbone must be an EASE model, not {backbone!r}")
        self.fields = [fields] if isinstance(fields, str) else fields
        self.shrinkage = at_least("shrinkage", shrinkage, 0)
        self.second_order = one_of("second_order", second_order, (True, False))
        self.alpha = above("alpha", alpha, 0)
        self.beta = beta if beta == "auto" else above("beta", beta, 0)
        self.click_threshold = (
            None if click_threshold is None else at_least("click_threshold", click_threshold, 1)
        )
        self.decay = one_of("decay", decay, tuple(_DECAYS))
        self.non_negative = one_of("non_negative", non_negative, (True, False))
        self.nonclick_weight = above("nonclick_weight", nonclick_weight, 0)
        self.evidence = one_of("evidence", evidence, ("warm", "all"))
        self.min_count = whole("min_count", min_count, 1)
        self.max_words = whole("max_words", max_words, 1)
        self.text_weighting = one_of("text_weighting", text_weighting, ("count", "binary", "tfidf"))
        self.text_model = None if text_model is None else str(text_model)
        self.seed = whole("seed", seed, 0)

    def _fit(self, clicks: Interactions, items: Items | None) -> None:
        assert items is not None
        self.similarity_ = MetadataSimilarity(
            fields=self.fields,
            shrinkage=self.shrinkage,
            second_order=self.second_order,
            min_count=self.min_count,
            max_words=self.max_words,
            text_weighting=self.text_weighting,
            text_model=self.text_model,
        ).fit(items)
        counts = clicks.item_clicks()
        self.click_threshold_ = self.click_threshold or max(float(np.percentile(counts, 10)), 1.0)
        self._align(clicks, items, learn=True)

    def refit(self, clicks: Interactions, items: Items) -> Self:
        """Fit on new clicks and items while encoders, μ, β and the click threshold are held.

        The nightly job between two full fits; a new item's column is then what ``add_items`` gives it.
        """
        self._fitted()
        catalogue = clicks.items.union(items.ids)
        items, clicks = items.of(catalogue), clicks.among(clicks.users, catalogue)
        self.users_, self.items_, self.clicks_ = clicks.users, clicks.items, clicks.matrix
        self._align(clicks, items, learn=False)
        return self

    def _align(self, clicks: Interactions, items: Items, learn: bool) -> None:
        """The weights: warm block from the backbone, rare and cold columns from metadata."""
        counts = clicks.item_clicks()
        warm, cold = np.flatnonzero(counts), np.flatnonzero(counts == 0)
        encoded = self.similarity_.encode(items)
        self._index = self.similarity_.index(encoded.take(warm))
        user_items = narrowed(clicks.matrix, warm)
        product = gram(row_blocks(user_items, len(clicks.users)), len(warm))
        if learn:
            self._learn_importance(user_items, product, encoded, warm, cold)
        weights, inverse_diagonal = self.backbone.solve(user_items, product)
        if learn:
            self.beta_ = (
                self._learned_beta(user_items, encoded.take(warm), weights, inverse_diagonal)
                if self.beta == "auto"
                else float(self.beta)
            )
        falling = _DECAYS[self.decay](counts[warm] / self.click_threshold_)
        rare = np.flatnonzero(falling)
        strength = self.alpha * self.beta_ * falling[rare]
        self._operator = AlignmentOperator.plain(weights, inverse_diagonal, self.backbone.l2)
        if len(rare):
            rare_rows = self._similarities(encoded.take(warm[rare]), rare)
            self._operator = self._operator.with_rare(rare, rare_rows * strength[:, None].astype(np.float32))
        groups = [(warm, self._operator.weights)]
        if len(cold):
            groups.append((cold, self._cold_columns(encoded.take(cold))))
        self.weights_ = DenseWeights(clicks.n_items, warm, groups)
        self._cold_encoded = encoded.take(cold)
        self._cold = cold

    def _learn_importance(
        self,
        user_items: csr_array,
        product: NDArray[np.float32],
        encoded: EncodedItems,
        warm: NDArray[np.int64],
        cold: NDArray[np.int64],
    ) -> None:
        columns, own_rows = encoded.take(warm), np.arange(len(warm))
        if self.evidence == "all" and len(cold):
            columns = EncodedItems.stacked([columns, encoded.take(cold)])
            own_rows = np.concatenate([own_rows, np.full(len(cold), -1)])
        sums = normal_equations(user_items, product, self._index, columns, own_rows, self.nonclick_weight)
        self.importance_ = sums.solve(self.non_negative)

    def _similarities(
        self, queries: EncodedItems, own_rows: NDArray[Any] | None = None, index: MetadataIndex | None = None
    ) -> NDArray[np.float32]:
        """G rows (eq. 5) of the query items to the warm ones, (n_queries, n_warm)."""
        index = index or self._index
        out = np.empty((len(queries), len(index.catalogue)), dtype=np.float32)
        for first in range(0, len(queries), _BAND):
            band = np.arange(first, min(first + _BAND, len(queries)))
            fields = index.by_field(queries.take(band), None if own_rows is None else own_rows[band])
            out[band] = index.mixed(fields, self.importance_)
        return out

    def _cold_columns(self, queries: EncodedItems) -> NDArray[np.float32]:
        """Weight columns of never-clicked items, (n_warm, n_queries)."""
        columns = self._operator.columns(self._similarities(queries))
        return np.ascontiguousarray(np.float32(self.alpha * self.beta_) * columns.T)

    def _learned_beta(
        self, user_items: csr_array, encoded: EncodedItems, weights: NDArray[Any], diagonal: NDArray[Any]
    ) -> float:
        """β that ranks pseudo-cold items best among all: see ``calibration``."""

        pseudo = PseudoCold.drawn(user_items, self.seed)
        if pseudo is None:
            return 1.0
        kept, hidden = pseudo.kept, pseudo.hidden
        with stage("choose beta on pseudo-cold items"):
            part = self.backbone.solve(pseudo.clicks)
            rows = self._similarities(encoded.take(hidden), index=self.similarity_.index(encoded.take(kept)))
            columns = AlignmentOperator.plain(*part, self.backbone.l2).columns(rows).T
            warm = best(pseudo.histories, part[0], kept, seen=True)
            cold = best(pseudo.histories, columns, hidden)
            every, histories = np.arange(len(weights)), user_items[pseudo.tested]
            operator = AlignmentOperator.plain(weights, diagonal, self.backbone.l2)
            columns = operator.columns(self._similarities(encoded.take(hidden), hidden)).T
            fitted_warm = best(histories, weights, every, seen=True)
            factor, _ = loudness(pseudo.targets, warm, cold)
            beta = factor * level(fitted_warm, best(histories, columns, hidden))
        return beta / self.alpha

    @property
    def item_kinds(self) -> dict[str, Kind]:
        """Kinds of the item fields in use."""
        return dict(self._fitted().similarity_.kinds_)

    def add_items(self, items: Items) -> Self:
        """New items get the columns that a refit would give them, from metadata alone. Returns self.

        Held meanwhile: encoders, μ, β and the click threshold. Raises ItemsError for items already known.
        """
        catalogue = grown(self._fitted().items_, items)
        queries = self.similarity_.encode(items)
        new = np.arange(len(self.items_), len(catalogue))
        self.weights_ = self.weights_.appended(len(catalogue), new, self._cold_columns(queries))
        self.items_ = catalogue
        self._cold = np.concatenate([self._cold, new])
        self._cold_encoded = EncodedItems.stacked([self._cold_encoded, queries])
        return self

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
        place = np.flatnonzero(self._cold == column)
        if not len(place):
            return None
        clicked = narrowed(history, self.weights_.rows).toarray().ravel()
        smoothed = self._operator.smoothed_history(clicked.astype(np.float32))
        terms = self._index.by_term(self._index.by_field(self._cold_encoded.take(place)))[:, 0]
        shares = self.alpha * self.beta_ * self.importance_ * (terms @ smoothed)
        order = np.argsort(-np.abs(shares), kind="stable")
        names = [" × ".join(self.similarity_.terms[i]) for i in order]
        return pl.DataFrame({"field": names, "share": shares[order].astype(np.float32)})

    def __repr__(self) -> str:
        learned = f" [beta_={self.beta_:.4g}]" if self.beta == "auto" and hasattr(self, "beta_") else ""
        return shown(self) + learned

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Weights, alignment operator, item vectors, encoders and learned numbers."""
        arrays = {f"weights/{name}": array for name, array in self.weights_.arrays().items()}
        arrays |= {f"operator/{name}": array for name, array in self._operator.arrays().items()}
        arrays |= {f"warm/{name}": array for name, array in self._index.catalogue.arrays().items()}
        arrays |= {f"cold/{name}": array for name, array in self._cold_encoded.arrays().items()}
        arrays |= {"importance": self.importance_, "cold_columns": self._cold}
        return arrays, {
            "similarity": self.similarity_.state(),
            "beta": self.beta_,
            "click_threshold": self.click_threshold_,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], document: Mapping[str, Any]) -> None:
        """The inverse of ``state``."""
        self.similarity_ = MetadataSimilarity.from_state(document["similarity"])
        self.beta_, self.click_threshold_ = document["beta"], document["click_threshold"]
        self.importance_, self._cold = arrays["importance"], arrays["cold_columns"]
        fields = self.similarity_.fields_
        self._index = self.similarity_.index(EncodedItems.from_arrays(fields, part(arrays, "warm/")))
        self._cold_encoded = EncodedItems.from_arrays(fields, part(arrays, "cold/"))
        self.weights_ = DenseWeights.from_arrays(part(arrays, "weights/"))
        self._operator = AlignmentOperator(
            weights=self.weights_.groups[0][1], l2=self.backbone.l2, **part(arrays, "operator/")
        )
