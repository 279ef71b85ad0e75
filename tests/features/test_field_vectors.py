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
    itself = vectors.product_index().self_similarities(vectors.array)
    np.testing.assert_allclose(itself, np.diag(products))
    assert not vectors.cosine_index(1.0).similarities(vectors.array)[1].any()


@pytest.mark.parametrize("vectors", FIELDS, ids=lambda vectors: type(vectors).__name__)
def test_items_are_taken_and_stacked(vectors):
    again = type(vectors).stacked([vectors.take(np.array([0, 1])), vectors.take(np.array([2]))])
    assert len(again) == 3
    assert again.form == vectors.form == FieldForm(type(vectors), again.width)
    np.testing.assert_array_equal(again.stored, vectors.stored)


def test_amounts_of_sparse_vectors_are_logarithms_of_their_features():
    np.testing.assert_allclose(FIELDS[0].log_amounts, np.log([3, 1, 2]))


def numbers(*values):
    return np.array(values, dtype=np.float32)


def test_numbers_fade_to_nothing_known_beyond_those_they_are_compared_with():
    """The quartiles of 0, 0.1, …, 0.4 are 0.1 and 0.3: f is 0 from 0.6 and from −0.2 on."""
    index = Numbers(numbers(0, 0.1, 0.2, 0.3, 0.4, np.nan)).product_index()
    queries = numbers(0.4, 0.5, 0.6, 0.9, -0.15, np.nan)
    fading = numbers(1, 0.5, 0, 0, 0.25, 1)
    np.testing.assert_allclose(index.fading(queries), fading, atol=1e-6)
    plain = np.nan_to_num(1 - np.abs(queries[:, None] - numbers(0, 0.1, 0.2, 0.3, 0.4, np.nan)))
    np.testing.assert_allclose(index.similarities(queries), fading[:, None] * plain, atol=1e-6)
    np.testing.assert_allclose(index.self_similarities(queries), [1, 0.25, 0, 0, 0.0625, 0], atol=1e-6)


def test_numbers_in_the_range_are_compared_to_the_bit_as_by_closeness_alone():
    rng = np.random.default_rng(0)
    catalogue, queries = rng.random(50).astype(np.float32), rng.random(20).astype(np.float32)
    catalogue[:2] = 0, 1
    similarities = Numbers(catalogue).fading_index(20.0).similarities(queries)
    np.testing.assert_array_equal(similarities, 1 - np.abs(queries[:, None] - catalogue[None]))


@pytest.mark.parametrize("known", [[], [0.5], [0.5, 0.5, 0.5], [0, 1, 1, 1, 1], [0, 1e-40]])
def test_numbers_without_quartiles_fade_over_their_range_or_one(known):
    index = Numbers(numbers(*known, np.nan)).product_index()
    assert np.isfinite(index.fading(numbers(-3, 0.5, 0.75, 9, 1e30, -1e30))).all()
    assert not index.similarities(numbers(-3, 9)).any()
