"""The ridge inverse in the form of EASE's weights against the literal inverse."""

import numpy as np
import pytest

from isotherm.linalg.ridge_inverse import RidgeInverse, woodbury_factor
from tests.reference.ease import eq8_weights

N, L2 = 23, 4.0


def gram_matrix(seed=0):
    x = (np.random.default_rng(seed).random((60, N)) < 0.3).astype(np.float64)
    return x, x.T @ x


def inverse_of(matrix):
    return np.linalg.inv(matrix + L2 * np.eye(N))


def test_weights_and_diagonal_are_those_of_ease():
    x, c = gram_matrix()
    expected = inverse_of(c)
    inverse = RidgeInverse.of(expected.copy(), L2)
    np.testing.assert_allclose(inverse.weights, eq8_weights(x, L2), atol=1e-5)
    np.testing.assert_allclose(inverse.scale, np.diag(expected), rtol=1e-5)
    assert inverse.weights.dtype == inverse.scale.dtype == np.float32


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("entries", [1.0, 0.01])  # 0.01: few enough that columns are picked
def test_products_equal_the_literal_inverse(symmetric, entries):
    rng = np.random.default_rng(1)
    _, c = gram_matrix()
    a = c if symmetric else c @ (np.eye(N) + 0.1 * rng.random((N, N)))
    literal = inverse_of(a)
    inverse = RidgeInverse.of(literal.copy(), L2)
    rows = (rng.standard_normal((40, N)) * (rng.random((40, N)) < entries)).astype(np.float32)
    np.testing.assert_allclose(inverse.times(rows), rows @ literal.T, atol=1e-5)
    in_place = rows.copy()
    assert inverse.times(in_place, out=in_place) is in_place
    np.testing.assert_array_equal(in_place, inverse.times(rows))
    np.testing.assert_allclose(inverse.smoothed(rows), rows @ (literal @ a).T, atol=1e-4)
    np.testing.assert_allclose(
        inverse.smoothed_by_transpose(rows[0]), rows[0] @ (np.eye(N) - L2 * literal), atol=1e-4
    )


def test_woodbury_update_equals_the_inverse_of_the_changed_matrix():
    rng = np.random.default_rng(2)
    _, c = gram_matrix()
    rows, v = np.array([2, 7, 19]), rng.standard_normal((N, 3))
    changed = c.copy()
    changed[:, rows] += v
    literal = inverse_of(changed)
    inverse = RidgeInverse.of(inverse_of(c), L2)
    factor = woodbury_factor(inverse.times(v.T.astype(np.float32)).T, rows)
    updated = inverse.updated(rows, factor)
    np.testing.assert_allclose(updated.scale, np.diag(literal), rtol=1e-3)
    unit = np.eye(N, dtype=np.float32)
    np.testing.assert_allclose(updated.times(unit).T, literal, atol=1e-4)
