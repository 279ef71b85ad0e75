"""Where a VAE puts its users: the Gaussian posterior of each, for clean or masked histories."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

from isotherm.data import Interactions
from isotherm.errors import InteractionsError, UnsupportedError
from isotherm.linalg.csr import move_entries
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.network.scoring import posteriors
from isotherm.models.vae.objective.masking import Mask
from isotherm.streams import stream
from isotherm.types import Array, Float32, Int64

_FEWEST = 10  # users


@dataclass(frozen=True)
class Posteriors:
    """q(z | x) = N(mean, diag deviation²) of some users.

    mean, deviation: (n_users, latent) float32; the deviation is zero on a DAE, whose posterior is a point.
    """

    mean: Float32
    deviation: Float32

    @classmethod
    def of(
        cls,
        network: Network,
        histories: csr_array,
        keep: Float32 | None = None,
        rng: np.random.Generator | None = None,
    ) -> "Posteriors":
        """Of histories (n_users, n_items) CSR.

        keep: (n_items,) how probably the encoder sees a click; None: it sees all.  rng: draws the mask.
        """
        mean, logvar = posteriors(network, histories, keep, rng)
        return cls(mean, np.zeros_like(mean) if logvar is None else np.exp(0.5 * logvar))

    def __len__(self) -> int:
        return len(self.mean)

    def take(self, rows: Array) -> "Posteriors":
        """Of these users."""
        return Posteriors(self.mean[rows], self.deviation[rows])

    @property
    def points(self) -> Float32:
        """(n_users, 2 · latent): W₂ between two users is the Euclidean distance of their points."""
        return np.concatenate([self.mean, self.deviation], axis=1)

    def drawn(self, noise: Float32) -> Float32:
        """Points z (n_users, n_draws, latent) from noise (n_draws, latent) that all users share.

        Sharing it couples any two users as W₂ does: it is the best transport between diagonal Gaussians.
        """
        return self.mean[:, None, :] + self.deviation[:, None, :] * noise


def antithetic_noise(n: int, latent: int, seed: int, part: int = 0) -> Float32:
    """(n, latent) standard normal float32, each draw beside its negative, so that their mean is zero.

    An odd n has a zero as well: one draw alone is the posterior's mean.  part: other parts are independent.
    """
    half = stream(seed, "points of the posteriors", part).standard_normal((n // 2, latent))
    return np.concatenate([half, -half, np.zeros((n % 2, latent))]).astype(np.float32)


def histories_of(model: Any, clicks: Interactions) -> tuple[csr_array, Int64]:
    """Histories (n_users, n_items) in the model's columns, and the rows of ``clicks`` they are of.

    Clicks on items that the model does not know are left out, and users whom that leaves without a click.
    Raises UnsupportedError where the model is no VAE, InteractionsError where fewer than ten users are left.
    """
    check_latent(model)
    columns = model.items_.rows(clicks.items.values)
    matrix = move_entries(clicks.matrix, columns[clicks.matrix.indices], model.n_items)
    matrix.sort_indices()
    rows = np.flatnonzero(np.diff(matrix.indptr))
    if len(rows) < _FEWEST:
        raise InteractionsError(
            f"{len(rows)} users with a click on an item that the model knows; geometry needs at least "
            f"{_FEWEST}: give the clicks that the model was fitted on, or others over the same item_ids"
        )
    return matrix[rows], rows


def check_latent(model: Any) -> None:
    """Raises UnsupportedError where the model is no VAE."""
    if not isinstance(model, VAERecommender):
        raise UnsupportedError(
            "geometry is about multvae, multdae and recvae; "
            f"{getattr(model, 'name', model)!s} has no latent space"
        )


def keep_probabilities(model: VAERecommender, mask: Mask | None = None) -> Float32:
    """(n_items,) chance that the encoder sees a click, of ``mask`` or the model's own at its best epoch."""
    clicks = torch.from_numpy(np.bincount(model.clicks_.indices, minlength=model.n_items))
    chosen = model.mask if mask is None else mask
    found: Float32 = chosen.keep_probability(clicks, model.progress_.best_epoch).numpy()
    return found
