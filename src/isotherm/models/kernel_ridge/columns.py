"""From two predictions for an item, its taste and its popularity, to its weight column at EASE's scale."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.models.kernel_ridge.ridge import Ridge, bands
from isotherm.types import Float32, Int64, ItemIndex, ItemWeights


@dataclass(frozen=True)
class Scales:
    """The numbers of c_j = β·(1 − v_j/k_jj)^γ·(slope·(t·n̄·M·Z_j + b·g_j) + intercept), M = (1 − a)·I + a·B.

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
        """t·n̄·((1 − a)·Z + a·B·Z) + b·g, of weight columns or of sums over a history of so many ``clicks``.

        mean_length: n̄, in which t is measured.
        """
        a, t = self.smoothing, self.inverse_temperature * mean_length
        mixed: Float32 = np.float32(t * (1 - a)) * taste
        mixed += np.float32(t * a) * smoothed_taste
        mixed += (np.float32(self.popularity_weight) * popularity) * clicks
        return mixed

    def scaled(self, raw: ItemWeights, explained_variance: Float32) -> ItemWeights:
        """Raw weight columns at EASE's scale, in place."""
        raw *= np.float32(self.slope)
        raw += np.float32(self.intercept)
        raw *= self.cold_factor(explained_variance)
        return raw

    def cold_factor(self, explained_variance: Float32) -> Float32:
        """β·(1 − v_j/k_jj)^γ of each item."""
        return np.float32(self.cold_scale) * explained_variance ** np.float32(self.variance_exponent)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What metadata says of m items beside n clicked ones.

    taste, smoothed_taste: Z and B·Z, (n, m).  popularity: g, (m,).  explained_variance: (m,) in [0, 1].
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
class LeftOutPredictor:
    """Predicts clicked items as though they had never been clicked.

    items: metadata of the n items.  taste, popularity: their ridges, with targets.  log_clicks: (n,) the
    targets of popularity.  ease_weights: B, (n, n).  mean_length: n̄.
    """

    items: EncodedItems
    taste: Ridge
    popularity: Ridge
    log_clicks: Float32
    ease_weights: ItemWeights
    mean_length: float

    def columns(self, scales: Scales, items: ItemIndex) -> Iterator[tuple[Int64, ItemWeights]]:
        """Weight columns (n, len(band)) of the items at ``items[band]``, band after band."""
        for band in bands(len(items)):
            left_out, queries = items[band], self.items.take(items[band])
            taste = self.taste.left_out_columns(queries, left_out)
            popularity = self.log_clicks @ self.popularity.left_out_columns(queries, left_out).weights
            predictions = Predictions(
                taste.weights, self.ease_weights @ taste.weights, popularity, taste.explained_variance
            )
            columns = predictions.columns(scales, self.mean_length)
            columns[left_out, np.arange(len(left_out))] = 0
            yield band, columns
