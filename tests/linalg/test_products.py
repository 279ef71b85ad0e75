"""Histories times dense weights against SciPy's product."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.linalg.products import fill_products, products


def histories(n_users, n_items, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 2, (n_users, n_items)) * (rng.random((n_users, n_items)) < 0.2)
    return csr_array(x.astype(np.float32))


@pytest.mark.parametrize("n_users", [1, 7, 200])  # few users share out the columns, many the rows
@pytest.mark.parametrize("n_columns", [1, 256, 700])
def test_products_equal_the_dense_ones(n_users, n_columns):
    x = histories(n_users, 30)
    weights = np.random.default_rng(1).standard_normal((30, n_columns)).astype(np.float32)
    np.testing.assert_allclose(products(x, weights), x.toarray() @ weights, atol=1e-4)


@pytest.mark.parametrize("n_users", [3, 100])
def test_an_item_without_a_row_gives_nothing_and_other_columns_stay(n_users):
    x = histories(n_users, 12)
    row_of = np.full(12, -1, dtype=np.int32)
    rows = np.array([1, 4, 5, 9])
    row_of[rows] = [2, 0, 3, 1]
    weights = np.random.default_rng(2).standard_normal((4, 5)).astype(np.float32)
    out = np.full((n_users, 8), 7, dtype=np.float32)
    fill_products(x, row_of, weights, np.array([6, 0, 3, 1, 7]), out)
    expected = np.full((n_users, 8), 7.0)
    expected[:, [6, 0, 3, 1, 7]] = x.toarray()[:, rows] @ weights[[2, 0, 3, 1]]
    np.testing.assert_allclose(out, expected, atol=1e-4)
