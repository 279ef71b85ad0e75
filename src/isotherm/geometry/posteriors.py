"""Where a VAE puts its users: the Gaussian posterior of each, for clean or masked histories."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from isotherm.data import Interactions
from isotherm.data.wording import counted
from isotherm.errors import InteractionsError, UnsupportedError
from isotherm.linalg.csr import move_entries
from isotherm.models.vae.base import VAERecommender
from isotherm.models.vae.network.layers import Network
from isotherm.models.vae.network.scoring import posteriors
from isotherm.models.vae.objective.masking import Mask
from isotherm.streams import stream
from isotherm.types import Array, Float32, UserIndex, UserItems

_LEAST_USERS = 10


@dataclass(frozen=True)
class Posteriors:
    """q(z | x) = N(mean, diag deviation²) of some users.

    mean, deviation: (n_users, latent) float32; the deviation is zero on a DAE, whose posterior is a point.

    >>> import numpy as np
    >>> from isotherm.geometry import Posteriors
    >>> users = Posteriors(np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32))
    >>> len(users), users.w2_coordinates.shape
    (2, (2, 6))
    """

    mean: Float32
    deviation: Float32

    @classmethod
    def of(
        cls,
        network: Network,
        histories: UserItems,
        keep: Float32 | None = None,
        rng: np.random.Generator | None = None,
    ) -> "Posteriors":
        """The posteriors of histories (n_users, n_items).

        keep: (n_items,) probability that the encoder sees a click; None: it sees all.  rng: draws the mask.
        """
        mean, logvar = posteriors(network, histories, keep, rng)
        return cls(mean, np.zeros_like(mean) if logvar is None else np.exp(0.5 * logvar))

    def __len__(self) -> int:
        return len(self.mean)

    def take(self, rows: Array) -> "Posteriors":
        """The posteriors of these users."""
        return Posteriors(self.mean[rows], self.deviation[rows])

    @property
    def w2_coordinates(self) -> Float32:
        """(n_users, 2 · latent): W₂ between two users is the Euclidean distance of their coordinates."""
        return np.concatenate([self.mean, self.deviation], axis=1)

    def sample(self, noise: Float32) -> Float32:
        """Points z (n_users, n_draws, latent) from noise (n_draws, latent) that all users share.

        Sharing it couples any two users as W₂ does: it is the best transport between diagonal Gaussians.
        """
        return self.mean[:, None, :] + self.deviation[:, None, :] * noise


def antithetic_noise(n_draws: int, latent: int, seed: int, replicate: int = 0) -> Float32:
    """(n_draws, latent) standard normal float32, each draw beside its negative, so that their mean is zero.

    An odd number has a zero as well: one draw alone is the posterior's mean.
    replicate: the draws of different replicates are independent.

    >>> from isotherm.geometry import antithetic_noise
    >>> antithetic_noise(5, 2, seed=0).sum()
    np.float32(0.0)
    """
    half = stream(seed, "points of the posteriors", replicate).standard_normal((n_draws // 2, latent))
    return np.concatenate([half, -half, np.zeros((n_draws % 2, latent))]).astype(np.float32)


@dataclass(frozen=True)
class Histories:
    """The histories of users that a model can read.

    user_items: (n_users, n_items) in the columns of the model.  users: (n_users,) their rows in the clicks.
    """

    user_items: UserItems
    users: UserIndex


def histories_of(model: Any, clicks: Interactions) -> Histories:
    """The histories in the model's columns.

    Clicks on items that the model does not know are left out, and users whom that leaves without a click.
    Raises UnsupportedError where the model is no VAE, InteractionsError where fewer than ten users are left.
    """
    check_is_vae(model)
    columns = model.items_.rows(clicks.items.values)
    matrix = move_entries(clicks.matrix, columns[clicks.matrix.indices], model.n_items)
    matrix.sort_indices()
    users = np.flatnonzero(np.diff(matrix.indptr))
    if len(users) < _LEAST_USERS:
        raise InteractionsError(
            f"{counted(len(users), 'user')} with a click on an item that the model knows; geometry needs "
            f"at least {_LEAST_USERS}: give the clicks that the model was fitted on, or others over the same "
            "item_ids"
        )
    return Histories(matrix[users], users)


def check_is_vae(model: Any) -> None:
    """Raises UnsupportedError where the model is no VAE, or not of the loss that the gradients are of."""
    if not isinstance(model, VAERecommender):
        raise UnsupportedError(
            "geometry is about multvae, multdae and recvae; "
            f"{getattr(model, 'name', model)!s} has no latent space"
        )
    activation = getattr(model, "activation", "tanh")
    if model.reconstruction.of_hidden or (model.hidden and activation != "tanh"):
        raise UnsupportedError(
            f"geometry: gradients are of a multinomial likelihood and of tanh; this {model.name} has "
            f"reconstruction={model.reconstruction.name}, activation={activation}"
        )


def keep_probabilities(model: VAERecommender, mask: Mask | None = None) -> Float32:
    """(n_items,) probability that the encoder sees a click under ``mask``.

    mask: None for the model's mask. Masks that change over the epochs are taken at the model's best epoch.
    """
    clicks = torch.from_numpy(np.bincount(model.clicks_.indices, minlength=model.n_items))
    mask = model.settled.mask if mask is None else mask
    probabilities: Float32 = mask.keep_probability(clicks, model.progress_.best_epoch).numpy()
    return probabilities
