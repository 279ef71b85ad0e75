"""Posteriors and item logits of users from a network: the one path of validation, evaluation and serving."""

import numpy as np
import torch

from isotherm.linalg.csr import row_blocks
from isotherm.models.requests.histories import checked_block
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import Network, masked, normalised
from isotherm.types import Float32, Scores, UserItems


@torch.no_grad()
def logits(network: Network, user_items: UserItems) -> Scores:
    """Logits (n_users, n_items) float32 at the posterior's mean; softmax would not change their order.

    On a CPU the item-wide product goes through NumPy's BLAS, which is the faster one there.
    """
    weight = network.last.weight
    hidden = hidden_layer(network, user_items)
    if weight.device.type != "cpu":
        return np.asarray(torch.addmm(network.last_bias, hidden, weight.T).cpu())
    with np.errstate(over="ignore", invalid="ignore"):  # who trains looks whether scores are finite
        scores: Scores = hidden.numpy() @ weight.detach().numpy().T
        scores += network.last_bias.detach().numpy()
    return scores


@torch.no_grad()
def hidden_layer(network: Network, user_items: UserItems) -> torch.Tensor:
    """The decoder's last hidden layer (n_users, width) at the posterior's mean."""
    return network.decode(network.encode(normalised(Batch.of(user_items, network.last.weight.device))).mean)


@torch.no_grad()
def posteriors(
    network: Network,
    user_items: UserItems,
    keep: Float32 | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[Float32, Float32 | None]:
    """Mean and log-variance (n_users, latent) of q(z | x); None where z is the mean.

    keep: (n_items,) probability that the encoder sees a click of each item; None: it sees all of them.
    rng: draws the mask, for each click anew; needed with ``keep``.  Raises InteractionsError for a block that
    does not fit the network.
    """
    probability = None if keep is None else torch.from_numpy(keep)
    user_items = checked_block(user_items, len(network.last_bias))
    means, logvars = [], []
    for block in list(row_blocks(user_items, 4096)) or [user_items]:
        inputs = normalised(Batch.of(block))
        if probability is not None and rng is not None:
            lots = torch.from_numpy(rng.random(block.nnz, dtype=np.float32))
            inputs = masked(inputs, probability, lots < probability[inputs.items])
        mean, logvar = network.encode(inputs)
        means.append(mean.numpy())
        if logvar is not None:
            logvars.append(logvar.numpy())
    return np.concatenate(means), np.concatenate(logvars) if logvars else None
