"""EASE against the literal formula, and its precision."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm import EASE, Interactions
from isotherm.errors import ParameterError
from tests.conftest import random_clicks
from tests.reference.ease import eq8_weights


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.sampled_from([1.0, 30.0, 500.0]))
def test_weights_equal_the_literal_formula(seed, n_items, l2):
    x = random_clicks(np.random.default_rng(seed), 40, n_items)
    scores = EASE(l2=l2).fit(Interactions.from_csr(x)).score(csr_array(x))
    np.testing.assert_allclose(scores, x @ eq8_weights(x, l2), atol=1e-4)


def test_weighted_clicks_enter_the_gram_matrix():
    x = random_clicks(np.random.default_rng(0), 40, 12) * np.random.default_rng(1).uniform(0.5, 3, (40, 12))
    scores = EASE(l2=5.0).fit(Interactions.from_csr(x)).score(csr_array(x))
    np.testing.assert_allclose(scores, x @ eq8_weights(x, 5.0), atol=1e-4)


def test_too_small_l2_falls_back_to_float64_and_says_so(caplog):
    x = np.ones((20_000, 3), dtype=np.float32)  # three equal columns: a singular Gram matrix
    with caplog.at_level(logging.WARNING):
        scores = EASE(l2=1e-4).fit(Interactions.from_csr(x)).score(csr_array(x[:1]))
    assert "solving in float64" in caplog.text
    np.testing.assert_allclose(scores, 1.0, atol=1e-3)


def test_l2_too_small_even_for_float64_names_the_cure():
    x = np.ones((1000, 3), dtype=np.float32)
    with pytest.raises(ParameterError, match="l2=1e-300 is too small to factorize in float64; raise it"):
        EASE(l2=1e-300, dtype="float64").fit(Interactions.from_csr(x))


@pytest.mark.parametrize("l2", [0, -1, float("nan"), float("inf"), "many", True])
def test_l2_must_be_a_positive_number(l2):
    with pytest.raises(ParameterError, match="l2"):
        EASE(l2=l2)
