"""G of eq. 5 against its literal version."""

import numpy as np
import pytest

from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.marec.similarity import WeightedSimilarity
from tests.models.marec.small import random_items
from tests.reference import marec as reference


@pytest.fixture
def problem():
    """The similarity with random μ, the encoded items, and the terms of eq. 5."""
    rng = np.random.default_rng(1)
    items, (hot, year, vectors) = random_items(rng, 15)
    similarity = MetadataSimilarity.fitted(items, shrinkage=2.0)
    encoded = similarity.encode(items)
    by_field = [reference.eq3_smoothed_cosine(hot, 2.0), reference.closeness(year)]
    by_field.append(reference.eq3_smoothed_cosine(vectors, 2.0))
    terms = reference.eq5_terms(by_field, True)
    importance = rng.standard_normal(len(terms))
    return WeightedSimilarity(similarity.index(encoded), importance), encoded, terms


def test_rows_are_the_weighted_terms_and_nothing_to_themselves(problem):
    weighted, encoded, terms = problem
    rows = weighted.rows(encoded, np.arange(15))
    expected = sum(m * t for m, t in zip(weighted.importance, terms, strict=True))
    np.testing.assert_allclose(rows, expected, atol=1e-5)


def test_products_of_the_terms_add_up_to_that_of_the_row(problem):
    weighted, encoded, _ = problem
    items = encoded.take(np.array([4, 2]))
    vectors = np.linspace(-1, 1, 45, dtype=np.float32).reshape(3, 15)
    products = weighted.term_products(items, vectors)
    assert products.shape == (*weighted.importance.shape, 3, 2)
    np.testing.assert_allclose(products.sum(axis=0), vectors @ weighted.rows(items).T, atol=1e-4)
    apart = weighted.term_products(items, vectors, np.array([4, 2]))
    expected = vectors @ weighted.rows(items, np.array([4, 2])).T
    np.testing.assert_allclose(apart.sum(axis=0), expected, atol=1e-4)


def test_metadata_of_new_items_makes_their_features_when_asked(problem):
    weighted, encoded, _ = problem
    new = weighted.metadata(encoded.take(np.array([3, 7])))
    np.testing.assert_array_equal(new.similarities, weighted.rows(encoded)[[3, 7]])
    np.testing.assert_allclose(new.features().toarray(), weighted.features(encoded)[[3, 7]].toarray())
