"""How hard anchors hold users: τ of prop. 3.2 from the curvature of the model's own loss.

With anchors the Hessian of a user's loss in μ is H + 2λ_A I. Where no eigenvalue of H is above L, the
variance of the mean across masks shrinks by τ² and the distance to the centroid by τ = L / (L + 2λ_A).
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array

import isotherm.geometry.gradients as g
from isotherm.geometry.posteriors import Posteriors
from isotherm.models.requests.histories import checked_block
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.batch import Batch
from isotherm.streams import stream
from isotherm.types import Float64


@dataclass(frozen=True)
class AnchorShrinkage:
    """weight: λ_A, 0 without anchors.  eigenvalues: (n_users, latent), ascending, of H = ∂²(ℓ + β·KL)/∂μ²."""

    weight: float
    eigenvalues: Float64

    @property
    def largest(self) -> float:
        """L: the largest eigenvalue of a user, median over the users."""
        return float(np.median(self.eigenvalues[:, -1]))

    def tau(self, weight: float | None = None) -> float:
        """L / (L + 2λ_A), median over the users; λ_A of another model where ``weight`` is given."""
        largest = np.maximum(self.eigenvalues[:, -1], 0)
        found = largest / np.maximum(largest + 2 * (self.weight if weight is None else weight), 1e-30)
        return float(np.median(found))


def measure_anchor_shrinkage(
    model: VAERecommender, histories: csr_array, posteriors: Posteriors, most_users: int = 32, seed: int = 0
) -> AnchorShrinkage:
    """From the Hessians of at most ``most_users`` users, drawn from all."""
    rng = stream(seed, "users of the curvature")
    rows = np.sort(rng.permutation(len(posteriors))[:most_users])
    some = csr_array(checked_block(histories, model.n_items)[rows])
    z, x = torch.from_numpy(posteriors.mean[rows]), torch.from_numpy(some.toarray())
    with torch.no_grad():
        found = g.hessian_eigenvalues(g.decoder_layers(model.network_), z, x).double().numpy()
    return AnchorShrinkage(model.anchors.weight, found + _beta(model, some)[:, None])


def _beta(model: VAERecommender, histories: csr_array) -> Float64:
    """β of each user when training ended: the KL term's own curvature in μ is β I."""
    beta = getattr(model, "beta", None)
    if beta is None:
        return np.zeros(histories.shape[0])
    found = beta.of(Batch.of(histories), model.progress_.best_epoch)
    return np.broadcast_to(np.asarray(found, dtype=np.float64), histories.shape[:1])
