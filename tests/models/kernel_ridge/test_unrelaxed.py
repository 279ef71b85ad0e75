"""EASE's weights without any of an item on itself: those of the same penalties without a relaxed diagonal."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import EASE
from isotherm.models.kernel_ridge.columns import Users
from isotherm.models.kernel_ridge.unrelaxed import Unrelaxed


@pytest.fixture(scope="module")
def clicks():
    return csr_array((np.random.default_rng(3).random((40, 12)) < 0.4).astype(np.float32))


def solved(clicks, relaxation):
    return EASE(l2=2.0, denoising=0.5, user_power=0.5, relaxation=relaxation).solve(clicks).weights


def test_a_relaxed_diagonal_leaves_no_trace(clicks):
    relaxed, plain = solved(clicks, 0.3), solved(clicks, 0.0)
    assert np.diag(relaxed).max() > 0.2
    unrelaxed = Unrelaxed.of(relaxed)
    np.testing.assert_allclose(unrelaxed.times(relaxed, np.eye(12, dtype=np.float32)), plain, atol=1e-6)
    scores = unrelaxed.scores(clicks @ relaxed, clicks)
    np.testing.assert_allclose(scores, clicks @ plain, atol=1e-5)


def test_targets_are_those_of_an_unrelaxed_diagonal(clicks):
    some = np.array([1, 4, 11])
    relaxed, plain = (Users.of(clicks, solved(clicks, relaxation)) for relaxation in (0.3, 0.0))
    np.testing.assert_allclose(relaxed.targets(0.9, some), plain.targets(0.9, some), atol=1e-5)
    np.testing.assert_allclose(
        relaxed.every(2).among(some).smoothed(np.array([2])), plain.scores[::2, 11:], atol=1e-5
    )
    assert not np.allclose(relaxed.scores, plain.scores, atol=1e-2)


def test_some_rows_meet_their_columns_of_the_weights(clicks):
    weights, some = solved(clicks, 0.3), np.array([0, 5, 7])
    rows = np.random.default_rng(0).random((3, 2)).astype(np.float32)
    of_all = np.zeros((12, 2), dtype=np.float32)
    of_all[some] = rows
    unrelaxed = Unrelaxed.of(weights)
    found = unrelaxed.take(some).times(weights[:, some], rows, some)
    np.testing.assert_allclose(found, unrelaxed.times(weights, of_all), rtol=1e-5, atol=1e-7)
