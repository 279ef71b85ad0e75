"""Denoising, user weights and the relaxed diagonal against the literal formulas, and against their losses."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, Interactions
from isotherm.errors import ParameterError
from isotherm.models.linear.penalties import user_weights
from tests.conftest import random_clicks
from tests.reference.ease import edlae_weights, expected_loss, relaxed_weights, weighted_weights

X = random_clicks(np.random.default_rng(3), 60, 14)


def weights(x, **settings):
    return EASE(**settings).fit(Interactions.from_csr(x)).weights_.warm


@pytest.mark.parametrize("denoising", [0.3, 2.0])
def test_denoising_equals_edlae(denoising):
    np.testing.assert_allclose(
        weights(X, l2=5.0, denoising=denoising), edlae_weights(X, 5.0, denoising), atol=1e-5
    )


def test_denoised_weights_minimize_the_expected_error_after_dropout():
    best, rng = weights(X, l2=5.0, denoising=0.5).astype(float), np.random.default_rng(0)
    least = expected_loss(X, best, 5.0, 0.5)
    for _ in range(20):
        other = best + 0.01 * rng.standard_normal(best.shape)
        np.fill_diagonal(other, 0)
        assert expected_loss(X, other, 5.0, 0.5) > least
    assert expected_loss(X, weights(X, l2=5.0).astype(float), 5.0, 0.5) > least


def test_the_variance_of_the_loss_is_that_of_dropout():
    rng, drawn, q = np.random.default_rng(1), 4_000, 1 / 3  # a = q / (1 − q) = 0.5
    b = edlae_weights(X, 5.0, 0.5)
    errors = [((X - X * (rng.random(X.shape) > q) / (1 - q) @ b) ** 2).sum() for _ in range(drawn)]
    assert np.mean(errors) == pytest.approx(expected_loss(X, b, 0.0, 0.5), rel=0.01)


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_user_weights_weigh_the_rows(power):
    np.testing.assert_allclose(
        weights(X, l2=5.0, user_power=power), weighted_weights(X, 5.0, power), atol=1e-5
    )


def test_user_weights_leave_the_mean_click_at_one():
    clicks = csr_array(X)
    assert user_weights(clicks, 0.7) @ np.diff(clicks.indptr) == pytest.approx(clicks.nnz)


@pytest.mark.parametrize("denoising", [0.0, 0.5])
@pytest.mark.parametrize("relaxation", [0.1, 0.4, 0.9])
def test_the_relaxed_diagonal_keeps_to_its_bound(denoising, relaxation):
    relaxed = weights(X, l2=20.0, denoising=denoising, relaxation=relaxation)
    np.testing.assert_allclose(relaxed, relaxed_weights(X, 20.0, denoising, relaxation), atol=1e-5)
    assert np.diag(relaxed).max() <= relaxation + 1e-5


def test_l2_alone_is_plain_ease():
    np.testing.assert_array_equal(
        weights(X, l2=5.0), weights(X, l2=5.0, denoising=0, user_power=0, relaxation=0)
    )


@pytest.mark.parametrize(
    ("name", "value"), [("denoising", -1), ("user_power", 1.5), ("relaxation", 1.0), ("relaxation", "some")]
)
def test_values_out_of_range_are_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=name):
        EASE(l2=1.0, **{name: value})


def test_collective_takes_l2_alone():
    with pytest.raises(ParameterError, match="collective above 0 goes with denoising"):
        EASE(l2=1.0, collective=1.0, denoising=0.5)
