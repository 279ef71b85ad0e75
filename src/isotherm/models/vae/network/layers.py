"""The networks: an encoder from clicks to a Gaussian posterior, a decoder from a latent point to item logits.

Multi-VAE and Multi-DAE (Liang et al. 2018): items → hidden → latent → hidden → items, tanh or GELU,
l2-normalised input; Multi-DAE without hidden layers, too. RecVAE (Shenbin et al. 2020): five dense layers
with swish and layer normalisation; a linear decoder.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import erf, expit
from torch import Tensor, nn

from isotherm.linalg.products import table_products
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.item_table import ItemTable, embedding_bag
from isotherm.state.torch_modules import StatefulModule
from isotherm.streams import stream_seed
from isotherm.types import Float32

_RECVAE_LAYERS = 5
_NORM_EPSILON = 0.1  # RecVAE's own


class Posterior(NamedTuple):
    """q(z | x) = N(mean, diag exp(logvar)), each (n_users, latent); logvar is None where z is the mean."""

    mean: Tensor
    logvar: Tensor | None

    def sample(self, noise: Tensor) -> Tensor:
        """A point of it, from standard normal noise of the same shape."""
        return self.mean if self.logvar is None else self.mean + noise * torch.exp(0.5 * self.logvar)


class Activation(NamedTuple):
    """A nonlinearity, in torch and in NumPy."""

    of_tensor: Callable[[Tensor], Tensor]
    of_array: Callable[[Float32], Float32]


def _gelu(rows: Float32) -> Float32:
    return np.asarray(rows * (0.5 * (1 + erf(rows * np.float32(math.sqrt(0.5))))))


#: by name; GELU: Hendrycks & Gimpel 2016, x · Φ(x)
ACTIVATIONS = {"tanh": Activation(torch.tanh, np.tanh), "gelu": Activation(nn.functional.gelu, _gelu)}


class Network(StatefulModule, ABC):
    """An encoder and a decoder, each with an item-wide table: logits = decode(z) · last.weightᵀ + last_bias.

    first, last: (n_items, width) weights of the first and of the last layer.
    """

    first: ItemTable
    last: ItemTable
    last_bias: nn.Parameter
    latent: int

    @abstractmethod
    def encode(self, inputs: Batch) -> Posterior:
        """Posterior of each user from normalised, perhaps masked, clicks."""

    @abstractmethod
    def decode(self, z: Tensor) -> Tensor:
        """The last hidden layer, (n_users, width of ``last``)."""

    @abstractmethod
    def hidden_of_sums(self, sums: Float32) -> Float32:
        """``decode`` of ``encode``'s mean, from what the first layer adds up over clicks, (n_users, width).

        In NumPy and by a kernel that takes each row for itself: lists are made by it.
        """

    @abstractmethod
    def decoder_layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weight and bias of each dense layer from z to the logits."""

    @abstractmethod
    def decoder_parameters(self) -> list[nn.Parameter]:
        """All that ``decode`` and the logits use."""

    def encoder_parameters(self) -> list[nn.Parameter]:
        """All that ``encode`` uses."""
        decoder = {id(parameter) for parameter in self.decoder_parameters()}
        return [parameter for parameter in self.parameters() if id(parameter) not in decoder]


