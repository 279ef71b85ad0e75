"""The anchor regularizer: closed form against Monte Carlo and the literal sum; several centroids."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.objective.anchor_term import AnchorTerm
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.terms import Forward
from isotherm.models.vae.training.settings import Training
from tests.models.vae.objective.forwards import LATENT, N_ITEMS, assert_same, forward_of
from tests.reference import vae as reference


def term(settings, clicks, seed=5):
    table = ItemTable(N_ITEMS, LATENT)
    table.fill(1.0, torch.Generator().manual_seed(seed))
    weights = settings.click_weights(Interactions.from_csr(clicks))
    return AnchorTerm(settings, table, torch.from_numpy(weights))


def test_closed_form_is_the_literal_sum_with_its_gradients(x):
    forward = forward_of(x)
    anchor = term(ItemAnchors(weight=1.0), csr_array(x.numpy()))
    mean, logvar = forward.posterior
    literal = reference.anchor_loss(mean, logvar, anchor.table.weight, x)
    assert_same(anchor(forward), literal, [mean, logvar, anchor.table.weight])


def test_closed_form_is_the_mean_over_samples(x):
    forward = forward_of(x)
    anchor = term(ItemAnchors(weight=1.0), csr_array(x.numpy()))
    mean, logvar = (part.detach() for part in forward.posterior)
    generator = torch.Generator().manual_seed(0)
    z = mean + torch.exp(0.5 * logvar) * torch.randn(20_000, *mean.shape, generator=generator)
    anchors = anchor.table.weight.detach()
    found = torch.stack(
        [(z[:, u, None, :] - anchors[x[u] > 0]).square().sum(-1).mean(1).mean() for u in range(len(x))]
    )
    torch.testing.assert_close(found, anchor(forward).detach(), rtol=0.02, atol=0.05)


def test_several_centroids(x):
    forward = forward_of(x)
    mean, logvar = forward.posterior
    nearest = term(ItemAnchors(centroids="nearest", nearest=2), csr_array(x.numpy()))
    anchors = nearest.table.weight
    distances = torch.cdist(mean, anchors).square().masked_fill(x == 0, torch.inf)
    for settings, expected in (
        (ItemAnchors(centroids="nearest", nearest=2), None),
        (ItemAnchors(centroids="soft", temperature=0.7), torch.softmax(-distances / 0.7, 1)),
    ):
        if expected is None:
            k = torch.minimum(x.sum(1), torch.tensor(2.0)).long()
            order = distances.argsort(1).argsort(1)
            expected = (order < k[:, None]).float() / k[:, None]
        shares = expected.detach()
        finite = (mean[:, None, :] - anchors).square().sum(-1)
        literal = (shares * finite).sum(1) + logvar.exp().sum(1)
        ours = term(settings, csr_array(x.numpy()))
        torch.testing.assert_close(ours(forward), literal, rtol=1e-4, atol=1e-4)


def test_warm_up_is_linear(x):
    anchor = term(ItemAnchors(weight=0.5, warmup=10.0), csr_array(x.numpy()))
    at = [anchor.weight(forward_of(x, epoch=e)) for e in (0.0, 5.0, 10.0, 30.0)]
    assert at == pytest.approx([0.0, 0.25, 0.5, 0.5])


def test_no_user_is_pulled_where_the_posterior_has_no_variance(x):
    forward = forward_of(x)
    mean = forward.posterior.mean
    bare = Forward(
        forward.clicks, forward.inputs, forward.entries, forward.posterior._replace(logvar=None), mean,
        forward.reconstruction, 0.0,
    )  # fmt: skip
    anchor = term(ItemAnchors(), csr_array(x.numpy()))
    zero = torch.full_like(mean, -torch.inf)
    torch.testing.assert_close(anchor(bare), reference.anchor_loss(mean, zero, anchor.table.weight, x))


def test_anchors_draw_the_posterior_means_to_their_centroids(clicks):
    def apart(weight):
        model = MultVAE(
            hidden=32,
            latent=8,
            anchors=ItemAnchors(weight=max(weight, 1e-9)),
            training=Training(epochs=60, learning_rate=0.01),
        ).fit(clicks)
        mean, _ = model.posterior(clicks.matrix)
        share = clicks.matrix.toarray()
        centroid = share / share.sum(1, keepdims=True) @ model.anchors_
        return np.square(mean - centroid).sum(1).mean() / np.square(mean).sum(1).mean()

    assert apart(2.0) < 0.75 * apart(0.0)
