"""The networks against their literal versions."""

from functools import partial

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import MultiVAE, OneLayerDAE, RecVAE, normalised
from isotherm.models.vae.network.scoring import logits, scores_of_rows
from tests.models.vae.network.tables import N_ITEMS
from tests.reference import vae as reference

LATENT = 6


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


@pytest.mark.parametrize("name", ["multvae", "multvae, gelu", "one layer", "one layer, gelu", "recvae"])
def test_networks_are_the_literal_ones(name, x):
    name, _, activation = name.partition(", ")
    function = reference.gelu if activation else torch.tanh
    if name == "multvae":
        network = MultiVAE(N_ITEMS, 8, LATENT, True, 1, activation or "tanh")
        literal = partial(reference.multvae_logits, activation=function)
    elif name == "one layer":
        network = OneLayerDAE(N_ITEMS, LATENT, 1, activation or "tanh")

        def literal(x, weights):
            z, logits = reference.one_layer_logits(x, weights, function)
            return z, None, logits

    else:
        network, literal = RecVAE(N_ITEMS, 8, LATENT, 1), reference.recvae_logits
    with torch.no_grad():
        for parameter in network.parameters():  # norms begin as the identity: move everything
            parameter += 0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
        mean, logvar, expected = literal(x, dict(network.named_parameters()))
        found = network.encode(normalised(Batch.of(csr_array(x.numpy()))))
    torch.testing.assert_close(found.mean, mean, rtol=1e-4, atol=1e-4)
    if logvar is None:
        assert found.logvar is None
    else:
        torch.testing.assert_close(found.logvar, logvar, rtol=1e-4, atol=1e-4)
    for scored in (logits, scores_of_rows):
        scores = scored(network.requires_grad_(False), csr_array(x.numpy()))
        torch.testing.assert_close(torch.from_numpy(scores), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [MultiVAE, RecVAE])
def test_a_user_is_scored_alike_whoever_stands_beside_him(make):
    sizes = (97, 50, 20) + ((True,) if make is MultiVAE else ())
    network = make(*sizes, 1).requires_grad_(False)
    x = csr_array((np.random.default_rng(0).random((203, 97)) < 0.1).astype(np.float32))
    together = scores_of_rows(network, x)
    for user in (0, 1, 100, 202):
        np.testing.assert_array_equal(scores_of_rows(network, x[[user]])[0], together[user])
    np.testing.assert_array_equal(scores_of_rows(network, x[13:50]), together[13:50])
    np.testing.assert_allclose(together, logits(network, x), rtol=1e-4, atol=1e-5)
