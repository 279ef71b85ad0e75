"""Item-wide products against dense autograd, on the plain path and on the one that updates on its way."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm.linalg.csr import take_rows
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.in_place_adam import InPlaceAdam
from isotherm.models.vae.network.item_table import ItemTable, embedding_bag, embedding_bag_with_squares
from isotherm.models.vae.network.softmax import SampledItems, log_likelihoods
from tests.conftest import random_clicks
from tests.reference import vae as reference

N_USERS, N_ITEMS, WIDTH = 17, 43, 24


@pytest.fixture
def x():
    values = random_clicks(np.random.default_rng(0), N_USERS, N_ITEMS)
    return torch.from_numpy(values * np.random.default_rng(1).uniform(0.5, 2, values.shape)).float()


@pytest.fixture
def batch(x):
    return Batch.of(csr_array(x.numpy()))


def table(seed=0, in_place=False, rate=1e-3, decay=0.0, sparse_updates=False):
    made = ItemTable(N_ITEMS, WIDTH)
    made.fill(0.5, torch.Generator().manual_seed(seed))
    if in_place:
        made.in_place = InPlaceAdam(made.weight, rate, decay, sparse_updates)
    return made


def gradient_taken(adam):
    """|g| of the first step, from Adam's second moment."""
    return adam.exp_avg_sq.sqrt() / 0.001**0.5


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


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_log_likelihoods_and_gradients_are_the_dense_ones(x, batch, in_place, dtype):
    soft = torch.rand(N_USERS, N_ITEMS, generator=torch.Generator().manual_seed(4)) * (x == 0)
    grad_output = torch.randn(N_USERS, 2, generator=torch.Generator().manual_seed(5))
    hidden = torch.randn(N_USERS, WIDTH, generator=torch.Generator().manual_seed(6), requires_grad=True)
    bias = torch.randn(N_ITEMS, generator=torch.Generator().manual_seed(7), requires_grad=True)
    made = table(in_place=in_place)
    weight = made.weight.detach().clone().requires_grad_()
    logits = hidden @ weight.T + bias
    literal = torch.stack([reference.log_likelihood(logits, t) for t in (x, soft)], 1)
    wanted = torch.autograd.grad((literal * grad_output).sum(), [hidden, weight, bias])
    if in_place:
        made.in_place.steps = 1
    found = log_likelihoods(hidden, made, bias, [batch, Batch.of(csr_array(soft.numpy()))], dtype)
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 0.02, "atol": 0.3}
    torch.testing.assert_close(found, literal, **close)
    (found * grad_output).sum().backward()
    learned = gradient_taken(made.in_place) if in_place else made.weight.grad.abs()
    tight = 1e-5 if dtype == torch.float32 else 0.02
    for ours, theirs in ((hidden.grad, wanted[0]), (learned, wanted[1].abs()), (bias.grad, wanted[2])):
        assert (ours - theirs).norm() <= tight * theirs.norm() + 1e-6


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


def test_a_held_table_passes_gradients_on_and_rests(batch):
    for in_place in (False, True):
        made = table(in_place=in_place)
        if in_place:
            made.in_place.held = True
        else:
            made.weight.requires_grad_(False)
        before = made.weight.detach().clone()
        hidden = torch.ones(N_USERS, WIDTH, requires_grad=True)
        log_likelihoods(hidden, made, torch.zeros(N_ITEMS), [batch], torch.float32).sum().backward()
        assert hidden.grad.abs().sum() > 0
        assert made.weight.grad is None
        assert torch.equal(made.weight, before)
        assert not embedding_bag(made, batch).requires_grad


def test_sampled_sum_of_exponentials_is_unbiased(x, batch):
    """Mean over many samples of Σ exp(logit − shift) against the sum over all items."""
    made, bias = table(), torch.zeros(N_ITEMS)
    hidden = torch.randn(N_USERS, WIDTH, generator=torch.Generator().manual_seed(9)) / 3
    ones = batch.with_values(torch.ones_like(batch.values))
    full = torch.logsumexp(hidden @ made.weight.T, 1)
    linear = ((hidden @ made.weight.T) * (x > 0)).sum(1)
    sums = []
    for seed in range(800):
        sample = SampledItems([ones], 10, np.random.default_rng(seed))
        found = log_likelihoods(hidden, made, bias, [ones], torch.float32, sample)[:, 0].detach()
        sums.append(torch.exp((linear - found) / ones.totals - full))
    ratio = torch.stack(sums)
    error = ratio.std(0) / len(sums) ** 0.5
    assert ((ratio.mean(0) - 1).abs() < 4.5 * error + 1e-6).all()
    assert error.max() < 0.05


@pytest.mark.parametrize("in_place", [False, True])
def test_a_sample_of_all_items_is_the_full_softmax(batch, in_place):
    hidden = torch.randn(N_USERS, WIDTH, generator=torch.Generator().manual_seed(9))
    results = []
    for sample in (None, SampledItems([batch], N_ITEMS, np.random.default_rng(0))):
        made, h = table(in_place=in_place), hidden.clone().requires_grad_()
        bias = torch.zeros(N_ITEMS, requires_grad=True)
        if in_place:
            made.in_place.steps = 1
        found = log_likelihoods(h, made, bias, [batch], torch.float32, sample)
        found.sum().backward()
        results.append(
            (found.detach(), h.grad, bias.grad, made.weight.detach() if in_place else made.weight.grad)
        )
    for full, sampled in zip(*results, strict=True):
        torch.testing.assert_close(full, sampled, rtol=1e-4, atol=1e-5)


def test_sampling_touches_only_sampled_rows(batch):
    few = batch.only(batch.items < 8)
    made = table(in_place=True)
    made.in_place.steps = 1
    before = made.weight.clone()
    sample = SampledItems([few], 6, np.random.default_rng(0))
    hidden, bias = torch.ones(N_USERS, WIDTH), torch.zeros(N_ITEMS, requires_grad=True)
    log_likelihoods(hidden, made, bias, [few], torch.float32, sample).sum().backward()
    touched = torch.zeros(N_ITEMS, dtype=torch.bool)
    touched[sample.items] = True
    assert set(few.items.tolist()) <= set(sample.items.tolist())
    assert torch.equal((made.weight != before).any(1), touched)
    assert not bias.grad[~touched].any()


def test_batches_are_the_rows_of_the_matrix(x):
    matrix = csr_array(x.numpy())
    rows = np.array([5, 0, 16, 5])
    gathered_rows, entries = take_rows(matrix, rows)
    np.testing.assert_array_equal(gathered_rows.toarray(), x.numpy()[rows])
    np.testing.assert_array_equal(matrix.data[entries], gathered_rows.data)
    batch = Batch.of(gathered_rows)
    kept = batch.only(batch.items % 2 == 0)
    expected = x.numpy()[rows] * (np.arange(N_ITEMS) % 2 == 0)
    dense = np.zeros_like(expected)
    dense[kept.rows.numpy(), kept.items.numpy()] = kept.values.numpy()
    np.testing.assert_array_equal(dense, expected)
    two = batch.users(1, 3)
    assert two.items.tolist() == gathered_rows[1:3].indices.tolist()
    torch.testing.assert_close(batch.totals, torch.from_numpy(x.numpy()[rows].sum(1)))
