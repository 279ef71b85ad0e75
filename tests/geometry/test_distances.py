"""Distances between posteriors against an independent solver, bounds and brute force."""

import numpy as np
import ot
import pytest
from scipy.spatial.distance import cdist

from isotherm.geometry.distances import nearest_users, w1_bounds, w1_sampled, w2, w2_matrix
from isotherm.geometry.posteriors import Posteriors, antithetic_noise


@pytest.fixture
def users():
    rng = np.random.default_rng(0)
    return Posteriors(
        rng.standard_normal((40, 7)).astype(np.float32), rng.uniform(0.2, 2, (40, 7)).astype(np.float32)
    )


def test_w2_is_what_an_optimal_transport_solver_finds_for_gaussians(users):
    first, second = users.take(np.arange(10)), users.take(np.arange(10, 20))
    expected = [
        ot.gaussian.bures_wasserstein_distance(
            first.mean[i].astype(float),
            second.mean[i].astype(float),
            np.diag(first.deviation[i].astype(float) ** 2),
            np.diag(second.deviation[i].astype(float) ** 2),
        )
        for i in range(10)
    ]
    np.testing.assert_allclose(w2(first, second), expected, rtol=1e-4)
    np.testing.assert_allclose(np.diag(w2_matrix(first, second)), expected, rtol=1e-4)


def test_w2_is_the_cost_of_transport_between_many_points():
    rng = np.random.default_rng(1)
    first = Posteriors(np.array([[0.0, 1.0]], np.float32), np.array([[1.0, 0.5]], np.float32))
    second = Posteriors(np.array([[2.0, -1.0]], np.float32), np.array([[0.3, 1.5]], np.float32))
    clouds = [p.mean + p.deviation * rng.standard_normal((1500, 2)) for p in (first, second)]
    cost = ot.emd2([], [], ot.dist(*clouds), numItermax=10**6)
    assert np.sqrt(cost) == pytest.approx(w2(first, second)[0], rel=0.03)


def test_w1_lies_between_its_bounds(users):
    first, second = users.take(np.arange(10)), users.take(np.arange(10, 20))
    drawn = antithetic_noise(200, 7, 0)
    bounds = w1_bounds(first, second, drawn)
    low, high = bounds.low, bounds.high
    found = w1_sampled(first, second, drawn)
    expected = [
        ot.emd2([], [], ot.dist(a, b, metric="euclidean"))
        for a, b in zip(first.sample(drawn), second.sample(drawn), strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert (low <= found * (1 + 1e-5)).all()
    apart = np.square(first.sample(drawn) - second.sample(drawn)).sum(axis=2)
    assert (found <= np.sqrt(apart).mean(axis=1) * (1 + 1e-5)).all()
    assert (found <= np.sqrt(apart.mean(axis=1)) * (1 + 1e-5)).all()  # W₁ <= W₂
    assert (low <= high).all()
    assert (high <= w2(first, second)).all()
    np.testing.assert_allclose(high, np.sqrt(apart).mean(axis=1), rtol=0.05)


def test_equal_posteriors_are_at_distance_zero(users):
    drawn = antithetic_noise(16, 7, 0)
    assert w2(users, users).max() == 0
    assert w1_bounds(users, users, drawn).low.max() == w1_bounds(users, users, drawn).high.max() == 0
    assert w1_sampled(users.take(np.arange(3)), users.take(np.arange(3)), drawn).max() == 0


@pytest.mark.parametrize("asked", [None, np.array([3, 17, 38])])
def test_nearest_users_are_those_of_brute_force(users, asked):
    nearest = nearest_users(users, 5, asked)
    apart = cdist(users.w2_coordinates, users.w2_coordinates)
    np.fill_diagonal(apart, np.inf)
    expected = np.argsort(apart, axis=1)[:, :5]
    expected = expected if asked is None else expected[asked]
    np.testing.assert_array_equal(nearest.rows, expected)
    mine = np.arange(40) if asked is None else asked
    np.testing.assert_allclose(nearest.distances, np.take_along_axis(apart[mine], expected, 1), rtol=1e-4)


def test_noise_has_no_mean():
    np.testing.assert_allclose(antithetic_noise(6, 4, 3).mean(axis=0), 0, atol=1e-7)
    assert (antithetic_noise(1, 4, 3) == 0).all()
    assert antithetic_noise(5, 4, 3).shape == (5, 4)
