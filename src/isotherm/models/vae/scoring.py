"""Item logits of users from a network: the one path of validation, evaluation and serving."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.models.vae.batch import Batch
from isotherm.models.vae.networks import Network, normalised


@torch.no_grad()
def logits(network: Network, user_items: csr_array) -> NDArray[np.float32]:
    """Logits (n_users, n_items) float32 at the posterior's mean; softmax would not change their order.

    On a CPU the item-wide product goes through NumPy's BLAS, which is the faster one there.
    """
    weight = network.last.weight
    hidden = hidden_layer(network, user_items)
    if weight.device.type != "cpu":
        return np.asarray(torch.addmm(network.last_bias, hidden, weight.T).cpu())
    scores: NDArray[np.float32] = hidden.numpy() @ weight.detach().numpy().T
    scores += network.last_bias.detach().numpy()
    return scores


@torch.no_grad()
def hidden_layer(network: Network, user_items: csr_array) -> torch.Tensor:
    """The decoder's last hidden layer (n_users, width) at the posterior's mean."""
    return network.decode(network.encode(normalised(Batch.of(user_items, network.last.weight.device))).mean)
