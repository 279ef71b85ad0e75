"""Adam within the backward pass against the literal algorithm."""

import torch

from isotherm.models.vae.network.item_table import embedding_bag
from tests.models.vae.network.tables import N_USERS, WIDTH, table
from tests.reference import vae as reference


def test_many_steps_in_place_are_adams(x, batch):
    """Random gradients of changing size; the bfloat16 moment costs under a hundredth of the way."""
    for decay in (0.0, 0.1):
        made = table(in_place=True, rate=0.01, decay=decay)
        start = made.weight.clone()
        generator = torch.Generator().manual_seed(8)
        gradients = []
        for step in range(1, 13):
            grad_output = step * torch.randn(N_USERS, WIDTH, generator=generator)
            made.in_place.steps = step
            assert torch.equal(made.as_type(torch.bfloat16), made.weight.to(torch.bfloat16))
            (embedding_bag(made, batch) * grad_output).sum().backward()
            gradients.append(x.T @ grad_output)
        expected = reference.adam(start, gradients, 0.01, decay)
        assert (made.weight - expected).norm() < 0.01 * (expected - start).norm()
        torch.testing.assert_close(
            made.in_place.bfloat16_weight, made.weight.to(torch.bfloat16), rtol=0, atol=0
        )


def test_rows_without_a_click_move_by_their_momentum_unless_updates_are_sparse(batch):
    few = batch.only(batch.items < 5)
    for sparse_updates in (False, True):
        made = table(in_place=True, sparse_updates=sparse_updates)
        made.in_place.steps = 1
        embedding_bag(made, batch).sum().backward()
        before = made.weight.clone()
        made.in_place.steps = 2
        embedding_bag(made, few).sum().backward()
        moved = (made.weight != before).any(1)
        assert moved[:5].all()
        assert moved[5:].all() != sparse_updates
        assert moved[5:].any() != sparse_updates
