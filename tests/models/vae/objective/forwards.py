"""Forward passes of random users, for the tests of the terms that read them."""

import torch
from scipy.sparse import csr_array

from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import Posterior
from isotherm.models.vae.objective.terms import Forward

N_USERS, N_ITEMS, LATENT = 9, 31, 6


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
