"""The Gram matrix equals the dense product, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm.linalg.csr import row_blocks
from isotherm.linalg.gram import gram


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 90), st.integers(1, 60), st.integers(1, 40), st.booleans())
def test_gram_equals_dense_product(seed, n_users, n_items, rows, weighted):
    rng = np.random.default_rng(seed)
    x = (rng.random((n_users, n_items)) < 0.2) * (
        rng.uniform(0.5, 2, (n_users, n_items)) if weighted else 1.0
    )
    matrix = csr_array(x.astype(np.float32))
    product = gram(row_blocks(matrix, rows), n_items)
    assert product.dtype == np.float32
    np.testing.assert_allclose(product, x.T @ x, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(product, product.T)


@pytest.mark.parametrize("n_items", [63, 64, 65, 200])
def test_gram_in_float64_is_exact_for_counts(n_items):
    x = (np.random.default_rng(0).random((50, n_items)) < 0.3).astype(np.float64)
    product = gram([csr_array(x)], n_items, np.float64)
    np.testing.assert_array_equal(product, x.T @ x)
