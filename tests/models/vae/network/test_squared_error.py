"""Squared errors and their gradients against dense autograd; over a sample of the items they are unbiased."""

import numpy as np
import pytest
import torch

from isotherm.models.vae.network.last_layer import LastLayer, SampledItems
from isotherm.models.vae.network.squared_error import squared_errors
from tests.models.vae.network.tables import N_ITEMS, N_USERS, WIDTH, assert_gradients, table
from tests.reference import vae as reference


@pytest.fixture
def shown(x):
    """Some clicks are shown, with a chance an item: dense, and the weights of clicks that follow."""
    generator = torch.Generator().manual_seed(3)
    keep = torch.rand(N_ITEMS, generator=generator) * 0.8
    dense = torch.rand(x.shape, generator=generator) < keep
    rows, items = (x > 0).nonzero(as_tuple=True)
    weights = torch.where(dense[rows, items], 0.0, 1 / (1 - keep[items]))
    return dense, keep, weights


def normal(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).requires_grad_()


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_errors_and_gradients_are_the_dense_ones(x, batch, shown, in_place, dtype):
    dense, keep, weights = shown
    grad_output = normal(N_USERS, seed=5).detach()
    hidden, bias = normal(N_USERS, WIDTH, seed=6), normal(N_ITEMS, seed=7)
    made = table(in_place=in_place)
    weight = made.weight.detach().clone().requires_grad_()
    literal = reference.hidden_squared_error(hidden @ weight.T + bias, x, dense, keep, 0.3)
    wanted = torch.autograd.grad((literal * grad_output).sum(), [hidden, weight, bias])
    if in_place:
        made.in_place.steps = 1
    found = squared_errors(hidden, LastLayer(made, bias, dtype), batch, weights, 0.3)
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 0.03, "atol": 0.3}
    torch.testing.assert_close(found, literal, **close)
    (found * grad_output).sum().backward()
    assert_gradients(made, hidden, bias, wanted, dtype)


def test_a_held_layer_gives_the_gradient_of_what_stands_before_it_alone(batch, shown):
    made, bias = table(in_place=True), torch.zeros(N_ITEMS, requires_grad=True)
    made.in_place.held, before = True, made.weight.clone()
    hidden = normal(N_USERS, WIDTH, seed=6)
    squared_errors(hidden, LastLayer(made, bias, torch.float32), batch, shown[2], 1.0).sum().backward()
    assert hidden.grad.abs().sum() > 0
    assert bias.grad is None
    assert torch.equal(made.weight, before)


def test_the_error_over_sampled_items_is_unbiased(x, batch, shown):
    hidden, made, bias = normal(N_USERS, WIDTH, seed=9).detach(), table(), torch.zeros(N_ITEMS)
    full = squared_errors(hidden, LastLayer(made, bias, torch.float32), batch, shown[2], 0.5).detach()
    errors = []
    for seed in range(400):
        sample = SampledItems([batch], 10, np.random.default_rng(seed))
        last = LastLayer(made, bias, torch.float32, sample)
        errors.append(squared_errors(hidden, last, batch, shown[2], 0.5).detach() / full)
    ratio = torch.stack(errors)
    error = ratio.std(0) / len(errors) ** 0.5
    assert ((ratio.mean(0) - 1).abs() < 4.5 * error + 1e-6).all()
    assert 0 < error.max() < 0.05


@pytest.mark.parametrize("in_place", [False, True])
def test_a_sample_of_all_items_is_all_of_them(batch, shown, in_place):
    results = []
    for sample in (None, SampledItems([batch], N_ITEMS, np.random.default_rng(0))):
        made, h = table(in_place=in_place), normal(N_USERS, WIDTH, seed=9)
        bias = torch.zeros(N_ITEMS, requires_grad=True)
        if in_place:
            made.in_place.steps = 1
        last = LastLayer(made, bias, torch.float32, sample)
        found = squared_errors(h, last, batch, shown[2], 0.5)
        found.sum().backward()
        taken = made.weight.detach() if in_place else made.weight.grad
        results.append((found.detach(), h.grad, bias.grad, taken))
    for full, sampled in zip(*results, strict=True):
        torch.testing.assert_close(full, sampled, rtol=1e-4, atol=1e-5)
