"""Every user's own gradient of the decoder, all at once, and never whole.

The gradient of one user's loss ℓ(x, z) = −Σ_j x_j log π_j(z) with respect to a dense layer is an outer
product: what comes back to the layer's output, δ, times what went into it, (a, 1). ``torch.func`` gives the
δ of all users in one batched pass: they are the gradients of a shift added to each output. Inner products,
norms and whole SGD steps need only these factors: a user costs items + hidden numbers, not items × hidden.

At several points z of a user's posterior a gradient is the mean of theirs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad, hessian, jvp, vmap

from isotherm.models.vae.network.layers import Network
from isotherm.streams import stream_seed

Layers = list[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Gradients:
    """∇_θ ℓ of some users, each at some points z, as factors.

    inputs, backs: one tensor a layer, (n_users, n_points, width in) and (n_users, n_points, width out).
    """

    inputs: list[Tensor]
    backs: list[Tensor]

    def __sub__(self, other: "Gradients") -> "Gradients":
        """The difference at the same points: the inputs of both must be equal."""
        return Gradients(self.inputs, [a - b for a, b in zip(self.backs, other.backs, strict=True)])

    def take(self, rows: Tensor) -> "Gradients":
        """Of these users."""
        return Gradients([a[rows] for a in self.inputs], [b[rows] for b in self.backs])

    def products(self, other: "Gradients") -> Tensor:
        """Inner products (n_users, n_points, n_points) of each point's gradient with each of ``other``'s."""
        layers = zip(self.inputs, self.backs, other.inputs, other.backs, strict=True)
        return torch.stack([(b @ d.mT) * (a @ c.mT + 1) for a, b, c, d in layers]).sum(0)

    def inner(self, other: "Gradients") -> Tensor:
        """Inner product (n_users,) of the mean gradients."""
        return self.products(other).mean((1, 2))

    def norms(self) -> Tensor:
        """Euclidean norm (n_users,) of the mean gradient."""
        return self.inner(self).clamp(min=0).sqrt()

    def apart(self, other: "Gradients") -> Tensor:
        """‖difference‖ (n_users, n_points) at each point, without cancellation where both are close."""
        layers = zip(self.inputs, self.backs, other.inputs, other.backs, strict=True)
        squares = torch.stack([_outer_norms(a, c - a, d, d - b) for a, b, c, d in layers]).sum(0)
        return squares.clamp(min=0).sqrt()


def _outer_norms(a: Tensor, da: Tensor, d: Tensor, dd: Tensor) -> Tensor:
    """‖dd ⊗ (a, 1) + d ⊗ (da, 0)‖², over the last axes."""
    cross = 2 * (dd * d).sum(-1) * (a * da).sum(-1)
    return dd.square().sum(-1) * (a.square().sum(-1) + 1) + cross + d.square().sum(-1) * da.square().sum(-1)


def decoder_layers(network: Network) -> Layers:
    """The network's decoder as plain layers from z to the logits."""
    return [(weight.detach(), bias.detach()) for weight, bias in network.decoder_layers()]


