"""The factorization and the inverse in place, whole and by blocks, against NumPy's."""

import numpy as np
import pytest

from isotherm.linalg.cholesky import (
    NotPositiveDefiniteError,
    factorize_in_place,
    inverse_diagonal,
    inverse_of_factor,
    invert_in_place,
)


@pytest.mark.parametrize(("largest", "block"), [(100, 1), (32, 33), (16, 11), (16, 8), (7, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_inverse_in_place_with_and_without_blocks(largest, block, dtype):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((33, 50))
    matrix = (a @ a.T + 10 * np.eye(33)).astype(dtype)
    expected = np.linalg.inv(matrix.astype(np.float64))
    invert_in_place(matrix, largest, block)
    np.testing.assert_allclose(matrix, expected, atol=1e-5 if dtype == np.float32 else 1e-12)
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(("largest", "block"), [(100, 1), (32, 33), (16, 11), (16, 8), (7, 1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_factor_in_place_with_and_without_blocks(largest, block, dtype):
    a = np.random.default_rng(0).standard_normal((33, 50))
    matrix = (a @ a.T + 10 * np.eye(33)).astype(dtype)
    expected = np.linalg.cholesky(matrix.astype(np.float64))
    factorize_in_place(matrix, largest, block)
    np.testing.assert_allclose(matrix, expected, atol=1e-4 if dtype == np.float32 else 1e-11)


@pytest.mark.parametrize("largest", [100, 40])
def test_inverse_of_a_factor(largest):
    half = np.random.default_rng(0).standard_normal((70, 90))
    matrix = half @ half.T / 90 + np.eye(70)
    factor = np.linalg.cholesky(matrix)
    np.testing.assert_allclose(inverse_of_factor(factor, largest), np.linalg.inv(matrix), atol=1e-10)
    np.testing.assert_array_equal(factor, np.linalg.cholesky(matrix))


@pytest.mark.parametrize("largest", [100, 40])
def test_diagonal_of_the_inverse_of_a_factor(largest):
    half = np.random.default_rng(0).standard_normal((70, 90))
    factor = np.linalg.cholesky(half @ half.T / 90 + np.eye(70))
    before = factor.copy()
    expected = np.diag(np.linalg.inv(factor @ factor.T))
    np.testing.assert_allclose(inverse_diagonal(factor, largest), expected, rtol=1e-10)
    np.testing.assert_array_equal(factor, before)
    assert inverse_diagonal(np.empty((0, 0))).shape == (0,)


def test_indefinite_matrix_is_refused():
    with pytest.raises(NotPositiveDefiniteError, match="pivot 2 of 2"):
        factorize_in_place(np.array([[1.0, 2.0], [2.0, 1.0]]))
    with pytest.raises(NotPositiveDefiniteError, match="pivot 2 of 2"):
        invert_in_place(np.array([[1.0, 2.0], [2.0, 1.0]]))
