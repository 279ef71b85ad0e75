"""Vectors of one field: the shrunk cosines of the literal formula, and what each type says of its items."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm.features.field_vectors import DenseVectors, FieldForm, Numbers, SparseVectors, smoothed_cosines
from tests.reference import marec as reference


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30), st.integers(1, 12), st.sampled_from([0.0, 1.0, 20.0, 100.0]))
def test_smoothed_cosines_equal_eq_3(seed, n_items, n_features, shrinkage):
    rng = np.random.default_rng(seed)
    z = (rng.random((n_items, n_features)) < 0.4) * rng.uniform(0.5, 3, (n_items, n_features))
    expected = reference.eq3_smoothed_cosine(z, shrinkage)
    z = z.astype(np.float32)
    np.testing.assert_allclose(smoothed_cosines(SparseVectors(csr_array(z)), shrinkage), expected, atol=1e-5)
    np.testing.assert_allclose(smoothed_cosines(DenseVectors(z), shrinkage), expected, atol=1e-5)


def test_similarity_refuses_what_it_cannot_use():
    with pytest.raises(ValueError, match="shrinkage must be >= 0, not -1"):
        smoothed_cosines(DenseVectors(np.eye(2, dtype=np.float32)), -1)
    with pytest.raises(ValueError, match="not finite"):
        smoothed_cosines(DenseVectors(np.array([[np.nan]], dtype=np.float32)), 1)


ROWS = np.array([[0, 3, 4], [0, 0, 0], [1, 0, 0]], dtype=np.float32)
FIELDS = [SparseVectors(csr_array(ROWS)), DenseVectors(ROWS), Numbers(np.array([0.5, np.nan, 0], np.float32))]


@pytest.mark.parametrize("vectors", FIELDS, ids=lambda vectors: type(vectors).__name__)
def test_an_item_without_a_value_is_known_as_such_and_similar_to_nothing(vectors):
    assert vectors.known.tolist() == [True, False, True]
    assert (vectors.log_amounts > 0).tolist() == [True, False, True]
    products = vectors.product_index().similarities(vectors.array)
    assert not products[1].any()
    np.testing.assert_allclose(vectors.self_products(), np.diag(products))
    assert not vectors.cosine_index(1.0).similarities(vectors.array)[1].any()


@pytest.mark.parametrize("vectors", FIELDS, ids=lambda vectors: type(vectors).__name__)
def test_items_are_taken_and_stacked(vectors):
    again = type(vectors).stacked([vectors.take(np.array([0, 1])), vectors.take(np.array([2]))])
    assert len(again) == 3
    assert again.form == vectors.form == FieldForm(type(vectors), again.width)
    np.testing.assert_array_equal(again.stored, vectors.stored)


def test_amounts_of_sparse_vectors_are_logarithms_of_their_features():
    np.testing.assert_allclose(FIELDS[0].log_amounts, np.log([3, 1, 2]))
