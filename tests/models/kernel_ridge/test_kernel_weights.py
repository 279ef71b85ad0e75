"""The losses against literal leave-one-out refits, gradients against differences, and a known answer."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.kernel_ridge.kernel_weights import (
    KernelWeights,
    SampledKernel,
    TasteLoss,
    learn_kernel_weights,
    popularity_loss,
    towards_equal,
)
from isotherm.models.kernel_ridge.learning_sample import LearningSample
from tests.conftest import random_clicks
from tests.reference import kernel_ridge as reference


def terms(rng, n, features=3):
    """Two kernels of rank ``features`` among n items."""
    vectors = rng.standard_normal((2, n, features)).astype(np.float32)
    return np.einsum("tif,tjf->tij", vectors, vectors)


def differences(loss, x, step=1e-2):
    slopes = np.empty_like(x)
    for i in range(len(x)):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slopes[i] = (loss(up)[0] - loss(down)[0]) / (2 * step)
    return slopes


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    clicks = random_clicks(rng, 20, 12, 0.4)
    return terms(rng, 12), clicks, rng.standard_normal(12).astype(np.float32)


def test_taste_loss_is_the_literal_one(case):
    kernels, clicks, expected = case
    x = np.array([-0.5, 0.2, -1.0, np.log(2.0), 0.7])
    kernel = np.tensordot(np.exp(x[:2]), kernels.astype(np.float64), 1) + np.exp(x[2])
    loss = TasteLoss(SampledKernel(kernels), csr_array(clicks), expected)
    literal = reference.taste_loss(kernel, clicks, expected, 2.0, 0.7)
    assert loss(x)[0] == pytest.approx(literal, rel=1e-5)


def test_popularity_loss_is_the_literal_one(case):
    kernels, _, y = case
    logs = np.array([-0.5, 0.2, -1.0])
    kernel = np.tensordot(np.exp(logs[:2]), kernels.astype(np.float64), 1) + np.exp(logs[2])
    errors = [y[j] - reference.left_out_prediction(kernel, 1.0, y, j) for j in range(12)]
    value = popularity_loss(SampledKernel(kernels), y)(logs)[0]
    assert value == pytest.approx(np.square(errors).mean() / np.square(y).mean(), rel=1e-4)


def test_gradients_are_the_differences(case):
    kernels, clicks, expected = case
    kernel = SampledKernel(kernels)
    loss = TasteLoss(kernel, csr_array(clicks), expected)
    x = np.array([-0.5, 0.2, -1.0, np.log(2.0), 0.7])
    np.testing.assert_allclose(loss(x)[1], differences(loss, x), rtol=0.02, atol=2e-4)
    error = popularity_loss(kernel, expected)
    np.testing.assert_allclose(error(x[:3])[1], differences(error, x[:3]), rtol=0.02, atol=2e-4)


@pytest.fixture(scope="module")
def kinds():
    """Users click items of one of two kinds; the second kernel knows the kinds and the first one is noise."""
    rng = np.random.default_rng(1)
    kinds = np.arange(40) % 2
    clicks = (kinds == rng.integers(2, size=60)[:, None]) & (rng.random((60, 40)) < 0.5)
    same_kind = np.equal.outer(kinds, kinds).astype(np.float32)
    return LearningSample(
        np.stack([terms(rng, 40)[0] / 3, same_kind]),
        csr_array(clicks.astype(np.float32)),
        rng.standard_normal(40).astype(np.float32),
    )


def test_the_field_that_clicks_follow_weighs_most(kinds):
    learned = learn_kernel_weights(kinds, 40)
    assert learned.taste[1] > 20 * learned.taste[0]


def test_of_a_large_sample_most_steps_are_taken_on_a_part(monkeypatch):
    rng = np.random.default_rng(2)
    kinds = rng.integers(3, size=1_100)
    clicks = (kinds == rng.integers(3, size=80)[:, None]) & (rng.random((80, 1_100)) < 0.1)
    same_kind = np.equal.outer(kinds, kinds).astype(np.float32)
    sample = LearningSample(
        np.stack([terms(rng, 1_100)[0] / 3, same_kind]),
        csr_array(clicks.astype(np.float32)),
        rng.standard_normal(1_100).astype(np.float32),
    )
    part, whole = sample.coarse_to_fine()
    assert whole is sample
    np.testing.assert_array_equal(part.terms, sample.terms[:, ::3, ::3])
    np.testing.assert_array_equal(part.log_clicks, sample.log_clicks[::3])
    some = sample.user_items.toarray()[:, ::3]
    np.testing.assert_array_equal(part.user_items.toarray(), some[some.sum(axis=1) > 1])
    sizes = []
    inverse = SampledKernel.inverse
    monkeypatch.setattr(
        SampledKernel, "inverse", lambda kernel, x: sizes.append(kernel.n) or inverse(kernel, x)
    )
    learned = learn_kernel_weights(sample, 12)
    assert learned.taste[1] > 20 * learned.taste[0]
    assert sizes.count(367) > 1.5 * sizes.count(1_100) > 0


def test_without_users_all_weigh_alike(case):
    kernels, _, expected = case
    sample = LearningSample(kernels, csr_array((0, 12), dtype=np.float32), expected)
    learned = learn_kernel_weights(sample, 10)
    assert len(set(learned.taste)) == 1


def test_weights_go_towards_equal_ones_in_logs_and_the_ranking_is_scaled_anew(kinds):
    learned = KernelWeights(np.array([4.0, 0.01, 0.2]), np.ones(3), 50.0, 2.0)
    halfway, equal = (towards_equal(learned, kinds, share) for share in (0.5, 1.0))
    assert np.ptp(equal.taste) == 0
    mean_variance = np.einsum("tii->ti", kinds.terms).sum(axis=0).mean()
    assert equal.taste[0] * mean_variance == pytest.approx(4.0, rel=1e-5)
    np.testing.assert_allclose(halfway.taste, np.sqrt(learned.taste * equal.taste))
    np.testing.assert_array_equal(equal.popularity, learned.popularity)
    # t and b are those of least loss
    y = kinds.log_clicks
    left_out = np.linalg.inv(kinds.terms.astype(np.float64).sum(axis=0) + 1 + np.eye(40))
    popularity = (y - left_out @ y / np.diag(left_out)).astype(np.float32)
    loss = TasteLoss(SampledKernel(kinds.terms), kinds.user_items, popularity)

    def at(t, b):
        return loss(np.array([*np.log(equal.taste), np.log(t), b]))[0]

    t, b = equal.inverse_temperature, equal.popularity_weight
    assert 0.1 < t < 100
    others = [at(t * 1.2, b), at(t / 1.2, b), at(t, b + 0.1), at(t, max(b - 0.1, 0))]
    assert at(t, b) < min(others[:3])
    assert at(t, b) <= others[3]
