"""What a mask does in latent space: users' nearest users change, and their means move."""

from dataclasses import dataclass

import numpy as np

from isotherm.geometry.anchors import anchor_centroids, fit_anchors
from isotherm.geometry.distances import nearest_users
from isotherm.geometry.posteriors import Posteriors
from isotherm.models.vae.base import VAERecommender
from isotherm.progress import stage
from isotherm.streams import stream
from isotherm.types import Float32, Float64, Int32, UserItems


@dataclass(frozen=True)
class Drift:
    """What masks do to the neighbourhoods and the means of users.

    neighbours: k, nearest users looked at.  keep: mean ρ over the clicks.
    drift: (n_users,) 1 − the mean overlap of a user's k nearest users between two masks.
    from_clean: (n_users,) the same between a mask and the clean histories.
    mask_variance: (n_users,) of μ(x_h) across the masks, summed over the dimensions.  user_variance: variance
    of the clean μ between users, summed likewise.
    to_centroid: (n_users,) ‖μ(x_h) − ē_x‖, mean over masks, ē_x of the learned anchors; None without anchors.
    to_fitted_centroid: the same to the anchors that fit the posteriors best (``fit_anchors``), which each
    model has.
    """

    neighbours: int
    keep: float
    drift: Float64
    from_clean: Float64
    mask_variance: Float64
    user_variance: float
    to_centroid: Float64 | None
    to_fitted_centroid: Float64

    @property
    def relative_variance(self) -> Float64:
        """(n_users,) variance across the masks as a share of the variance between users."""
        return self.mask_variance / max(self.user_variance, 1e-12)


def measure_drift(
    model: VAERecommender,
    histories: UserItems,
    clean: Posteriors,
    keep: Float32,
    k: int = 10,
    masks: int = 8,
    seed: int = 0,
) -> Drift:
    """Neighbours among the users of ``histories`` by W₂, under ``masks`` masks of all clicks.

    clean: posteriors of the histories.  keep: (n_items,) probability that a mask keeps a click.
    Memory is ``masks`` × users × k and one block of users × users. Without a mask it is exactly 0.
    """
    fitted = _MeanDistance(anchor_centroids(fit_anchors(clean.mean, histories), histories))
    learned = None if model.anchors_ is None else _MeanDistance(anchor_centroids(model.anchors_, histories))
    variance, nearest = _Variance(clean.mean), []
    with stage("draw masks", masks, "masks") as advance:
        for number in range(masks):
            masked = Posteriors.of(model.network_, histories, keep, stream(seed, "masks", number))
            nearest.append(nearest_users(masked, k).rows)
            variance.add(masked.mean)
            for distance in (fitted, learned):
                if distance is not None:
                    distance.add(masked.mean)
            advance(1)
    at_clean = nearest_users(clean, k).rows
    overlaps = [overlap(nearest[i], nearest[j]) for i in range(masks) for j in range(i)]
    return Drift(
        neighbours=at_clean.shape[1],
        keep=float(keep[histories.indices].mean()),
        drift=1 - np.mean(overlaps or [np.ones(len(clean))], axis=0),
        from_clean=1 - np.mean([overlap(rows, at_clean) for rows in nearest], axis=0),
        mask_variance=variance.value,
        user_variance=float(clean.mean.var(axis=0, dtype=np.float64).sum()),
        to_centroid=None if learned is None else learned.value,
        to_fitted_centroid=fitted.value,
    )


class _MeanDistance:
    """Mean over masks of the distance (n_users,) between a user's mean and a fixed point."""

    def __init__(self, points: Float32) -> None:
        self._points, self._total, self._n = points, np.zeros(len(points)), 0

    def add(self, means: Float32) -> None:
        """Count one mask's means (n_users, latent)."""
        self._total += np.linalg.norm(means - self._points, axis=1)
        self._n += 1

    @property
    def value(self) -> Float64:
        return self._total / self._n


class _Variance:
    """Variance (n_users,) of a user's mean across masks, summed over the dimensions.

    clean: (n_users, latent), about which sums are kept, so that they keep their digits.
    """

    def __init__(self, clean: Float32) -> None:
        self._clean, self._n = clean, 0
        self._total, self._squares = np.zeros(clean.shape), np.zeros(len(clean))

    def add(self, means: Float32) -> None:
        """Count one mask's means (n_users, latent)."""
        change = (means - self._clean).astype(np.float64)
        self._total += change
        self._squares += np.square(change).sum(axis=1)
        self._n += 1

    @property
    def value(self) -> Float64:
        variance = self._squares / self._n - np.square(self._total / self._n).sum(axis=1)
        return np.asarray(np.maximum(variance, 0) * self._n / max(self._n - 1, 1))


def overlap(first: Int32, second: Int32) -> Float64:
    """Share of each row's k entries that both (n, k) arrays hold, (n,).

    >>> import numpy as np
    >>> from isotherm.geometry.drift import overlap
    >>> overlap(np.array([[1, 2, 3, 4]]), np.array([[3, 9, 1, 7]]))
    array([0.5])
    """
    k = first.shape[1]
    both = np.sort(np.concatenate([first, second], axis=1), axis=1)
    return np.asarray((both[:, 1:] == both[:, :-1]).sum(axis=1) / k)
