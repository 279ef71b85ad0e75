"""How much anchors shrink latent space: τ of prop. 3.2 from the Hessian of the model's loss, and centroids.

With anchors the Hessian of a user's loss in μ is H + 2λ_A I. Where no eigenvalue of H is above L, the
variance of the mean across masks shrinks by τ² and the distance to the centroid by τ = L / (L + 2λ_A) (PIA,
prop. 3.2).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

import isotherm.geometry.gradients as g
from isotherm.geometry.posteriors import Posteriors
from isotherm.linalg.csr import binary, rows_of, with_data
from isotherm.models.requests.histories import checked_block
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.batch import Batch
from isotherm.streams import stream
from isotherm.types import Float32, Float64, UserItems


@dataclass(frozen=True)
class AnchorShrinkage:
    """How much the anchors of a model shrink what masks do.

    weight: λ_A, 0 without anchors.
    eigenvalues: (n_users, latent), ascending, of each user's Hessian H = ∂²(ℓ + β·KL)/∂μ².
    """

    weight: float
    eigenvalues: Float64

    @property
    def largest_eigenvalue(self) -> float:
        """L: the largest eigenvalue of a user's Hessian, median over the users."""
        return float(np.median(self.eigenvalues[:, -1]))

    def tau(self, weight: float | None = None) -> float:
        """τ = L / (L + 2λ_A), median over the users; λ_A of another model where ``weight`` is given.

        >>> import numpy as np
        >>> from isotherm.geometry import AnchorShrinkage
        >>> AnchorShrinkage(1.0, np.array([[0.5, 2.0]])).tau()  # 2 / (2 + 2)
        0.5
        """
        largest = np.maximum(self.eigenvalues[:, -1], 0)
        weight = self.weight if weight is None else weight
        return float(np.median(largest / np.maximum(largest + 2 * weight, 1e-30)))

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"weight": self.weight, "hessian_eigenvalue": self.largest_eigenvalue, "tau": self.tau()}


def measure_anchor_shrinkage(
    model: VAERecommender, histories: UserItems, posteriors: Posteriors, most_users: int = 32, seed: int = 0
) -> AnchorShrinkage:
    """From the Hessians of at most ``most_users`` users, drawn from all.  posteriors: of the histories."""
    rng = stream(seed, "users of the curvature")
    rows = np.sort(rng.permutation(len(posteriors))[:most_users])
    drawn = csr_array(checked_block(histories, model.n_items)[rows])
    z, x = torch.from_numpy(posteriors.mean[rows]), torch.from_numpy(drawn.toarray())
    with torch.no_grad():
        eigenvalues = g.hessian_eigenvalues(g.decoder_layers(model.network_), z, x).double().numpy()
    return AnchorShrinkage(float(model.settled.anchors.weight), eigenvalues + _beta(model, drawn)[:, None])


def _beta(model: VAERecommender, histories: UserItems) -> Float64:
    """β of each user when training ended: the Hessian of the KL term in μ is β I."""
    beta = getattr(model.settled, "beta", None)
    if beta is None:
        return np.zeros(histories.shape[0])
    values = beta.of(Batch.of(histories), model.progress_.best_epoch)
    return np.broadcast_to(np.asarray(values, dtype=np.float64), histories.shape[:1])


def fit_anchors(means: Float32, histories: UserItems) -> Float32:
    """(n_items, latent) anchors that minimise L_A for these posteriors, zero for an item without a click.

    e_i is the mean of μ_u over the users of i, each weighed by 1/|S_u|.
    """
    weights = _averages(histories)
    totals = np.asarray(weights.sum(axis=0)).ravel()
    return np.asarray((weights.T @ means) / np.maximum(totals, 1e-12)[:, None], dtype=np.float32)


def anchor_centroids(anchors: Float32, histories: UserItems) -> Float32:
    """ē_x of each user, (n_users, latent): the mean of the anchors of the user's items."""
    return np.asarray(binary(histories) @ anchors / np.diff(histories.indptr)[:, None], dtype=np.float32)


def _averages(histories: UserItems) -> UserItems:
    """1/|S_u| for each click of user u."""
    return with_data(histories, (1.0 / np.diff(histories.indptr))[rows_of(histories)].astype(np.float32))
