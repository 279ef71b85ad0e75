"""Anchors: those that fit posteriors after training, and how much a weight shrinks."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm import Constant, ItemAnchors, MultDAE, MultVAE, Training
from isotherm.geometry.anchors import (
    AnchorShrinkage,
    anchor_centroids,
    fit_anchors,
    measure_anchor_shrinkage,
)
from isotherm.geometry.posteriors import Posteriors
from tests.conftest import random_clicks
from tests.models.vae.small import SMALL, tastes
from tests.reference.vae import anchor_loss


def test_fitted_anchors_minimise_the_anchor_loss():
    x = random_clicks(np.random.default_rng(2), 20, 12)
    means = np.random.default_rng(3).standard_normal((20, 4)).astype(np.float32)
    found = fit_anchors(means, csr_array(x.astype(np.float32)))
    anchors = torch.from_numpy(found).requires_grad_()
    mean = torch.from_numpy(means)
    total = anchor_loss(mean, torch.full_like(mean, -50.0), anchors, torch.from_numpy(x)).sum()
    assert torch.autograd.grad(total, anchors)[0].abs().max() < 1e-5


def test_the_centroid_is_the_mean_of_the_users_anchors():
    anchors = np.array([[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]], np.float32)
    histories = csr_array(np.array([[2, 1, 0], [0, 0, 1]], np.float32))
    np.testing.assert_allclose(anchor_centroids(anchors, histories), [[2, 1], [9, 9]])


def test_tau_is_that_of_the_largest_eigenvalue():
    shrinkage = AnchorShrinkage(1.0, np.array([[0.1, 2.0], [0.2, 6.0], [0.3, 4.0]]))
    assert shrinkage.largest_eigenvalue == 4
    assert shrinkage.tau() == pytest.approx(4 / 6)
    assert shrinkage.tau(0) == 1
    assert AnchorShrinkage(1.0, np.array([[-2.0, -1.0]])).tau() == 0


def test_the_hessian_is_of_the_loss_with_its_kl_term():
    """β adds itself to each eigenvalue; an autoencoder has none."""
    clicks = tastes()
    settings = {"beta": Constant(value=0.3), "training": Training(epochs=3)}
    model = MultVAE(**SMALL, anchors=ItemAnchors(weight=2.0), **settings).fit(clicks)
    clean = Posteriors.of(model.network_, clicks.matrix)
    found = measure_anchor_shrinkage(model, clicks.matrix, clean, most_users=6)
    assert found.weight == 2
    assert found.eigenvalues.shape == (6, SMALL["latent"])
    assert (np.diff(found.eigenvalues) >= 0).all()
    assert found.to_dict() == {
        "weight": 2.0, "hessian_eigenvalue": found.largest_eigenvalue, "tau": found.tau(),
    }  # fmt: skip
    plain = MultDAE(**SMALL, training=Training(epochs=1)).fit(clicks)
    plain.network_ = model.network_
    without = measure_anchor_shrinkage(plain, clicks.matrix, clean, most_users=6)
    assert without.weight == 0
    np.testing.assert_allclose(found.eigenvalues - without.eigenvalues, 0.3)