class MultiVAE(Network):
    """items → hidden → latent (mean and log-variance, or the mean alone) → hidden → items.

    activation: of the hidden layers, tanh or gelu.
    """

    def __init__(
        self, n_items: int, hidden: int, latent: int, variational: bool, seed: int, activation: str = "tanh"
    ) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.latent, self.variational = latent, variational
        self.first = ItemTable(n_items, hidden)
        self.first_bias = nn.Parameter(torch.empty(hidden))
        self.head = nn.Linear(hidden, latent * (2 if variational else 1))
        self.middle = nn.Linear(latent, hidden)
        self.last = ItemTable(n_items, hidden)
        self.last_bias = nn.Parameter(torch.empty(n_items))
        _initialise(
            [self.first.weight, self.head.weight, self.middle.weight, self.last.weight],
            [self.first_bias, self.head.bias, self.middle.bias, self.last_bias],
            seed,
        )

    def encode(self, inputs: Batch) -> Posterior:
        """Posterior of each user (Liang et al. 2018, eq. 4)."""
        hidden = self.activation.of_tensor(embedding_bag(self.first, inputs) + self.first_bias)
        if not self.variational:
            return Posterior(self.head(hidden), None)
        mean, logvar = self.head(hidden).chunk(2, dim=1)
        return Posterior(mean, logvar)

    def decode(self, z: Tensor) -> Tensor:
        """The last hidden layer."""
        return self.activation.of_tensor(self.middle(z))

    def hidden_of_sums(self, sums: Float32) -> Float32:
        """The same in NumPy."""
        hidden = self.activation.of_array(sums + array_of(self.first_bias))
        mean = _dense(hidden, self.head, self.latent)
        return self.activation.of_array(_dense(mean, self.middle))

    def decoder_layers(self) -> list[tuple[Tensor, Tensor]]:
        """latent → hidden → items."""
        return [(self.middle.weight, self.middle.bias), (self.last.weight, self.last_bias)]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """The decoder's."""
        return [*self.middle.parameters(), self.last.weight, self.last_bias]


class OneLayerDAE(Network):
    """items → latent → items, Multi-DAE without hidden layers (Liang et al. 2018, §4.3); z is activated."""

    def __init__(self, n_items: int, latent: int, seed: int, activation: str = "tanh") -> None:
        super().__init__()
        self.latent, self.activation = latent, ACTIVATIONS[activation]
        self.first = ItemTable(n_items, latent)
        self.first_bias = nn.Parameter(torch.empty(latent))
        self.last = ItemTable(n_items, latent)
        self.last_bias = nn.Parameter(torch.empty(n_items))
        _initialise([self.first.weight, self.last.weight], [self.first_bias, self.last_bias], seed)

    def encode(self, inputs: Batch) -> Posterior:
        """A point for each user."""
        return Posterior(self.activation.of_tensor(embedding_bag(self.first, inputs) + self.first_bias), None)

    def decode(self, z: Tensor) -> Tensor:
        """z itself: the logits are linear in it."""
        return z

    def hidden_of_sums(self, sums: Float32) -> Float32:
        """The same in NumPy."""
        return self.activation.of_array(sums + array_of(self.first_bias))

    def decoder_layers(self) -> list[tuple[Tensor, Tensor]]:
        """latent → items."""
        return [(self.last.weight, self.last_bias)]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """The last layer's."""
        return [self.last.weight, self.last_bias]


