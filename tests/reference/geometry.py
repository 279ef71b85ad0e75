"""The geometry, slow and literal: one user, one gradient, one step at a time."""

import copy

import torch
from torch import Tensor


def loss(network, z: Tensor, x: Tensor) -> Tensor:
    """−Σ_j x_j log π_j at each point z (n_points, latent), averaged."""
    logits = network.decode(z) @ network.last.weight.T + network.last_bias
    return -(torch.log_softmax(logits, dim=1) * x).sum(1).mean()


def gradient(network, z: Tensor, x: Tensor) -> Tensor:
    """∇ of it with respect to all of the decoder, flat."""
    parameters = network.decoder_parameters()
    found = torch.autograd.grad(loss(network, z, x), parameters)
    return torch.cat([each.flatten() for each in found])


def after_step(network, step: Tensor, rate: float):
    """A copy whose decoder has moved by −rate · step."""
    moved = copy.deepcopy(network)
    with torch.no_grad():
        at = 0
        for parameter in moved.decoder_parameters():
            parameter -= rate * step[at : at + parameter.numel()].reshape(parameter.shape)
            at += parameter.numel()
    return moved


def local_lipschitz(network, z: Tensor, x: Tensor) -> float:
    """Spectral norm of ∂(∇_θ ℓ)/∂z at one point, from the whole Jacobian."""
    parameters = network.decoder_parameters()

    def flat(at: Tensor) -> Tensor:
        found = torch.autograd.grad(loss(network, at[None], x), parameters, create_graph=True)
        return torch.cat([each.flatten() for each in found])

    jacobian = torch.autograd.functional.jacobian(flat, z)
    return float(torch.linalg.matrix_norm(jacobian, ord=2))
