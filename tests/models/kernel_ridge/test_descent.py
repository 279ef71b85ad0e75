"""Quadratic losses, whose minimum is known."""

import numpy as np
import pytest

from isotherm.linalg.cholesky import NotPositiveDefiniteError
from isotherm.models.kernel_ridge.descent import Box, descend, refine

N_DRAWN = 3
BOUNDS = np.array([[-5.0, 5.0]] * 4)


def quadratic(hessian, least):
    """½(x − least)ᵀ·H·(x − least), counting calls in ``calls``."""
    calls = []

    def loss(x):
        calls.append(x.copy())
        return float((x - least) @ hessian @ (x - least) / 2), hessian @ (x - least)

    return loss, calls


@pytest.fixture
def hessian():
    factor = np.random.default_rng(0).standard_normal((4, 4))
    return factor @ factor.T + np.diag([0.1, 1.0, 10.0, 100.0])


def quiet(steps):
    pass


def test_a_descent_finds_the_minimum_and_its_curvature(hessian):
    least = np.array([1.0, -2.0, 0.5, 3.0])
    box = Box.around(np.zeros(4), BOUNDS, N_DRAWN)
    found = descend(quadratic(hessian, least)[0], box, 60, quiet)
    np.testing.assert_allclose(found.x, least, atol=0.02)
    penalty = np.diag([2e-3 / N_DRAWN] * N_DRAWN + [0.0])
    np.testing.assert_allclose(found.inverse_hessian, np.linalg.inv(hessian + penalty), rtol=0.2, atol=0.02)


def test_what_is_drawn_to_the_anchor_stays_nearer_to_it():
    flat = quadratic(1e-3 * np.eye(4), np.full(4, 2.0))[0]
    found = descend(flat, Box.around(np.ones(4), BOUNDS, N_DRAWN), 60, quiet)
    assert (found.x[:N_DRAWN] < 1.9).all()
    assert found.x[3] == pytest.approx(2.0, abs=1e-3)


def test_steps_with_the_curvature_of_a_like_loss_are_worth_many(hessian):
    box = Box.around(np.zeros(4), BOUNDS, N_DRAWN)
    found = descend(quadratic(hessian, np.array([1.0, -2.0, 0.5, 3.0]))[0], box, 60, quiet)
    least = np.array([1.2, -1.5, 0.7, 2.5])
    loss, calls = quadratic(1.1 * hessian, least)
    refined = refine(loss, box, found, 2)
    assert len(calls) == 3
    assert loss(refined)[0] < 0.01 * loss(found.x)[0]
    np.testing.assert_array_equal(refine(loss, box, found, 0), found.x)


def test_steps_stay_within_bounds_and_where_the_loss_is_finite(hessian):
    box = Box.around(np.zeros(4), np.array([[-1.0, 1.0]] * 4), N_DRAWN)
    found = descend(quadratic(hessian, np.full(4, 9.0))[0], box, 60, quiet)
    assert np.abs(found.x).max() <= 1

    def broken(x):
        if x[0] != found.x[0]:
            raise NotPositiveDefiniteError("pivot 1 of 4 is not positive")
        return 1.0, np.ones(4)

    np.testing.assert_array_equal(refine(broken, box, found, 3), found.x)
