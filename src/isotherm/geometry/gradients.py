"""The gradient of the decoder for each user, all at once, and never whole.

The gradient of one user's loss ℓ(x, z) = −Σ_j x_j log π_j(z) with respect to a dense layer is an outer
product: what comes back to the layer's output, δ, times what went into it, (a, 1). ``torch.func`` gives the
δ of all users in one batched pass: they are the gradients of a shift added to each output. Inner products,
norms and whole SGD steps need only these factors: a user costs items + hidden numbers, not items × hidden.

At several points z of a user's posterior a gradient is the mean of theirs.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.func import grad, hessian, jvp, vmap

from isotherm.models.vae.network.layers import Network
from isotherm.streams import stream_seed


class Layer(NamedTuple):
    """A dense layer.  weight: (width out, width in).  bias: (width out,)."""

    weight: Tensor
    bias: Tensor


Layers = list[Layer]


class Factors(NamedTuple):
    """A gradient by layer: what went in, (…, width in), and the output's gradient, (…, width out)."""

    inputs: list[Tensor]
    output_gradients: list[Tensor]


@dataclass(frozen=True)
class Gradients:
    """∇_θ ℓ of some users, each at some points z, as factors.

    inputs, output_gradients: one tensor a layer, (n_users, n_points, width in) and (n_users, n_points, width
    out).
    """

    inputs: list[Tensor]
    output_gradients: list[Tensor]

    def __sub__(self, other: "Gradients") -> "Gradients":
        """The difference at the same points: the inputs of both must be equal."""
        pairs = zip(self.output_gradients, other.output_gradients, strict=True)
        return Gradients(self.inputs, [a - b for a, b in pairs])

    def take(self, rows: Tensor) -> "Gradients":
        """The gradients of these users."""
        return Gradients([a[rows] for a in self.inputs], [b[rows] for b in self.output_gradients])

    def point_products(self, other: "Gradients") -> Tensor:
        """Inner products (n_users, n_points, n_points) of each point's gradient with each of ``other``'s."""
        layers = zip(self.inputs, self.output_gradients, other.inputs, other.output_gradients, strict=True)
        return torch.stack([(b @ d.mT) * (a @ c.mT + 1) for a, b, c, d in layers]).sum(0)

    def inner_products(self, other: "Gradients") -> Tensor:
        """Inner product (n_users,) of the mean gradients."""
        return self.point_products(other).mean((1, 2))

    def norms(self) -> Tensor:
        """Euclidean norm (n_users,) of the mean gradient."""
        return self.inner_products(self).clamp(min=0).sqrt()

    def distances(self, other: "Gradients") -> Tensor:
        """‖difference‖ (n_users, n_points) at each point, without cancellation where both are close."""
        layers = zip(self.inputs, self.output_gradients, other.inputs, other.output_gradients, strict=True)
        squares = torch.stack([_squared_norms(a, c - a, d, d - b) for a, b, c, d in layers]).sum(0)
        return squares.clamp(min=0).sqrt()


def _squared_norms(a: Tensor, da: Tensor, d: Tensor, dd: Tensor) -> Tensor:
    """‖dd ⊗ (a, 1) + d ⊗ (da, 0)‖², over the last axes."""
    cross = 2 * (dd * d).sum(-1) * (a * da).sum(-1)
    return dd.square().sum(-1) * (a.square().sum(-1) + 1) + cross + d.square().sum(-1) * da.square().sum(-1)


def decoder_layers(network: Network) -> Layers:
    """The network's decoder as plain layers from z to the logits."""
    return [Layer(weight.detach(), bias.detach()) for weight, bias in network.decoder_layers()]


