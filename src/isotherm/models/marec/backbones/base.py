"""What MARec asks of a backbone: to train with an alignment of rare and new items, and to add new ones."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.csr import column_counts
from isotherm.models.cold_start.calibration import WarmAndCold, top_items_by
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.ranking.topk import TopK
from isotherm.state import Dense, Stateful
from isotherm.types import Float32, Int64


@dataclass(frozen=True)
class Alignment:
    """f_A = αXGD (MARec, eq. 6) of the columns where D is not zero, and what it is built of.

    user_items: (n_users, n_warm) CSR, every item clicked.  rare: (s,) warm columns with few clicks.
    falling: (s,) their d_j / β in (0, 1].  rare_rows, cold_rows: G from the rare and from the never-clicked
    items to the warm ones, (s, n_warm) and (n_cold, n_warm).  alpha: α.  features: of the warm items and,
    behind them, of those without clicks, (n, n_features), for a backbone that ``wants_features``.
    """

    user_items: csr_array
    rare: Int64
    falling: Float32
    rare_rows: Float32
    cold_rows: Float32
    alpha: float
    features: csr_array | None = None

    def natural_beta(self) -> float:
        """β that gives the guessed columns as many clicks as a clicked item has, both in the mean."""
        clicks = column_counts(self.user_items)
        rows = self.cold_rows if len(self.cold_rows) else self.rare_rows
        guessed = np.maximum(rows @ clicks.astype(np.float32), 0)
        return float(clicks.mean() / guessed.mean()) if guessed.any() else 1.0


@dataclass(frozen=True)
class Rehearsal:
    """Pseudo-cold items to choose β on.

    kept_rows, warm_rows: G from the hidden items to the kept ones and to all warm ones (0 to itself).
    features: of the warm items, where the backbone wants them.
    """

    pseudo: PseudoColdSplit
    kept_rows: Float32
    warm_rows: Float32
    features: csr_array | None = None

    @property
    def hidden_features(self) -> csr_array | None:
        """Of the hidden items."""
        return None if self.features is None else self.features[self.pseudo.hidden_items]

    def part(self, alpha: float) -> Alignment:
        """The hidden items as new ones beside the clicks that are left."""
        nothing = np.empty((0, self.kept_rows.shape[1]), dtype=np.float32)
        empty = np.empty(0)
        return Alignment(
            self.pseudo.kept_clicks, empty.astype(np.int64), empty.astype(np.float32), nothing,
            self.kept_rows, alpha, None if self.features is None else self.features[self.pseudo.kept_items],
        )  # fmt: skip


class Aligned(Stateful, ABC):
    """A backbone trained with an alignment, over the columns of one catalogue.

    Columns of new items are linear in β: ``columns`` makes them for β = 1, ``strengthened`` for another.
    What it declares may count in ``n_warm``, the items of the clicks it was trained on, and ``n_features``.
    """

    #: whether explanations exist, and whether they split over fields
    explains: ClassVar[bool] = True
    splits_fields: ClassVar[bool] = True
    #: whether it needs the items' own features beside G
    wants_features: ClassVar[bool] = False

    def __init__(self, backbone: Any) -> None:
        self.backbone = backbone

    @abstractmethod
    def fit(
        self,
        data: Alignment,
        beta: float | None,
        chosen_by: Rehearsal | float | None,
        gram: Float32,
    ) -> float:
        """Train on clicked items; β in use: as given, or for None what ``chosen_by`` says.

        chosen_by: pseudo-cold items to learn β on; the β that an earlier fit has learned, so that training is
        again what it was then; or None, where there is nothing to learn it on.
        gram: XᵀX, (n_warm, n_warm), which may be overwritten.
        """

    @abstractmethod
    def columns(self, rows: Float32, features: csr_array | None = None) -> Float32:
        """What new items are scored with, (m, width), from G to the warm items, (m, n_warm); β = 1.

        features: theirs, where the backbone wants them.
        """

    def strengthened(self, columns: Float32, beta: float) -> Float32:
        """The columns for this β."""
        scaled: Float32 = np.float32(beta) * columns
        return scaled

    @abstractmethod
    def warm_scores(self, user_items: csr_array) -> Float32:
        """(n_users, n_warm) of histories over the warm items."""

    @abstractmethod
    def cold_scores(self, user_items: csr_array, columns: Float32) -> Float32:
        """(n_users, m) of the same for new items."""

    @abstractmethod
    def place(self, n_items: int, warm: Int64) -> None:
        """Say which columns of a catalogue the warm items are."""

    def place_all(self, n_items: int, warm: Int64, cold: Int64, data: Alignment, beta: float) -> None:
        """The same, and the never-clicked items of the fit."""
        self.place(n_items, warm)
        self.append(n_items, cold, self.strengthened(self.columns(data.cold_rows), beta))

    @abstractmethod
    def append(self, n_items: int, new: Int64, columns: Float32) -> None:
        """New items at columns ``new`` of a catalogue of ``n_items``; their ``strengthened`` columns."""

    @abstractmethod
    def score(self, user_items: csr_array) -> Float32:
        """(n_users, n_items) of histories over the catalogue."""

    @abstractmethod
    def nearness(self, column: int) -> Float32:
        """(n_items,) how near the catalogue's items are to one of them."""

    def user_vectors(self, user_items: csr_array) -> Float32 | csr_array:
        """What users are compared by: where there is no latent space, their histories."""
        return user_items

    def shares(self, history: csr_array, column: int) -> Float32:
        """What each click of one user's history over the catalogue gives to a score, in its order."""
        raise NotImplementedError

    def carried(self, history: csr_array) -> Float32:
        """v (n_warm,), with which a new item's score of this history is β·v·g, g its row of G."""
        raise NotImplementedError

    def best_warm(self, histories: csr_array, items: Int64) -> TopK:
        """The best unseen warm items of each history, named ``items``."""
        return top_items_by(self.warm_scores, histories, items, hide_seen=True)

    def best_cold(self, histories: csr_array, columns: Float32, items: Int64) -> TopK:
        """The best of new items, named ``items``."""
        return top_items_by(lambda block: self.cold_scores(block, columns), histories, items)


