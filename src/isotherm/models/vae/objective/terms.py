"""The objective is a sum of named terms: reconstruction + β · KL + λ_A · anchor + …

A term gives one value a user from one forward pass, and its weight. To add one, write a class with a
``name``, a ``weight`` and a ``__call__``, and put it into the list that the model hands to the training loop.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from scipy.sparse import csr_array
from torch import Tensor

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import Network, Posterior, normalised
from isotherm.models.vae.objective.beta import Beta
from isotherm.types import Array

_LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True)
class Forward:
    """One forward pass: what the terms read.

    clicks: clean.  inputs: what the encoder saw.  places: of the clicks in the training matrix,
    on the CPU, as all that is kept for each click of the log.
    z: (n_users, latent).  log_likelihoods: (n_users, n_targets), the clean clicks first.
    epoch: epochs done, with the fraction of the running one.
    """

    clicks: Batch
    inputs: Batch
    places: Tensor
    posterior: Posterior
    z: Tensor
    log_likelihoods: Tensor
    epoch: float


#: soft targets of the users at some rows of the training matrix, CSR
RowTargets = Callable[[Array], csr_array]


class Term(Protocol):
    """A named part of the objective."""

    name: str

    def weight(self, forward: Forward) -> float | Tensor:
        """Its weight: one, or (n_users,)."""

    def __call__(self, forward: Forward) -> Tensor:
        """Its unweighted value for each user, (n_users,)."""


class Reconstruction:
    """−Σ_j x_j log π_j of the clean clicks (Liang et al. 2018, eq. 2)."""

    name = "reconstruction"

    def weight(self, forward: Forward) -> float:
        """One."""
        return 1.0

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        return -forward.log_likelihoods[:, 0]


class Guide:
    """−Σ_j b_j log π_j of guessed clicks b, a second soft target of each user (MARec, eq. 7).

    weight: α.  targets: b of users by their rows, CSR (n_users, n_items), >= 0.
    """

    name = "guide"

    def __init__(self, alpha: float, targets: RowTargets) -> None:
        self.alpha, self.targets = alpha, targets

    def weight(self, forward: Forward) -> float:
        """α."""
        return self.alpha

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        return -forward.log_likelihoods[:, 1]


class GaussianKL:
    """KL(q ‖ N(0, I)) in closed form, at least ``free_bits`` nats a latent dimension (Kingma et al. 2016)."""

    name = "kl"

    def __init__(self, beta: Beta, free_bits: float = 0.0) -> None:
        self.beta, self.free_bits = beta, free_bits

    def weight(self, forward: Forward) -> float | Tensor:
        """β."""
        return self.beta.of(forward.clicks, forward.epoch)

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        mean, logvar = forward.posterior
        assert logvar is not None
        by_dimension = 0.5 * (mean.square() + logvar.exp() - 1 - logvar)
        if self.free_bits:
            by_dimension = by_dimension.clamp(min=self.free_bits)
        return by_dimension.sum(1)


class CompositeKL:
    """log q(z) − log p(z) at one z, p = 3/20 N(0, I) + 3/4 q_old + 1/10 N(0, e¹⁰ I) (RecVAE, eq. 8).

    old: the network whose encoder is q_old; it reads the clean clicks.
    """

    name = "kl"
    _parts = (3 / 20, 3 / 4, 1 / 10)

    def __init__(self, beta: Beta, old: Network) -> None:
        self.beta, self.old = beta, old

    def weight(self, forward: Forward) -> float | Tensor:
        """β."""
        return self.beta.of(forward.clicks, forward.epoch)

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        with torch.no_grad():
            before = self.old.encode(normalised(forward.clicks))
        zero = torch.zeros_like(forward.z)
        prior = torch.stack(
            [
                math.log(share) + _log_normal(forward.z, mean, logvar)
                for share, (mean, logvar) in zip(
                    self._parts, [(zero, zero), before, (zero, zero + 10)], strict=True
                )
            ]
        ).logsumexp(0)
        mean, logvar = forward.posterior
        assert logvar is not None
        return (_log_normal(forward.z, mean, logvar) - prior).sum(1)


def total(terms: Sequence[Term], forward: Forward) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum (n_users,), and each term's own values (n_users,) by name."""
    values = {term.name: term(forward) for term in terms}
    weighted = [term.weight(forward) * values[term.name] for term in terms]
    return torch.stack(weighted).sum(0), values


def weights(terms: Sequence[Term], forward: Forward) -> dict[str, float]:
    """The weight of each term, the largest of the users'."""
    return {term.name: float(torch.as_tensor(term.weight(forward)).max()) for term in terms}


def _log_normal(z: Tensor, mean: Tensor, logvar: Tensor | None) -> Tensor:
    assert logvar is not None
    return -0.5 * (_LOG_2PI + logvar + (z - mean).square() / logvar.exp())
