"""Every term's value and gradient against its literal version; schedules; masks."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm.errors import ParameterError
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import MultiVAE, Posterior, RecVAE, normalised
from isotherm.models.vae.network.scoring import logits
from isotherm.models.vae.objective.beta import Annealed, Constant, PerClick
from isotherm.models.vae.objective.masking import Bernoulli, Clean, PopularityAware, Scheduled
from isotherm.models.vae.objective.terms import CompositeKL, Forward, GaussianKL, Reconstruction, total
from tests.conftest import random_clicks
from tests.reference import vae as reference

N_USERS, N_ITEMS, LATENT = 9, 31, 6


@pytest.fixture
def x():
    return torch.from_numpy(random_clicks(np.random.default_rng(0), N_USERS, N_ITEMS)).float()


def forward_of(x, seed=1, epoch=0.0):
    generator = torch.Generator().manual_seed(seed)
    mean = torch.randn(N_USERS, LATENT, generator=generator, requires_grad=True)
    logvar = (torch.randn(N_USERS, LATENT, generator=generator) / 2).requires_grad_()
    posterior = Posterior(mean, logvar)
    z = posterior.sample(torch.randn(N_USERS, LATENT, generator=generator))
    batch = Batch.of(csr_array(x.numpy()))
    found = torch.randn(N_USERS, generator=generator)
    return Forward(batch, batch, torch.arange(len(batch.items)), posterior, z, found, epoch)


def assert_same(ours, theirs, leaves):
    """Equal values and equal gradients under random weights of the users."""
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    above = torch.randn(len(ours), generator=torch.Generator().manual_seed(11))
    for a, b in zip(
        torch.autograd.grad((ours * above).sum(), leaves, retain_graph=True),
        torch.autograd.grad((theirs * above).sum(), leaves, retain_graph=True),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)


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
    expected = -forward.log_likelihood + 0.01 * x.sum(1) * values["kl"]
    torch.testing.assert_close(losses, expected)


def test_beta_schedules(x):
    batch = Batch.of(csr_array(x.numpy()))
    assert Constant(value=0.3).of(batch, 5.0) == 0.3
    annealed = Annealed(cap=0.2, epochs=10)
    assert [annealed.of(batch, e) for e in (0.0, 5.0, 10.0, 99.0)] == pytest.approx([0, 0.1, 0.2, 0.2])
    torch.testing.assert_close(PerClick(gamma=0.005).of(batch, 0.0), 0.005 * x.sum(1))


def test_bernoulli_keeps_each_click_with_its_probability():
    clicks = torch.tensor([5, 1, 100])
    assert Clean().keep_probability(clicks, 3).tolist() == [1.0] * 3
    assert Bernoulli(keep=0.3).keep_probability(clicks, 3).tolist() == pytest.approx([0.3] * 3)
    schedule = Scheduled(start=1.0, end=0.5, epochs=10)
    shares = [schedule.keep_probability(clicks, e)[0].item() for e in (0, 5, 10, 50)]
    assert shares == pytest.approx([1.0, 0.75, 0.5, 0.5])


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.9])
def test_popularity_aware_mask_keeps_its_share_and_hides_the_popular(keep):
    clicks = torch.from_numpy(np.random.default_rng(0).zipf(1.6, 500).clip(0, 4000))
    probability = PopularityAware(keep=keep, power=0.5).keep_probability(clicks, 0)
    assert ((probability > 0) & (probability <= 1)).all()
    assert (clicks * probability).sum() / clicks.sum() == pytest.approx(keep, rel=1e-4)
    order = torch.argsort(clicks)
    assert (probability[order].diff() <= 1e-7).all()
    flat = PopularityAware(keep=keep, power=0.0).keep_probability(clicks, 0)
    torch.testing.assert_close(flat, torch.full((500,), keep), rtol=1e-4, atol=1e-4)


def test_parts_refuse_impossible_values():
    for make in (
        lambda: Bernoulli(keep=0.0),
        lambda: Bernoulli(keep=1.1),
        lambda: Constant(value=-1.0),
        lambda: Annealed(cap=math.nan),
        lambda: PopularityAware(power=-1.0),
        lambda: Scheduled(epochs=0),
    ):
        with pytest.raises(ParameterError, match=r"(mask|beta)\.\w+ must be"):
            make()


def test_input_is_normalised_and_an_empty_user_stays_empty(x):
    x[3] = 0
    batch = normalised(Batch.of(csr_array(x.numpy())))
    lengths = batch.sums(batch.values.square())
    torch.testing.assert_close(lengths, (x.sum(1) > 0).float(), rtol=1e-5, atol=1e-5)
    assert MultiVAE(N_ITEMS, 8, LATENT, True, 0).encode(batch).mean.isfinite().all()


def test_networks_are_seeded():
    for make in (lambda s: MultiVAE(N_ITEMS, 8, LATENT, True, s), lambda s: RecVAE(N_ITEMS, 8, LATENT, s)):
        one, same_, other = make(1).state_dict(), make(1).state_dict(), make(2).state_dict()
        assert all(torch.equal(one[name], same_[name]) for name in one)
        assert not torch.equal(one["first.weight"], other["first.weight"])


@pytest.mark.parametrize("name", ["multvae", "recvae"])
def test_networks_are_the_literal_ones(name, x):
    if name == "multvae":
        network, literal = MultiVAE(N_ITEMS, 8, LATENT, True, 1), reference.multvae_logits
    else:
        network, literal = RecVAE(N_ITEMS, 8, LATENT, 1), reference.recvae_logits
    with torch.no_grad():
        for parameter in network.parameters():  # norms begin as the identity: move everything
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
        mean, logvar, expected = literal(x, dict(network.named_parameters()))
        found = network.encode(normalised(Batch.of(csr_array(x.numpy()))))
    torch.testing.assert_close(found.mean, mean, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.logvar, logvar, rtol=1e-4, atol=1e-4)
    scores = logits(network.requires_grad_(False), csr_array(x.numpy()))
    torch.testing.assert_close(torch.from_numpy(scores), expected, rtol=1e-4, atol=1e-4)
