"""From two predictions for an item, its taste and its popularity, to its weight column at EASE's scale."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.linalg.csr import rows_of, select_columns
from isotherm.linalg.products import products
from isotherm.models.kernel_ridge.ridge import ExactRidge, Ridge
from isotherm.models.kernel_ridge.shared_kernel import bands
from isotherm.models.kernel_ridge.training_data import history_lengths
from isotherm.models.kernel_ridge.unrelaxed import Unrelaxed
from isotherm.types import Float32, Int64, ItemIndex, ItemWeights, Scores, UserItems

_FEW = 0.75  # of the items: so many rows of Z or more are multiplied with the zeros between them


@dataclass(frozen=True)
class Scales:
    """The numbers of c_j = β·(1 − v_j/k_jj)^γ·(slope·(t·n̄·M·Z_j + b·g_j) + intercept), M = (1 − a)·I + a·B°
    (``unrelaxed``).

    inverse_temperature: t, times the mean history length n̄.  popularity_weight: b.  smoothing: a.
    ridge: r, of Z.  slope, intercept: the regression of EASE's scores on the raw ones, per click.
    variance_exponent: γ.  cold_scale: β, how high cold items score beside warm ones.
    new_item_factor: of β for items without any click, which sets their share of lists.
    """

    inverse_temperature: float = 1.0
    popularity_weight: float = 1.0
    smoothing: float = 0.3
    ridge: float = 1.0
    slope: float = 1.0
    intercept: float = 0.0
    variance_exponent: float = 0.0
    cold_scale: float = 1.0
    new_item_factor: float = 1.0

    @property
    def of_new_items(self) -> "Scales":
        """The same for items without any click."""
        return replace(self, cold_scale=self.cold_scale * self.new_item_factor, new_item_factor=1.0)

    def raw(
        self,
        taste: Float32,
        smoothed_taste: Float32,
        popularity: Float32,
        mean_length: float,
        clicks: Float32 | float = 1.0,
    ) -> Float32:
        """t·n̄·((1 − a)·Z + a·B°·Z) + b·g, of weight columns or of sums over a history of so many ``clicks``.

        mean_length: n̄, in which t is measured.
        """
        a, t = self.smoothing, self.inverse_temperature * mean_length
        mixed: Float32 = np.float32(t * (1 - a)) * taste
        mixed += np.float32(t * a) * smoothed_taste
        mixed += (np.float32(self.popularity_weight) * popularity) * clicks
        return mixed

    def raw_of_targets(
        self, taste: Float32, popularity: Float32, mean_length: float, clicks: Float32
    ) -> Float32:
        """t·n̄·y·Z + b·g of histories, in place of y·Z.  clicks: of each history, (n_histories, 1)."""
        taste *= np.float32(self.inverse_temperature * mean_length)
        taste += (np.float32(self.popularity_weight) * popularity) * clicks
        return taste

    def scaled(self, raw: Float32, explained_variance: Float32, clicks: Float32 | float = 1.0) -> Float32:
        """Raw weight columns, or sums over a history of so many ``clicks``, at EASE's scale; in place."""
        raw *= np.float32(self.slope)
        raw += np.float32(self.intercept) * np.asarray(clicks, dtype=np.float32)
        raw *= self.cold_factor(explained_variance)
        return raw

    def cold_factor(self, explained_variance: Float32) -> Float32:
        """β·(1 − v_j/k_jj)^γ of each item."""
        return np.float32(self.cold_scale) * explained_variance ** np.float32(self.variance_exponent)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What metadata says of m items beside n clicked ones.

    taste, smoothed_taste: Z and B°·Z, (n, m); the latter is not read where a = 0.  popularity: g, (m,).
    explained_variance: (m,) in [0, 1].
    """

    taste: ItemWeights
    smoothed_taste: ItemWeights
    popularity: Float32
    explained_variance: Float32

    def raw_columns(self, scales: Scales, mean_length: float) -> ItemWeights:
        """t·n̄·M·Z + b·g, (n, m)."""
        return scales.raw(self.taste, self.smoothed_taste, self.popularity, mean_length)

    def columns(self, scales: Scales, mean_length: float) -> ItemWeights:
        """The weight columns c, (n, m)."""
        return scales.scaled(self.raw_columns(scales, mean_length), self.explained_variance)


@dataclass(frozen=True, eq=False)
class Users:
    """Histories of some users, and what EASE makes of them.

    histories: (n_users, n).  scores: (n_users, n) the histories times EASE's weights B.  unrelaxed: of B.
    """

    histories: UserItems
    scores: Scores
    unrelaxed: Unrelaxed

    @classmethod
    def of(cls, histories: UserItems, weights: ItemWeights) -> "Users":
        """weights: B, (n, n)."""
        return cls(histories, products(histories, weights), Unrelaxed.of(weights))

    def every(self, stride: int) -> "Users":
        """Every so-manyth of them."""
        return replace(self, histories=self.histories[::stride], scores=self.scores[::stride])

    def among(self, items: ItemIndex) -> "Users":
        """Some of the n items alone."""
        histories = select_columns(self.histories, items)
        return Users(histories, self.scores[:, items], self.unrelaxed.take(items))

    @property
    def lengths(self) -> Float32:
        """Clicks of each, (n_users, 1)."""
        return history_lengths(self.histories)

    def targets(self, smoothing: float, items: ItemIndex) -> Float32:
        """y = x·((1 − a)·I + a·B°) of some of the n items, (n_users, len(items)).  smoothing: a."""
        a = np.float32(smoothing)
        targets = self.smoothed(items)
        targets *= a
        known = select_columns(self.histories, items)
        targets[rows_of(known), known.indices] += (1 - a) * known.data
        return targets

    def smoothed(self, items: ItemIndex) -> Float32:
        """x·B° of some of the n items, (n_users, len(items))."""
        some = self.among(items)
        return some.unrelaxed.scores(some.scores, some.histories)


class LeftOutPredictor:
    """Predicts clicked items as though they had never been clicked."""

    def __init__(
        self, items: EncodedItems, taste: Ridge, popularity: ExactRidge, log_clicks: Float32
    ) -> None:
        """items: metadata of the n items.  taste, popularity: their ridges.  log_clicks: (n,) targets."""
        self._items, self._ridge, self._taste = items, taste, taste.left_out()
        self._popularity = popularity.left_out_predictions(log_clicks, items)

    def scores(self, scales: Scales, users: Users, mean_length: float) -> Scores:
        """Of all n items for these users, (n_users, n)."""
        targets = users.targets(scales.smoothing, np.arange(len(self._items)))
        taste = self._taste.predictions(targets, self._items)
        raw = scales.raw_of_targets(taste, self._popularity, mean_length, users.lengths)
        explained = np.ones(1, dtype=np.float32)
        if scales.variance_exponent != 0:
            explained = self._taste.explained_variance(self._items)
        return scales.scaled(raw, explained, users.lengths)

    def columns(
        self, scales: Scales, items: ItemIndex, ease_weights: ItemWeights, mean_length: float
    ) -> Iterator[tuple[Int64, ItemWeights]]:
        """Weight columns (n, len(band)) of the items at ``items[band]``, band after band.

        ease_weights: B, (n, n).
        """
        smoothed = SmoothedColumns(ease_weights, self._ridge)
        for band in bands(len(items)):
            left_out = items[band]
            taste = self._taste.columns(self._items.take(left_out), left_out)
            weights = self._ridge.among_all_items(taste.weights)
            predictions = Predictions(
                weights,
                smoothed.of(taste.weights) if scales.smoothing > 0 else weights,
                self._popularity[left_out],
                taste.explained_variance,
            )
            columns = predictions.columns(scales, mean_length)
            columns[left_out, np.arange(len(left_out))] = 0
            yield band, columns


class SmoothedColumns:
    """B°·Z from the rows of the training items in Z; those of the other items are 0.

    ease_weights: B, (n, n).  Where few items are training items their columns of B are copied.
    """

    def __init__(self, ease_weights: ItemWeights, ridge: Ridge) -> None:
        training = ridge.training_items_
        self._few = len(training) < _FEW * ridge.n_items
        self._ridge = ridge
        self._ease_weights = np.ascontiguousarray(ease_weights[:, training]) if self._few else ease_weights
        self._unrelaxed = Unrelaxed.of(ease_weights)

    def of(self, training_rows: Float32) -> ItemWeights:
        """(n, m) from (n_training, m)."""
        if not self._few:
            return self._unrelaxed.times(self._ease_weights, self._ridge.among_all_items(training_rows))
        training = self._ridge.training_items_
        return self._unrelaxed.take(training).times(self._ease_weights, training_rows, training)
