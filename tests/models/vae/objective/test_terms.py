"""Every term's value and gradient against its literal version, and their weighted sum."""

import torch

from isotherm.models.vae.network.layers import RecVAE, normalised
from isotherm.models.vae.objective.beta import Constant, PerClick
from isotherm.models.vae.objective.terms import CompositeKL, GaussianKL, Reconstruction, total
from tests.models.vae.objective.forwards import LATENT, N_ITEMS, assert_same, forward_of
from tests.reference import vae as reference


def test_gaussian_kl(x):
    forward = forward_of(x)
    mean, logvar = forward.posterior
    assert_same(GaussianKL(Constant())(forward), reference.gaussian_kl(mean, logvar), [mean, logvar])


def test_free_bits_are_free_a_dimension_at_a_time(x):
    forward = forward_of(x)
    by_dimension = torch.distributions.kl_divergence(
        torch.distributions.Normal(forward.posterior.mean, torch.exp(0.5 * forward.posterior.logvar)),
        torch.distributions.Normal(0.0, 1.0),
    )
    expected = torch.clamp(by_dimension, min=0.4).sum(1)
    torch.testing.assert_close(GaussianKL(Constant(), 0.4)(forward), expected, rtol=1e-4, atol=1e-4)


def test_composite_kl(x):
    old = RecVAE(N_ITEMS, 8, LATENT, seed=3)
    forward = forward_of(x)
    before = old.encode(normalised(forward.clicks))
    mean, logvar = forward.posterior
    literal = reference.composite_kl(forward.z, mean, logvar, before.mean.detach(), before.logvar.detach())
    assert_same(CompositeKL(PerClick(), old)(forward), literal, [mean, logvar])


def test_total_is_the_weighted_sum(x):
    forward = forward_of(x)
    losses, values = total([Reconstruction(), GaussianKL(PerClick(gamma=0.01))], forward)
    assert list(values) == ["reconstruction", "kl"]
    expected = forward.reconstruction + 0.01 * x.sum(1) * values["kl"]
    torch.testing.assert_close(losses, expected)
