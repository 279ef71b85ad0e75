"""Blended columns against the formula for one item after another."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.models.kernel_ridge.columns import LeftOutPredictor, Scales, Users
from isotherm.models.kernel_ridge.rare_items import blended
from isotherm.models.kernel_ridge.ridge import RidgeFitter
from isotherm.models.kernel_ridge.warm_up import Evidence, WarmUp, score_rms
from tests.features.test_metadata_kernel import table

WARM_UP = WarmUp(direction_clicks=4.0, scale_clicks=200.0, hold_clicks=1.0)
CLICKS = np.array([2, 900, 5, 100, 30, 3, 8, 50, 2000, 12])


@pytest.fixture
def fitted():
    """What predicts ten items as though nobody had clicked them, EASE's weights, and users."""
    rng = np.random.default_rng(3)
    items = table(rng, 10)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    weights = rng.random((2, len(kernel.terms) + 1)) + 0.1
    ridges = RidgeFitter(kernel, weights[0], weights[1], exact_items=10, landmarks=1, seed=0)
    every = np.arange(10)
    left_out = LeftOutPredictor(
        encoded,
        ridges.taste(encoded, every, 0.7),
        ridges.popularity(encoded, every),
        rng.random(10).astype(np.float32),
    )
    ease = rng.random((10, 10)).astype(np.float32)
    np.fill_diagonal(ease, 0)
    histories = csr_array((rng.random((30, 10)) < 0.3).astype(np.float32))
    return left_out, ease, histories


@pytest.mark.parametrize("smoothing", [0.0, 0.6])
def test_columns_lie_between_metadata_and_clicks_and_those_of_many_clicks_are_of_clicks(fitted, smoothing):
    left_out, ease, histories = fitted
    scales, users = Scales(smoothing=smoothing, slope=0.01), Users.of(histories, ease)
    rare = blended(left_out, scales, WARM_UP, CLICKS, ease, users, 3.0)
    assert sorted(rare.items) == [0, 2, 3, 4, 5, 6, 7, 9]  # 900 and 2,000 clicks are settled
    by_clicks = CLICKS[rare.items] >= 30
    assert sorted(by_clicks) == by_clicks.tolist()
    ((_, columns),) = left_out.columns(scales, rare.items, ease, 3.0)
    metadata_rms = score_rms(left_out.scores(scales, users, 3.0)[:, rare.items])
    evidence = Evidence(
        metadata_rms,
        score_rms(histories @ ease[:, rare.items]),
        CLICKS[rare.items],
        np.zeros(len(rare.items)),
    )
    factors = WARM_UP.factors(evidence)
    expected = ease[:, rare.items] * factors.ease
    expected[:, ~by_clicks] += (columns * factors.metadata)[:, ~by_clicks]
    np.testing.assert_allclose(rare.columns, expected, rtol=1e-4, atol=1e-6)
    # what is left out of those with 30 clicks is a fiftieth of their scores at most
    left = factors.metadata[by_clicks] * metadata_rms[by_clicks]
    assert (left < 0.02 * score_rms(histories @ expected[:, by_clicks])).all()


def test_nothing_is_blended_where_all_items_are_settled(fitted):
    left_out, ease, histories = fitted
    rare = blended(left_out, Scales(), WARM_UP, np.full(10, 3_000), ease, Users.of(histories, ease), 3.0)
    assert rare.columns.shape == (10, 0)