def _passed(shifts: list[Tensor], layers: Layers, z: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
    """ℓ of one user at one point with ``shifts`` added to the layers' outputs, and the layers' inputs."""
    inputs, a = [], z
    for number, ((weight, bias), shift) in enumerate(zip(layers, shifts, strict=True)):
        inputs.append(a)
        out = torch.nn.functional.linear(a, weight, bias) + shift
        a = torch.tanh(out) if number < len(layers) - 1 else out
    return x.sum() * torch.logsumexp(a, -1) - (x * a).sum(), inputs


def _factors(layers: Layers, z: Tensor, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """(inputs, backs) of one user at one point."""
    shifts = [torch.zeros_like(bias) for _, bias in layers]
    backs, inputs = grad(_passed, has_aux=True)(shifts, layers, z, x)
    return inputs, backs


def user_gradients(layers: Layers, z: Tensor, x: Tensor) -> Gradients:
    """Of users x (n_users, n_items), dense, at their points z (n_users, n_points, latent)."""
    each = vmap(vmap(_factors, in_dims=(None, 0, None)), in_dims=(None, 0, 0))
    return Gradients(*each(layers, z, x))


def user_losses(layers: Layers, z: Tensor, x: Tensor) -> Tensor:
    """ℓ (n_users,), mean over the points."""
    shifts = [torch.zeros_like(bias) for _, bias in layers]
    each = vmap(vmap(_passed, in_dims=(None, None, 0, None)), in_dims=(None, None, 0, 0))
    found: Tensor = each(shifts, layers, z, x)[0]
    return found.mean(1)


def loss_changes(layers: Layers, own: Gradients, x: Tensor, step: Gradients, rate: Tensor | float) -> Tensor:
    """By how much ℓ (n_users,) of users x rises as the decoder takes an SGD step −rate · ``step``.

    own: gradients of x at the points where the loss is measured.  step: one user's gradient for each of x.
    rate: η, one or (n_users,).  The stepped decoder is exact, with no weight of it written; small changes of
    a large loss are computed as changes, so that they keep their digits.
    """
    n_users = len(x)
    rates = torch.as_tensor(rate, dtype=x.dtype).expand(n_users).reshape(-1, 1, 1) / step.inputs[0].shape[1]
    change = torch.zeros_like(own.inputs[0])  # of the layer's input
    for number, (weight, _) in enumerate(layers):
        after = own.inputs[number] + change
        overlaps = after @ step.inputs[number].mT + 1
        out = change @ weight.T - rates * (overlaps @ step.backs[number])
        if number < len(layers) - 1:
            # tanh(s + out) − tanh(s), from tanh(s) alone
            before, moved = own.inputs[number + 1], torch.tanh(out)
            change = moved * (1 - before.square()) / (1 + before * moved)
    clicks = x[:, None, :]
    totals = x.sum(1)[:, None]
    chances = (own.backs[-1] + clicks) / totals[..., None]
    spread = torch.log1p((chances * torch.expm1(out)).sum(-1))
    return (totals * spread - (clicks * out).sum(-1)).mean(1)


def local_lipschitz(layers: Layers, z: Tensor, x: Tensor, iterations: int = 12, seed: int = 0) -> Tensor:
    """Local L_θz (n_users, n_points): the spectral norm of ∂(∇_θ ℓ(x, z)) / ∂z, by power iteration.

    z, x as in ``user_gradients``. From below, within a few hundredths after the default iterations.
    """
    generator = torch.Generator().manual_seed(stream_seed(seed, "steepness"))
    start = torch.randn(z.shape[-1], generator=generator, dtype=torch.float64).to(z.dtype)

    def stretched(direction: Tensor, z: Tensor, x: Tensor) -> Tensor:
        """½‖J · direction‖²."""
        (a, d), (da, dd) = jvp(lambda at: _factors(layers, at, x), (z,), (direction,))  # type: ignore[misc]
        return 0.5 * torch.stack([_outer_norms(*each) for each in zip(a, da, d, dd, strict=True)]).sum()

    once = grad(stretched)  # JᵀJ · direction
    each = vmap(vmap(once, in_dims=(0, 0, None)), in_dims=(0, 0, 0))
    direction = (start / start.norm()).expand_as(z)
    for _ in range(iterations):
        direction = each(direction, z, x)
        size = direction.norm(dim=-1, keepdim=True)
        direction = direction / size.clamp(min=torch.finfo(z.dtype).tiny)
    found: Tensor = size[..., 0].sqrt()
    return found


def hessian_eigenvalues(layers: Layers, z: Tensor, x: Tensor) -> Tensor:
    """Eigenvalues (n_users, latent), ascending, of ∂²ℓ(x, z)/∂z² at one point a user, z (n_users, latent)."""
    shifts = [torch.zeros_like(bias) for _, bias in layers]

    def loss(at: Tensor, x: Tensor) -> Tensor:
        return _passed(shifts, layers, at, x)[0]

    matrices = [hessian(loss)(*each) for each in zip(z, x, strict=True)]
    found: Tensor = torch.linalg.eigvalsh(torch.stack(matrices))
    return found
