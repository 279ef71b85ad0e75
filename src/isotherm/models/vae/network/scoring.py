"""Posteriors and item logits of users from a network.

Training validates by ``logits``: torch and BLAS take a block of users at once, on any device, and round by
its shape. Lists are made by ``scores_of_rows``: what a user gets never depends on the others of the block.
"""

import numpy as np
import torch

from isotherm.linalg.csr import row_blocks, rows_of
from isotherm.linalg.products import table_products
from isotherm.models.requests.histories import checked_block
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.kernels import sum_rows
from isotherm.models.vae.network.layers import Network, array_of, masked, normalised
from isotherm.threads import run_bands
from isotherm.types import Float32, Scores, UserItems


@torch.no_grad()
def logits(network: Network, user_items: UserItems) -> Scores:
    """Logits (n_users, n_items) float32 at the posterior's mean; softmax would not change their order.

    On a CPU the item-wide product goes through NumPy's BLAS, which is the faster one there.
    """
    weight = network.last.weight
    inputs = normalised(Batch.of(user_items, weight.device))
    hidden = network.decode(network.encode(inputs).mean)
    if weight.device.type != "cpu":
        return np.asarray(torch.addmm(network.last_bias, hidden, weight.T).cpu())
    with np.errstate(over="ignore", invalid="ignore"):  # who trains looks whether scores are finite
        scores: Scores = hidden.numpy() @ weight.detach().numpy().T
        scores += network.last_bias.detach().numpy()
    return scores


def scores_of_rows(network: Network, user_items: UserItems) -> Scores:
    """``logits`` of each user for himself, but for their last digits.  network: on the CPU."""
    with np.errstate(over="ignore", invalid="ignore"):  # who ranks looks whether scores are finite
        scores = table_products(hidden_layer(network, user_items), array_of(network.last.weight))
        scores += array_of(network.last_bias)
    return scores


def hidden_layer(network: Network, user_items: UserItems) -> Float32:
    """The decoder's last hidden layer (n_users, width) at the posterior's mean, of each user for himself."""
    starts, items = user_items.indptr.astype(np.int64), user_items.indices.astype(np.int64)
    wide, rows = user_items.data.astype(np.float64), rows_of(user_items)
    norms = np.sqrt(np.bincount(rows, wide * wide, user_items.shape[0]))
    values = (wide / norms[rows]).astype(np.float32)
    table = array_of(network.first.weight)
    sums = np.empty((user_items.shape[0], table.shape[1]), dtype=np.float32)
    run_bands(sum_rows, len(sums), starts, items, values, table, sums, smallest=8)
    with np.errstate(over="ignore", invalid="ignore"):
        return network.hidden_of_sums(sums)


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
