"""Masks: the law of masked distances, drift that is zero without a mask, anchors after the fact."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from scipy.stats import binom

from isotherm import ItemAnchors, MultDAE, MultVAE, Training
from isotherm.geometry.masking import fit_anchors, measure_contraction, measure_drift, overlap
from isotherm.geometry.posteriors import Posteriors, keep_probabilities
from isotherm.models.vae.objective.masking import Clean, PopularityAware
from isotherm.streams import stream
from tests.conftest import random_clicks
from tests.models.vae.training.test_trainer import SMALL, tastes
from tests.reference.vae import anchor_loss


def test_masked_distances_follow_their_law():
    """With one ρ the distance is Bin(only one, ρ) + Bin(both, 2ρ(1 − ρ)): its exact law."""
    rho, only, both = 0.6, 5, 30
    x = np.zeros((2, only + both), np.float32)
    x[0], x[1, only:] = 1, 1
    keep = np.full(only + both, rho, np.float32)
    found = measure_contraction(csr_array(x), keep, np.array([0]), np.array([1]), draws=20_000).pairs.row(
        0, named=True
    )
    law = np.convolve(
        binom.pmf(range(only + 1), only, rho), binom.pmf(range(both + 1), both, 2 * rho * (1 - rho))
    )
    assert (found["l1"], found["shared"]) == (only, both)
    assert found["mean"] == pytest.approx((law * np.arange(len(law))).sum(), rel=1e-5)
    assert found["measured"] == pytest.approx(found["mean"], rel=0.01)
    assert found["contracts"] == pytest.approx(law[:only].sum(), abs=0.01)
    assert found["expands"] == pytest.approx(law[only + 1 :].sum(), abs=0.01)
    assert found["contracts_low"] == 0  # the mean is above the clean distance: nothing is promised
    assert 0.5 < found["expands_low"] <= law[only + 1 :].sum()


def test_the_bounds_hold_for_any_mask():
    x = csr_array(random_clicks(np.random.default_rng(0), 60, 80, density=0.3).astype(np.float32))
    keep = np.random.default_rng(1).uniform(0.2, 1, 80).astype(np.float32)
    u, v = np.repeat(np.arange(30), 20), np.tile(np.arange(30, 50), 30)
    found = measure_contraction(x, keep, u, v, draws=400)
    assert found.holds == 1
    assert found.pairs["contracts_low"].max() > 0.5
    np.testing.assert_allclose(found.pairs["measured"], found.pairs["mean"], atol=1.5)
    whole = measure_contraction(x, np.ones(80, np.float32), u, v, draws=5).pairs
    assert (whole["contracts"] + whole["expands"]).max() == 0


@pytest.fixture(scope="module")
def fitted():
    clicks = tastes()
    anchors = ItemAnchors(weight=1.0)
    return MultVAE(**SMALL, anchors=anchors, training=Training(epochs=8)).fit(clicks), clicks.matrix


def test_no_mask_no_drift(fitted):
    model, histories = fitted
    clean = Posteriors.of(model.network_, histories)
    found = measure_drift(model, histories, clean, keep_probabilities(model, Clean()), masks=3)
    assert found.drift.max() == found.from_clean.max() == found.variance.max() == 0
    assert found.keep == 1


def test_a_mask_lets_neighbours_drift(fitted):
    model, histories = fitted
    clean = Posteriors.of(model.network_, histories)
    some, much = (
        measure_drift(
            model, histories, clean, keep_probabilities(model, PopularityAware(keep=keep)), k=7, masks=3
        )
        for keep in (0.9, 0.3)
    )
    assert 0 < some.drift.mean() < much.drift.mean() <= 1
    assert 0 < some.variance.mean() < much.variance.mean()
    assert some.keep == pytest.approx(0.9, abs=0.02)
    assert some.spread == pytest.approx(clean.mean.var(axis=0).sum(), rel=1e-4)
    assert some.to_centroid.shape == some.to_fitted.shape == (240,)
    again = measure_drift(
        model, histories, clean, keep_probabilities(model, PopularityAware(keep=0.3)), k=7, masks=3
    )
    np.testing.assert_array_equal(again.drift, much.drift)
    plain = MultDAE(**SMALL, training=Training(epochs=1)).fit(tastes())
    assert measure_drift(plain, histories, clean, keep_probabilities(plain), masks=2).to_centroid is None


def test_variance_is_over_masks(fitted):
    model, histories = fitted
    clean, keep = Posteriors.of(model.network_, histories), keep_probabilities(model)
    found = measure_drift(model, histories, clean, keep, masks=4, seed=5)
    means = np.stack(
        [Posteriors.of(model.network_, histories, keep, stream(5, "masks", n)).mean for n in range(4)]
    )
    np.testing.assert_allclose(found.variance, means.var(axis=0, ddof=1).sum(axis=1), rtol=1e-4)


def test_overlap_counts_common_entries():
    first, second = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 9, 1], [7, 8, 9]])
    np.testing.assert_allclose(overlap(first, second), [2 / 3, 0])


def test_fitted_anchors_minimise_the_anchor_loss():
    x = random_clicks(np.random.default_rng(2), 20, 12)
    means = np.random.default_rng(3).standard_normal((20, 4)).astype(np.float32)
    found = fit_anchors(means, csr_array(x.astype(np.float32)))
    anchors = torch.from_numpy(found).requires_grad_()
    mean = torch.from_numpy(means)
    total = anchor_loss(mean, torch.full_like(mean, -50.0), anchors, torch.from_numpy(x)).sum()
    assert torch.autograd.grad(total, anchors)[0].abs().max() < 1e-5