def _loss(shifts: list[Tensor], layers: Layers, z: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """ℓ of one user at one point with ``shifts`` added to the layers' outputs, and the layers' inputs."""
    inputs, a = [], z
    for number, (layer, shift) in enumerate(zip(layers, shifts, strict=True)):
        inputs.append(a)
        out = torch.nn.functional.linear(a, layer.weight, layer.bias) + shift
        a = torch.tanh(out) if number < len(layers) - 1 else out
    return x.sum() * torch.logsumexp(a, -1) - (x * a).sum(), inputs


def _no_shifts(layers: Layers) -> list[Tensor]:
    return [torch.zeros_like(layer.bias) for layer in layers]


def _factors(layers: Layers, z: Tensor, x: Tensor) -> Factors:
    """∇_θ ℓ of one user at one point."""
    output_gradients, inputs = grad(_loss, has_aux=True)(_no_shifts(layers), layers, z, x)
    return Factors(inputs, output_gradients)


def user_gradients(layers: Layers, z: Tensor, x: Tensor) -> Gradients:
    """∇_θ ℓ of users x (n_users, n_items), dense, at their points z (n_users, n_points, latent)."""
    batched = vmap(vmap(_factors, in_dims=(None, 0, None)), in_dims=(None, 0, 0))
    return Gradients(*batched(layers, z, x))


def user_losses(layers: Layers, z: Tensor, x: Tensor) -> Tensor:
    """ℓ (n_users,), mean over the points; z and x as in ``user_gradients``."""
    batched = vmap(vmap(_loss, in_dims=(None, None, 0, None)), in_dims=(None, None, 0, 0))
    losses: Tensor = batched(_no_shifts(layers), layers, z, x)[0]
    return losses.mean(1)


def loss_changes(
    layers: Layers, gradients: Gradients, x: Tensor, step: Gradients, rate: Tensor | float
) -> Tensor:
    """By how much ℓ (n_users,) of users x changes as the decoder takes an SGD step −rate · ``step``.

    gradients: of x, at the points where the loss is measured.  step: one user's gradient for each of x.
    rate: η, one or (n_users,).  The stepped decoder is exact, with no weight of it written; small changes of
    a large loss are computed as changes, so that they keep their digits.
    """
    n_points = step.inputs[0].shape[1]
    rates = torch.as_tensor(rate, dtype=x.dtype).expand(len(x)).reshape(-1, 1, 1) / n_points
    change = torch.zeros_like(gradients.inputs[0])  # of the layer's input
    for number, layer in enumerate(layers):
        after = gradients.inputs[number] + change
        products = after @ step.inputs[number].mT + 1
        out = change @ layer.weight.T - rates * (products @ step.output_gradients[number])
        if number < len(layers) - 1:
            # tanh(s + out) − tanh(s), from tanh(s) alone
            before, moved = gradients.inputs[number + 1], torch.tanh(out)
            change = moved * (1 - before.square()) / (1 + before * moved)
    clicks = x[:, None, :]
    totals = x.sum(1)[:, None]
    chances = (gradients.output_gradients[-1] + clicks) / totals[..., None]
    normaliser = torch.log1p((chances * torch.expm1(out)).sum(-1))  # by how much its logarithm changes
    return (totals * normaliser - (clicks * out).sum(-1)).mean(1)


def local_lipschitz(layers: Layers, z: Tensor, x: Tensor, iterations: int = 12, seed: int = 0) -> Tensor:
    """L_θz (n_users, n_points) at each point: the spectral norm of ∂(∇_θ ℓ(x, z)) / ∂z, by power iteration.

    z, x as in ``user_gradients``. From below, within a few hundredths after the default iterations.
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, "steepness"))
    start = torch.randn(z.shape[-1], generator=generator, dtype=torch.float64).to(z.dtype)

    def half_square(direction: Tensor, z: Tensor, x: Tensor) -> Tensor:
        """½‖J · direction‖²."""
        at, along = jvp(lambda point: _factors(layers, point, x), (z,), (direction,))  # type: ignore[misc]
        factors = zip(at.inputs, along.inputs, at.output_gradients, along.output_gradients, strict=True)
        return 0.5 * torch.stack([_squared_norms(*layer) for layer in factors]).sum()

    squared_jacobian = grad(half_square)  # JᵀJ · direction
    batched = vmap(vmap(squared_jacobian, in_dims=(0, 0, None)), in_dims=(0, 0, 0))
    direction = (start / start.norm()).expand_as(z)
    for _ in range(iterations):
        direction = batched(direction, z, x)
        size = direction.norm(dim=-1, keepdim=True)
        direction = direction / size.clamp(min=torch.finfo(z.dtype).tiny)
    constants: Tensor = size[..., 0].sqrt()
    return constants


def hessian_eigenvalues(layers: Layers, z: Tensor, x: Tensor) -> Tensor:
    """Eigenvalues (n_users, latent), ascending, of ∂²ℓ(x, z)/∂z² at one point a user, z (n_users, latent)."""
    shifts = _no_shifts(layers)

    def loss(point: Tensor, x: Tensor) -> Tensor:
        return _loss(shifts, layers, point, x)[0]

    matrices = [hessian(loss)(*user) for user in zip(z, x, strict=True)]
    eigenvalues: Tensor = torch.linalg.eigvalsh(torch.stack(matrices))
    return eigenvalues
