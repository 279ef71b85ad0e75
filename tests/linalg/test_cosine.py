"""Cosines against their definition, and what they are for zero vectors."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.linalg.cosine import cosines, gram_cosines, unit_rows


@pytest.fixture
def vectors():
    vectors = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    vectors[2] = 0
    return vectors


def literal(vectors):
    found = np.zeros((len(vectors), len(vectors)))
    for i, a in enumerate(vectors):
        for j, b in enumerate(vectors):
            if a.any() and b.any():
                found[i, j] = a @ b / np.sqrt((a @ a) * (b @ b))
    return found


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_cosines_with_one_vector(vectors, kind):
    expected = literal(vectors)
    for row in range(len(vectors)):
        found = cosines(kind(vectors), vectors[row])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[row], atol=1e-6)
        assert found.max() <= 1
        assert found.min() >= -1


def test_cosines_from_a_gram_matrix(vectors):
    rows = np.array([3, 2, 0])
    found = gram_cosines(vectors @ vectors.T, rows)
    np.testing.assert_allclose(found, literal(vectors)[rows], atol=1e-6)


def test_unit_rows(vectors):
    found = unit_rows(vectors.astype(np.float64))
    np.testing.assert_allclose(found @ found.T, literal(vectors), atol=1e-6)
    assert not found[2].any()
