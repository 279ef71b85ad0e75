"""Log-likelihoods and their gradients against dense autograd; a sampled softmax is unbiased."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.last_layer import LastLayer, SampledItems
from isotherm.models.vae.network.softmax import log_likelihoods
from tests.models.vae.network.tables import N_ITEMS, N_USERS, WIDTH, assert_gradients, table
from tests.reference import vae as reference


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
    found = log_likelihoods(hidden, LastLayer(made, bias, dtype), [batch, Batch.of(csr_array(soft.numpy()))])
    close = {"rtol": 1e-4, "atol": 1e-4} if dtype == torch.float32 else {"rtol": 0.02, "atol": 0.3}
    torch.testing.assert_close(found, literal, **close)
    (found * grad_output).sum().backward()
    assert_gradients(made, hidden, bias, wanted, dtype)


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
        found = log_likelihoods(hidden, LastLayer(made, bias, torch.float32, sample), [ones])[:, 0].detach()
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
        found = log_likelihoods(h, LastLayer(made, bias, torch.float32, sample), [batch])
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
    log_likelihoods(hidden, LastLayer(made, bias, torch.float32, sample), [few]).sum().backward()
    touched = torch.zeros(N_ITEMS, dtype=torch.bool)
    touched[sample.items] = True
    assert set(few.items.tolist()) <= set(sample.items.tolist())
    assert torch.equal((made.weight != before).any(1), touched)
    assert not bias.grad[~touched].any()
