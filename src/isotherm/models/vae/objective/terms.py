"""The objective is a sum of named terms: reconstruction + β · KL (Liang et al. 2018) + λ_A · L_A (PIA).

A term gives one value per user from one forward pass, and its weight. To add one, write a class with a
``name``, a ``weight`` and a ``__call__``, and put it into the list that the model hands to the training loop.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import torch
from torch import Tensor, nn

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import Network, Posterior, normalised
from isotherm.models.vae.objective.beta import Beta
from isotherm.models.vae.objective.reconstruction import ReconstructionLoss
from isotherm.types import Array, UserItems

_LOG_2PI = math.log(2 * math.pi)

#: soft targets >= 0 of the users at some rows of the training matrix
SoftTargets: TypeAlias = Callable[[Array], UserItems]


@dataclass(frozen=True)
class Forward:
    """One forward pass: what the terms read.

    clicks: clean.  inputs: what the encoder saw.  entries: of each click its index among those of the
    training matrix, on the CPU, as all that is kept for each click of the log.
    z: (n_users, latent).  reconstruction: (n_users,) the loss between clicks and logits.
    soft_log_likelihood: (n_users,) of the soft targets, where there are some.
    epoch: epochs done, with the fraction of the running one.
    """

    clicks: Batch
    inputs: Batch
    entries: Tensor
    posterior: Posterior
    z: Tensor
    reconstruction: Tensor
    epoch: float
    soft_log_likelihood: Tensor | None = None


class Term(ABC):
    """A named term of the objective: weight · value, added up over the users of a batch.

    modules: what the term learns or keeps, by name.  loss: what is between clicks and logits, for the term
    that reads it.  soft_targets: what the network is to explain beside the clicks, for a term that reads
    their log-likelihood.
    """

    name: ClassVar[str]
    modules: Mapping[str, nn.Module] = {}
    loss: ReconstructionLoss | None = None
    soft_targets: SoftTargets | None = None

    def weight(self, forward: Forward) -> float | Tensor:
        """Its weight: one number, or (n_users,)."""
        return 1.0

    @abstractmethod
    def __call__(self, forward: Forward) -> Tensor:
        """Its unweighted value for each user, (n_users,)."""


class Reconstruction(Term):
    """The loss between a user's clicks and the logits; None: −Σ_j x_j log π_j (Liang et al. 2018, eq. 2)."""

    name = "reconstruction"

    def __init__(self, loss: ReconstructionLoss | None = None) -> None:
        self.loss = loss

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        return forward.reconstruction


class SoftTargetTerm(Term):
    """−α Σ_j b_j log π_j(z) of soft targets b beside each user's clicks (MARec, eq. 7).

    alpha: α.  soft_targets: b of users by their rows, (n_users, n_items) CSR, >= 0.
    """

    name = "soft targets"

    def __init__(self, alpha: float, soft_targets: SoftTargets) -> None:
        self.alpha, self.soft_targets = alpha, soft_targets

    def weight(self, forward: Forward) -> float:
        """α."""
        return self.alpha

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        assert forward.soft_log_likelihood is not None
        return -forward.soft_log_likelihood


class GaussianKL(Term):
    """KL(q(z | x) ‖ N(0, I)) = ½ Σ_d μ_d² + σ_d² − 1 − log σ_d² (Kingma & Welling 2014, appendix B).

    beta: β, its weight (Liang et al. 2018, eq. 7).  free_bits: each latent dimension counts at least as many
    nats (Kingma et al. 2016).
    """

    name = "kl"

    def __init__(self, beta: Beta, free_bits: float = 0.0) -> None:
        self.beta, self.free_bits = beta, free_bits

    def weight(self, forward: Forward) -> float | Tensor:
        """β."""
        return self.beta.of(forward.clicks, forward.epoch)

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        mean, logvar = _with_variance(forward.posterior)
        by_dimension = 0.5 * (mean.square() + logvar.exp() - 1 - logvar)
        if self.free_bits:
            by_dimension = by_dimension.clamp(min=self.free_bits)
        return by_dimension.sum(1)


class CompositeKL(Term):
    """log q(z | x) − log p(z) at one z, with the composite prior of RecVAE (eq. 8).

    p(z) = 3/20 N(0, I) + 3/4 q_old(z | x) + 1/10 N(0, e¹⁰ I), a dimension at a time.
    old: the network whose encoder is q_old; it reads the clean clicks.
    """

    name = "kl"
    _MIXTURE = (3 / 20, 3 / 4, 1 / 10)

    def __init__(self, beta: Beta, old: Network) -> None:
        self.beta, self.old = beta, old
        self.modules = {"old": old}

    def weight(self, forward: Forward) -> float | Tensor:
        """β."""
        return self.beta.of(forward.clicks, forward.epoch)

    def __call__(self, forward: Forward) -> Tensor:
        """(n_users,)."""
        with torch.no_grad():
            old = _with_variance(self.old.encode(normalised(forward.clicks)))
        zero = torch.zeros_like(forward.z)
        components = [(zero, zero), old, (zero, zero + 10)]
        prior = torch.stack(
            [
                math.log(share) + _log_normal(forward.z, mean, logvar)
                for share, (mean, logvar) in zip(self._MIXTURE, components, strict=True)
            ]
        ).logsumexp(0)
        mean, logvar = _with_variance(forward.posterior)
        return (_log_normal(forward.z, mean, logvar) - prior).sum(1)


def total(terms: Sequence[Term], forward: Forward) -> tuple[Tensor, dict[str, Tensor]]:
    """The weighted sum (n_users,), and each term's unweighted values (n_users,) by name."""
    values = {term.name: term(forward) for term in terms}
    weighted = [term.weight(forward) * values[term.name] for term in terms]
    return torch.stack(weighted).sum(0), values


def largest_weights(terms: Sequence[Term], forward: Forward) -> dict[str, float]:
    """The weight of each term, the largest of the users'."""
    return {term.name: float(torch.as_tensor(term.weight(forward)).max()) for term in terms}


def _with_variance(posterior: Posterior) -> tuple[Tensor, Tensor]:
    """Mean and log-variance; of a posterior that is a point there is no KL."""
    assert posterior.logvar is not None
    return posterior.mean, posterior.logvar


def _log_normal(z: Tensor, mean: Tensor, logvar: Tensor) -> Tensor:
    """log N(z; mean, exp logvar), a dimension at a time."""
    return -0.5 * (_LOG_2PI + logvar + (z - mean).square() / logvar.exp())
