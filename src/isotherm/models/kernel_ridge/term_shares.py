"""What each kernel term gives to the raw scores of cold items: how a score is split over metadata fields."""

from dataclasses import dataclass

import numpy as np

from isotherm.models.kernel_ridge.columns import Scales
from isotherm.models.kernel_ridge.ridge import Ridge
from isotherm.models.kernel_ridge.unrelaxed import Unrelaxed
from isotherm.types import Float32, Float64, ItemWeights, SimilarityStack, UserItems


@dataclass(frozen=True, eq=False)
class TermShares:
    """Both regressions of a model; with x a history, their predictions are sums over landmarks,
    x·M·Z_j = α·k_j and g_j = α'·k'_j, and k_j is a sum over terms.

    taste: the ridge that gives α.  popularity_coefficients: α', (n_landmarks,).
    taste_weights, popularity_weights: μ and ν, (n_terms + 1,).  ease_weights: B, (n_warm, n_warm).
    mean_length: n̄.
    """

    taste: Ridge
    popularity_coefficients: Float32
    taste_weights: Float64
    popularity_weights: Float64
    ease_weights: ItemWeights
    scales: Scales
    mean_length: float

    def of(self, histories: UserItems, kernels: SimilarityStack) -> Float64:
        """(n_terms + 1, n_users, n_items); the last is the constant's.

        histories: (n_users, n_warm).  kernels: (n_terms, n_items, n_landmarks), of the items.
        """
        scales = self.scales
        a, n_clicks = np.float32(scales.smoothing), np.asarray(histories.sum(axis=1), np.float64)
        smoothed = Unrelaxed.of(self.ease_weights).scores(histories @ self.ease_weights, histories)
        smoothed = (1 - a) * histories.toarray() + a * smoothed
        t = scales.inverse_temperature * self.mean_length
        taste = t * self.taste.dual_coefficients(smoothed.T).T.astype(np.float64)  # (n_users, n_landmarks)
        popularity = scales.popularity_weight * np.outer(n_clicks, self.popularity_coefficients)
        shares = np.empty((len(kernels) + 1, len(n_clicks), kernels.shape[1]))
        for share, kernel, mu, nu in zip(
            shares, kernels, self.taste_weights, self.popularity_weights, strict=False
        ):
            share[...] = (mu * taste + nu * popularity) @ kernel.T
        constant = self.taste_weights[-1] * taste + self.popularity_weights[-1] * popularity
        shares[-1] = constant.sum(axis=1)[:, None]
        shares *= scales.slope
        shares[-1] += scales.intercept * n_clicks[:, None]
        return shares
