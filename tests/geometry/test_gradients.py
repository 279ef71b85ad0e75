"""Gradients as factors against whole ones, steps against real steps, and the theorem to first order."""

import numpy as np
import pytest
import torch

import isotherm.geometry.gradients as g
from isotherm.models.vae.network.layers import MultiVAE, RecVAE
from tests.conftest import random_clicks
from tests.reference import geometry as reference

N_USERS, N_ITEMS, LATENT, POINTS = 5, 23, 6, 3


@pytest.fixture(params=["multvae", "recvae"])
def network(request):
    made = (
        MultiVAE(N_ITEMS, 11, LATENT, True, 0)
        if request.param == "multvae"
        else RecVAE(N_ITEMS, 11, LATENT, 0)
    )
    with torch.no_grad():  # far from its nearly linear start
        made.last.weight *= 3
    return made.double()


@pytest.fixture
def x():
    return torch.from_numpy(random_clicks(np.random.default_rng(0), N_USERS, N_ITEMS))


@pytest.fixture
def z():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(N_USERS, POINTS, LATENT, generator=generator, dtype=torch.float64)


def whole(network, z, x):
    return torch.stack([reference.gradient(network, *each) for each in zip(z, x, strict=True)])


def test_the_layers_are_the_decoder(network, z):
    a, layers = z[:, 0], g.decoder_layers(network)
    for number, (weight, bias) in enumerate(layers):
        a = a @ weight.T + bias
        a = torch.tanh(a) if number < len(layers) - 1 else a
    torch.testing.assert_close(
        a, (network.decode(z[:, 0]) @ network.last.weight.T + network.last_bias).detach()
    )


def test_losses_and_gradients_are_those_of_a_loop(network, z, x):
    layers = g.decoder_layers(network)
    expected = torch.stack([reference.loss(network, *each) for each in zip(z, x, strict=True)])
    torch.testing.assert_close(g.user_losses(layers, z, x), expected.detach())
    found, literal = g.user_gradients(layers, z, x), whole(network, z, x)
    torch.testing.assert_close(found.norms(), literal.norm(dim=1))
    others = torch.tensor([2, 0, 4, 1, 1])
    torch.testing.assert_close(found.inner_products(found.take(others)), (literal * literal[others]).sum(1))


def test_differences_are_those_of_whole_gradients(network, z, x):
    layers = g.decoder_layers(network)
    here, there = g.user_gradients(layers, z, x), g.user_gradients(layers, z + 1e-3, x)
    by_point = torch.stack(
        [whole(network, z[:, [s]], x) - whole(network, z[:, [s]] + 1e-3, x) for s in range(POINTS)], 1
    )
    torch.testing.assert_close(here.distances(there), by_point.norm(dim=2))
    other = g.user_gradients(layers, z, x.flip(0))
    torch.testing.assert_close(
        (here - other).norms(), (whole(network, z, x) - whole(network, z, x.flip(0))).norm(dim=1)
    )


@pytest.mark.parametrize("rate", [1e-4, 1e-1])
def test_a_step_in_factors_is_a_step(network, z, x, rate):
    layers = g.decoder_layers(network)
    own, order = g.user_gradients(layers, z, x), torch.tensor([3, 0, 1, 4, 2])
    found = g.loss_changes(layers, own, x, own.take(order), rate)
    steps = whole(network, z, x)[order]
    expected = [
        reference.loss(reference.after_step(network, step, rate), *each) - reference.loss(network, *each)
        for step, *each in zip(steps, z, x, strict=True)
    ]
    torch.testing.assert_close(found, torch.stack(expected).detach(), rtol=1e-8, atol=1e-11)


def test_the_theorem_holds_to_first_order(network, z, x):
    """rise <= −η ‖g_u‖ (‖g_u‖ − D_uv) + O(η²): what is above the bound falls by four as η is halved."""
    layers = g.decoder_layers(network)
    u, v = (
        torch.tensor(each)
        for each in zip(*[(a, b) for a in range(5) for b in range(5) if a != b], strict=True)
    )
    own, theirs = (g.user_gradients(layers, z[each], x[each]) for each in (u, v))
    moved = g.user_gradients(layers, z[v], x[u])
    penalty = own.distances(moved).mean(1) + (moved - theirs).norms()  # L_θz · W₁ by the pair's slope, + Δ_x
    bound = own.norms() * (own.norms() - penalty)
    assert (own.inner_products(theirs) >= bound - 1e-9).all()
    above = []
    for rate in (1e-4, 5e-5, 2.5e-5):
        rises = g.loss_changes(layers, own, x[u], theirs, rate)
        above.append((rises + rate * own.inner_products(theirs)).abs())
    torch.testing.assert_close(above[0] / above[1], torch.full_like(above[0], 4), rtol=0.05, atol=0)
    torch.testing.assert_close(above[1] / above[2], torch.full_like(above[0], 4), rtol=0.05, atol=0)


def test_the_local_lipschitz_constant_is_the_norm_of_the_jacobian(network, z, x):
    found = g.local_lipschitz(g.decoder_layers(network), z, x, iterations=200)
    expected = [
        [reference.local_lipschitz(network, z[u, s], x[u]) for s in range(POINTS)] for u in range(N_USERS)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-3, atol=0)
    assert (g.local_lipschitz(g.decoder_layers(network), z, x, iterations=3) <= found * (1 + 1e-6)).all()


def test_hessian_eigenvalues_are_those_of_the_loss(network, z, x):
    found = g.hessian_eigenvalues(g.decoder_layers(network), z[:, 0], x)
    for u in range(N_USERS):
        matrix = torch.autograd.functional.hessian(
            lambda at, u=u: reference.loss(network, at[None], x[u]), z[u, 0]
        )
        torch.testing.assert_close(found[u], torch.linalg.eigvalsh(matrix))


def test_small_changes_keep_their_digits_in_float32():
    network = MultiVAE(400, 50, 20, True, 0)
    x = torch.from_numpy(random_clicks(np.random.default_rng(3), 8, 400)).float()
    z = torch.randn(8, 2, 20, generator=torch.Generator().manual_seed(2))
    layers = g.decoder_layers(network)
    precise = [g.Layer(weight.double(), bias.double()) for weight, bias in layers]
    low, high = g.user_gradients(layers, z, x), g.user_gradients(precise, z.double(), x.double())
    order, rate = torch.arange(8).roll(1), 1e-8
    found = g.loss_changes(layers, low, x, low.take(order), rate).double()
    expected = g.loss_changes(precise, high, x.double(), high.take(order), rate)
    torch.testing.assert_close(found, expected, rtol=5e-3, atol=1e-7)