class RecVAE(Network):
    """Densely connected encoder (Shenbin et al. 2020, fig. 2); logits are linear in z."""

    def __init__(self, n_items: int, hidden: int, latent: int, seed: int) -> None:
        super().__init__()
        self.latent = latent
        self.first = ItemTable(n_items, hidden)
        self.first_bias = nn.Parameter(torch.empty(hidden))
        self.layers = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(_RECVAE_LAYERS - 1))
        self.norms = nn.ModuleList(nn.LayerNorm(hidden, eps=_NORM_EPSILON) for _ in range(_RECVAE_LAYERS))
        self.head = nn.Linear(hidden, 2 * latent)
        self.last = ItemTable(n_items, latent)
        self.last_bias = nn.Parameter(torch.empty(n_items))
        fans = [(self.first.weight, n_items), (self.first_bias, n_items)]
        fans += [(parameter, hidden) for layer in self.layers for parameter in layer.parameters()]
        fans += [(parameter, hidden) for parameter in self.head.parameters()]
        fans += [(self.last.weight, latent), (self.last_bias, latent)]
        generator = torch.Generator().manual_seed(stream_seed(seed, "weights"))
        with torch.no_grad():
            for weight, fan_in in fans:
                weight.uniform_(-(fan_in**-0.5), fan_in**-0.5, generator=generator)

    def encode(self, inputs: Batch) -> Posterior:
        """Posterior of each user: h_i = LayerNorm(swish(W_i h_{i−1} + h_1 + … + h_{i−1}))."""
        hidden = self.norms[0](nn.functional.silu(embedding_bag(self.first, inputs) + self.first_bias))
        total = hidden
        for layer, norm in zip(self.layers, list(self.norms)[1:], strict=True):
            hidden = norm(nn.functional.silu(layer(hidden) + total))
            total = total + hidden
        mean, logvar = self.head(hidden).chunk(2, dim=1)
        return Posterior(mean, logvar)

    def decode(self, z: Tensor) -> Tensor:
        """z itself: the logits are linear in it."""
        return z

    def hidden_of_sums(self, sums: Float32) -> Float32:
        """The same in NumPy; z is the mean."""
        norms: list[nn.LayerNorm] = list(self.norms)  # type: ignore[arg-type]
        hidden = _normed(_swish(sums + array_of(self.first_bias)), norms[0])
        total = hidden
        for layer, norm in zip(self.layers, norms[1:], strict=True):
            hidden = _normed(_swish(_dense(hidden, layer) + total), norm)
            total = total + hidden
        return _dense(hidden, self.head, self.latent)

    def decoder_layers(self) -> list[tuple[Tensor, Tensor]]:
        """latent → items."""
        return [(self.last.weight, self.last_bias)]

    def decoder_parameters(self) -> list[nn.Parameter]:
        """The last layer's."""
        return [self.last.weight, self.last_bias]


@torch.no_grad()
def _initialise(weights: list[Tensor], biases: list[Tensor], seed: int) -> None:
    """Weights by Xavier's rule (Glorot & Bengio 2010), small biases (Liang et al. 2018)."""
    generator = torch.Generator().manual_seed(stream_seed(seed, "weights"))
    for weight in weights:
        bound = math.sqrt(6 / sum(weight.shape))
        weight.uniform_(-bound, bound, generator=generator)
    for bias in biases:
        bias.normal_(0, 0.001, generator=generator)


def array_of(parameter: Tensor) -> Float32:
    """A parameter on the CPU as an array on the same memory."""
    array: Float32 = parameter.detach().numpy()
    return array


def _dense(rows: Float32, layer: nn.Module, n: int | None = None) -> Float32:
    """The first n outputs of a dense layer, all for None."""
    assert isinstance(layer, nn.Linear)
    return table_products(rows, array_of(layer.weight)[:n]) + array_of(layer.bias)[:n]


def _swish(rows: Float32) -> Float32:
    return np.asarray(rows * expit(rows))


def _normed(rows: Float32, norm: nn.LayerNorm) -> Float32:
    """Layer normalisation of each row."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    variance = (centred * centred).mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt(variance + np.float32(norm.eps))
    return np.asarray(scaled * array_of(norm.weight) + array_of(norm.bias))


def normalised(clicks: Batch) -> Batch:
    """Each user's clicks divided by their Euclidean norm; an empty user stays empty."""
    # squares of weights that float32 holds are out of its range; Apple's GPUs have no other
    wide = clicks.values if clicks.values.device.type == "mps" else clicks.values.double()
    norms = clicks.sums(wide.square()).sqrt()
    return clicks.with_values((wide / norms[clicks.rows]).float())


def masked(inputs: Batch, keep: Tensor, kept: Tensor) -> Batch:
    """Normalised clicks of which only the ``kept`` stay, each divided by its probability of staying.

    keep: (n_items,) probabilities.  kept: (n_clicks,) bool. So the first layer's mean over masks is what the
    clean input gives it at inference (dropout as Liang et al. 2018 have it).
    """
    return inputs.with_values(inputs.values / keep[inputs.items]).only(kept)
