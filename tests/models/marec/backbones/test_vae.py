"""MARec on VAEs: eq. 7, and what such a backbone cannot do."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isotherm import (
    EASETerm,
    ItemAnchors,
    MARec,
    MultVAE,
    RecVAE,
    Training,
)
from isotherm.errors import ParameterError, UnsupportedError
from isotherm.models.marec.backbones.base import Alignment
from isotherm.models.marec.backbones.vae import MetadataTargets
from isotherm.models.marec.backbones.vae_network import DecoderRows
from tests.conftest import random_clicks


def test_predicted_clicks_move_a_network(clicks, items):
    """α reaches the training: another weight of the predicted clicks gives the clicked items other scores."""

    def scores(alpha):
        vae = MultVAE(hidden=16, latent=4, training=Training(epochs=5))
        model = MARec(backbone=vae, beta=2.0, alpha=alpha).fit(clicks, items)
        return model.score(model.histories_of(np.arange(60)))[:, :25]

    assert np.abs(scores(1.0) - scores(5.0)).max() > 1e-3


def test_metadata_targets_are_those_of_eq_7():
    """The loss of one batch is −Σ x log π − α Σ b log π, with b = max(βXGD, 0)."""
    rng = np.random.default_rng(5)
    x = csr_array(random_clicks(rng, 30, 8).astype(np.float32))
    rare_rows = rng.standard_normal((1, 8)).astype(np.float32)
    cold_rows = rng.standard_normal((2, 8)).astype(np.float32)
    alignment = Alignment(x, np.array([3]), np.array([0.5], np.float32), rare_rows, cold_rows)
    found = MetadataTargets(alignment, 1.7)(np.array([4, 9])).toarray()
    expected = np.zeros((2, 10))
    expected[:, 3] = 1.7 * 0.5 * (x[[4, 9]] @ rare_rows[0])
    expected[:, 8:] = 1.7 * (x[[4, 9]] @ cold_rows.T)
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-5)


def test_what_a_backbone_cannot_do_is_said(clicks, items):
    with pytest.raises(ParameterError, match="ease_term=ease speaks of clicked items only"):
        MARec(backbone=MultVAE(ease_term=EASETerm())).fit(clicks, items)
    for anchors in (ItemAnchors(weight=1.0, weighting="recency"), ItemAnchors(weight=1.0, init="metadata")):
        with pytest.raises(ParameterError, match="a backbone sees neither dates nor items"):
            MARec(backbone=MultVAE(anchors=anchors)).fit(clicks, items)
    vae = RecVAE(hidden=8, latent=4, training=Training(epochs=1))
    model = MARec(backbone=vae, beta=1.0).fit(clicks, items)
    with pytest.raises(UnsupportedError, match="marec on recvae has no exact explanation"):
        model.explain("u00", "i27")
    assert torch.isfinite(torch.from_numpy(model.score(model.histories_of(np.arange(5))))).all()


def test_beta_moves_the_bias_of_decoder_rows_alone():
    rows = DecoderRows(np.ones((2, 3), np.float32), np.array([0.5, -1.0], np.float32))
    hidden = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(
        np.exp(rows.at_beta(2.5).logits(hidden)), 2.5 * np.exp(rows.logits(hidden)), rtol=1e-5
    )
    both = rows.appended(rows.at_beta(2.5)).logits(hidden)
    np.testing.assert_allclose(both, np.hstack([rows.logits(hidden), rows.at_beta(2.5).logits(hidden)]))
