"""Masks in latent space: drift that is zero without a mask, grows with it, and the variance over masks."""

import numpy as np
import pytest

from isotherm import ItemAnchors, MultDAE, MultVAE, Training
from isotherm.geometry.drift import measure_drift, overlap
from isotherm.geometry.posteriors import Posteriors, keep_probabilities
from isotherm.models.vae.objective.masking import Clean, PopularityAware
from isotherm.streams import stream
from tests.models.vae.small import SMALL, tastes


@pytest.fixture(scope="module")
def fitted():
    clicks = tastes()
    anchors = ItemAnchors(weight=1.0)
    return MultVAE(**SMALL, anchors=anchors, training=Training(epochs=8)).fit(clicks), clicks.matrix


def test_no_mask_no_drift(fitted):
    model, histories = fitted
    clean = Posteriors.of(model.network_, histories)
    found = measure_drift(model, histories, clean, keep_probabilities(model, Clean()), masks=3)
    assert found.drift.max() == found.from_clean.max() == found.mask_variance.max() == 0
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
    assert 0 < some.mask_variance.mean() < much.mask_variance.mean()
    assert some.keep == pytest.approx(0.9, abs=0.02)
    assert some.user_variance == pytest.approx(clean.mean.var(axis=0).sum(), rel=1e-4)
    assert some.to_centroid.shape == some.to_fitted_centroid.shape == (240,)
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
    np.testing.assert_allclose(found.mask_variance, means.var(axis=0, ddof=1).sum(axis=1), rtol=1e-4)


def test_overlap_counts_common_entries():
    first, second = np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 9, 1], [7, 8, 9]])
    np.testing.assert_allclose(overlap(first, second), [2 / 3, 0])
