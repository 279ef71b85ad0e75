"""Eigenvalues and eigenvectors against LAPACK's."""

import numpy as np
import pytest

from isotherm.linalg.eigen import eigenbasis


def positive(n, rank, seed=0):
    rows = np.random.default_rng(seed).standard_normal((rank, n))
    return rows.T @ rows


CASES = {
    "one": np.array([[3.0]]),
    "two": np.array([[1.0, -2.0], [-2.0, 1.0]]),
    "zeros": np.zeros((6, 6)),
    "diagonal": np.diag([3.0, 1.0, 1.0, 0.0, -2.0]),
    "full rank": positive(40, 90),
    "low rank": positive(40, 7),  # most eigenvalues are 0: no small number may be compared with them
    "graded": positive(30, 60) * np.outer(*[10.0 ** -np.linspace(0, 9, 30)] * 2),
    "tiny": 1e-30 * positive(20, 30),
    "huge": 1e30 * positive(20, 30),
    "equal eigenvalues": np.eye(12) + np.ones((12, 12)),
}


@pytest.mark.parametrize("name", CASES)
def test_vectors_are_orthonormal_and_make_the_matrix_diagonal(name):
    matrix = CASES[name]
    n, size = len(matrix), np.abs(matrix).max() or 1.0
    values, vectors = eigenbasis(matrix)
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(n), atol=1e-13)
    np.testing.assert_allclose(vectors @ matrix @ vectors.T / size, np.diag(values / size), atol=1e-12)
    np.testing.assert_allclose(np.sort(values) / size, np.linalg.eigvalsh(matrix) / size, atol=1e-12)


def test_the_matrix_stays():
    matrix = positive(9, 20)
    before = matrix.copy()
    eigenbasis(matrix)
    np.testing.assert_array_equal(matrix, before)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_gives_nan_instead_of_an_endless_loop(bad):
    matrix = positive(5, 9)
    matrix[1, 3] = matrix[3, 1] = bad
    values, vectors = eigenbasis(matrix)
    assert np.isnan(values).all()
    assert np.isnan(vectors).all()
