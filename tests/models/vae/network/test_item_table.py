"""Sums of rows against dense autograd, on the plain path and on the one that updates in place."""

import torch

from isotherm.models.vae.network.item_table import embedding_bag, embedding_bag_with_squares
from isotherm.models.vae.network.last_layer import LastLayer
from isotherm.models.vae.network.softmax import log_likelihoods
from tests.models.vae.network.tables import N_ITEMS, N_USERS, WIDTH, gradient_taken, table


def test_bag_and_its_gradient_are_the_dense_ones(x, batch):
    grad_sums = torch.randn(N_USERS, WIDTH, generator=torch.Generator().manual_seed(2))
    grad_squares = torch.rand(N_USERS, generator=torch.Generator().manual_seed(3))
    plain, placed = table(), table(in_place=True)
    total, squares = embedding_bag_with_squares(plain, batch)
    torch.testing.assert_close(total, x @ plain.weight, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(squares, x @ plain.weight.square().sum(1), rtol=1e-5, atol=1e-5)
    ((total * grad_sums).sum() + (squares * grad_squares).sum()).backward()
    expected = x.T @ grad_sums + 2 * (x.T @ grad_squares)[:, None] * plain.weight.detach()
    torch.testing.assert_close(plain.weight.grad, expected, rtol=1e-4, atol=1e-5)
    placed.in_place.steps = 1
    other, others = embedding_bag_with_squares(placed, batch)
    torch.testing.assert_close(other, total.detach(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(others, squares.detach(), rtol=1e-5, atol=1e-5)
    ((other * grad_sums).sum() + (others * grad_squares).sum()).backward()
    torch.testing.assert_close(gradient_taken(placed.in_place), expected.abs(), rtol=1e-4, atol=1e-5)


def test_a_held_table_passes_gradients_on_and_rests(batch):
    for in_place in (False, True):
        made = table(in_place=in_place)
        if in_place:
            made.in_place.held = True
        else:
            made.weight.requires_grad_(False)
        before = made.weight.detach().clone()
        hidden = torch.ones(N_USERS, WIDTH, requires_grad=True)
        log_likelihoods(
            hidden, LastLayer(made, torch.zeros(N_ITEMS), torch.float32), [batch]
        ).sum().backward()
        assert hidden.grad.abs().sum() > 0
        assert made.weight.grad is None
        assert torch.equal(made.weight, before)
        assert not embedding_bag(made, batch).requires_grad
