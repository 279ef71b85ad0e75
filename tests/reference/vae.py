"""The VAE objectives, slow and literal, on dense arrays: one formula a function, gradients by autograd."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def log_likelihood(logits: Tensor, x: Tensor) -> Tensor:
    """Σ_j x_j log π_j (Liang et al. 2018, eq. 2), (n_users,)."""
    return (torch.log_softmax(logits, dim=1) * x).sum(1)


def hidden_squared_error(logits: Tensor, x: Tensor, shown: Tensor, keep: Tensor, unclicked: float) -> Tensor:
    """Σ_j c_j (x_j − y_j)², c_j 0 on a shown click, 1/(1 − ρ_j) on a hidden one (Steck 2020), (n_users,)."""
    out = []
    for u in range(len(x)):
        total = torch.zeros(())
        for j in range(x.shape[1]):
            weight = unclicked if x[u, j] == 0 else 0.0 if shown[u, j] else 1 / (1 - keep[j])
            total = total + weight * (x[u, j] - logits[u, j]) ** 2
        out.append(total)
    return torch.stack(out)


def gelu(values: Tensor) -> Tensor:
    """x · Φ(x) (Hendrycks & Gimpel 2016, §2)."""
    return values * torch.distributions.Normal(0.0, 1.0).cdf(values)


def gaussian_kl(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, diag exp logvar) ‖ N(0, I)) from the densities' definition, (n_users,)."""
    q = torch.distributions.Normal(mean, torch.exp(0.5 * logvar))
    return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)


def anchor_loss(mean: Tensor, logvar: Tensor, anchors: Tensor, x: Tensor) -> Tensor:
    """PIA, L_A: (1/|S_x|) Σ_{i∈S_x} E_{z~q} ‖z − e_i‖², item by item; E‖z − e‖² = ‖μ − e‖² + Σ σ²."""
    out = []
    for u in range(len(mean)):
        items = x[u].nonzero()[:, 0]
        each = [(mean[u] - anchors[i]).square().sum() + logvar[u].exp().sum() for i in items]
        out.append(torch.stack(each).mean())
    return torch.stack(out)


def composite_kl(z: Tensor, mean: Tensor, logvar: Tensor, old_mean: Tensor, old_logvar: Tensor) -> Tensor:
    """RecVAE, eq. 8: log q(z) − log p(z), p = 3/20 N(0, I) + 3/4 q_old + 1/10 N(0, e¹⁰ I) a dimension."""

    def normal(m: Tensor, v: Tensor) -> Tensor:
        return torch.exp(-((z - m) ** 2) / (2 * v)) / torch.sqrt(2 * math.pi * v)

    one = torch.ones_like(z)
    prior = (
        0.15 * normal(0 * one, one)
        + 0.75 * normal(old_mean, old_logvar.exp())
        + 0.1 * normal(0 * one, math.exp(10) * one)
    )
    return (torch.log(normal(mean, logvar.exp())) - torch.log(prior)).sum(1)


def adam(weight: Tensor, gradients: list[Tensor], rate: float, decay: float = 0.0) -> Tensor:
    """Kingma & Ba 2015, algorithm 1, with decoupled decay, after these gradients."""
    m, v, w = torch.zeros_like(weight), torch.zeros_like(weight), weight.clone()
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        w = w * (1 - rate * decay) - rate * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return w


def multvae_logits(
    x: Tensor, weights: dict[str, Tensor], activation: Callable[[Tensor], Tensor] = torch.tanh
) -> tuple[Tensor, Tensor, Tensor]:
    """Liang et al. 2018, §2: mean, logvar and logits at the mean, from clean dense clicks."""
    inputs = x / x.norm(dim=1, keepdim=True)
    hidden = activation(inputs @ weights["first.weight"] + weights["first_bias"])
    mean, logvar = (hidden @ weights["head.weight"].T + weights["head.bias"]).chunk(2, dim=1)
    last = activation(mean @ weights["middle.weight"].T + weights["middle.bias"])
    return mean, logvar, last @ weights["last.weight"].T + weights["last_bias"]


def one_layer_logits(
    x: Tensor, weights: dict[str, Tensor], activation: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """Liang et al. 2018, §4.3, the Multi-DAE without hidden layers: z and logits, from clean dense clicks."""
    inputs = x / x.norm(dim=1, keepdim=True)
    z = activation(inputs @ weights["first.weight"] + weights["first_bias"])
    return z, z @ weights["last.weight"].T + weights["last_bias"]


def recvae_logits(x: Tensor, weights: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """RecVAE, fig. 2: h_i = LN(swish(W_i h_{i-1} + h_1 + … + h_{i-1})), five layers, and linear logits."""

    def swish(values: Tensor) -> Tensor:
        return values * torch.sigmoid(values)

    def norm(values: Tensor, i: int) -> Tensor:
        apart = values - values.mean(1, keepdim=True)
        scaled = apart / (values.var(1, unbiased=False, keepdim=True) + 0.1).sqrt()
        return scaled * weights[f"norms.{i}.weight"] + weights[f"norms.{i}.bias"]

    inputs = x / x.norm(dim=1, keepdim=True)
    layers = [norm(swish(inputs @ weights["first.weight"] + weights["first_bias"]), 0)]
    for i in range(4):
        linear = layers[-1] @ weights[f"layers.{i}.weight"].T + weights[f"layers.{i}.bias"]
        layers.append(norm(swish(linear + torch.stack(layers).sum(0)), i + 1))
    mean, logvar = (layers[-1] @ weights["head.weight"].T + weights["head.bias"]).chunk(2, dim=1)
    return mean, logvar, mean @ weights["last.weight"].T + weights["last_bias"]