class OnWeights(Aligned):
    """A backbone whose scores are a history times item-item weights."""

    weights: DenseWeights

    def append(self, n_items: int, new: Int64, columns: Float32) -> None:
        """One group of weights more."""
        self.weights = self.weights.appended(n_items, new, np.ascontiguousarray(columns.T))

    def score(self, user_items: csr_array) -> Float32:
        """x·Θ over the catalogue."""
        return self.weights.scores(user_items)

    def nearness(self, column: int) -> Float32:
        """The weights of the column."""
        return self.weights.column(column)

    def shares(self, history: csr_array, column: int) -> Float32:
        """Each click's weight."""
        return self.weights.shares(history, column)


def learned_beta(fitted: Aligned, part: Aligned, rehearsal: Rehearsal, user_items: csr_array) -> float:
    """β that ranks pseudo-cold items best among all (see ``calibration``), for columns at β = 1.

    fitted: trained on all clicks, ``user_items``.  part: trained on the rehearsal's.
    """
    pseudo = rehearsal.pseudo
    warm = part.best_warm(pseudo.histories, pseudo.kept_items)
    cold = part.best_cold(pseudo.histories, part.columns(rehearsal.kept_rows), pseudo.hidden_items)
    scale = WarmAndCold(warm, cold).best_scale(pseudo.targets)
    histories, every = user_items[pseudo.test_users], np.arange(user_items.shape[1])
    fitted_cold = fitted.best_cold(histories, fitted.columns(rehearsal.warm_rows), pseudo.hidden_items)
    return scale.relative * WarmAndCold(fitted.best_warm(histories, every), fitted_cold).level_ratio()


class Vectors(Stateful):
    """New items of a catalogue as one vector each, for backbones whose score is a product with it."""

    learned = (
        Dense("warm", np.int64, ("n_warm",), below="n_items", ascending=True),
        Dense("columns", np.int64, ("n_new",), below="n_items", distinct=True),
        Dense("values", np.float32, ("n_new", "width")),
    )

    def __init__(self, width: int, n_items: int = 0) -> None:
        self.n_items, self.warm = n_items, np.empty(0, dtype=np.int64)
        self.columns, self.values = np.empty(0, dtype=np.int64), np.empty((0, width), dtype=np.float32)

    def append(self, n_items: int, new: Int64, values: Float32) -> None:
        """More of them, at columns ``new``."""
        self.n_items = n_items
        self.columns = np.concatenate([self.columns, new])
        self.values = np.concatenate([self.values, values])

    def spread(self, warm: Float32, cold: Float32) -> Float32:
        """Scores (n_users, n_items) from those of warm and of new items."""
        scores = np.zeros((len(warm), self.n_items), dtype=np.float32)
        scores[:, self.warm], scores[:, self.columns] = warm, cold
        return scores

    def table(self, warm: Float32) -> Float32:
        """(n_items, width) vectors of all, from those of the warm ones."""
        table = np.zeros((self.n_items, self.values.shape[1]), dtype=np.float32)
        table[self.warm], table[self.columns] = warm, self.values
        return table
