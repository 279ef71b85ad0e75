"""Histories times dense weights against SciPy's product."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import isotherm.linalg.products as linalg_products
from isotherm.linalg.products import (
    fill_products,
    fill_table_products,
    products,
    sparse_products,
    table_products,
)


def histories(n_users, n_items, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.uniform(0.5, 2, (n_users, n_items)) * (rng.random((n_users, n_items)) < 0.2)
    return csr_array(x.astype(np.float32))


@pytest.fixture(params=[1, 3])
def threads(request, monkeypatch):
    """Work is shared among so many threads, however little it is."""
    monkeypatch.setattr(linalg_products, "_BAND_BYTES", 1)
    monkeypatch.setattr(linalg_products, "thread_count", lambda: request.param)


@pytest.mark.usefixtures("threads")
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


@pytest.mark.usefixtures("threads")
def test_a_user_gets_the_same_to_the_last_bit_whoever_is_asked_for_beside_him():
    x, n_columns = histories(150, 40), 2 * 2**15 + 3
    weights = np.random.default_rng(3).standard_normal((40, n_columns)).astype(np.float32)
    together = products(x, weights)
    for first, last in ((0, 1), (149, 150), (17, 60), (10, 12)):
        np.testing.assert_array_equal(products(x[first:last], weights), together[first:last])


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("n_items", [1, 3, 64, 203])
@pytest.mark.parametrize("width", [1, 7, 130])
@pytest.mark.parametrize("n_users", [37, 300])
def test_products_with_a_table_are_those_of_each_row_alone(n_users, n_items, width):
    rng = np.random.default_rng(4)
    rows, table = (rng.standard_normal((n, width)).astype(np.float32) for n in (n_users, n_items))
    found = table_products(rows, table)
    np.testing.assert_allclose(found, rows.astype(float) @ table.T, atol=1e-4)
    for row in (0, 1, 36):
        np.testing.assert_array_equal(table_products(rows[[row]], table)[0], found[row])
    np.testing.assert_array_equal(table_products(rows[5:14], table), found[5:14])
    assert table_products(rows[:0], table).shape == (0, n_items)
    assert table_products(rows, table[:0]).shape == (n_users, 0)


@pytest.mark.parametrize("n_users", [3, 100])
def test_products_with_a_table_can_fill_some_columns(n_users):
    rng = np.random.default_rng(6)
    rows, table = rng.random((n_users, 5), np.float32), rng.random((7, 5), np.float32)
    out = np.full((n_users, 9), 7, dtype=np.float32)
    columns = np.array([8, 0, 3, 1, 7, 5, 6])
    fill_table_products(rows, table, columns, out)
    np.testing.assert_array_equal(out[:, columns], table_products(rows, table))
    assert (out[:, [2, 4]] == 7).all()


@pytest.mark.parametrize("n_users", [1, 40])
def test_products_with_sparse_weights_are_added_click_by_click(n_users):
    rng = np.random.default_rng(3)
    histories = csr_array((rng.random((n_users, 30)) < 0.3) * rng.random((n_users, 30)), dtype=np.float32)
    weights = csr_array((rng.random((30, 50)) < 0.2) * rng.standard_normal((30, 50)), dtype=np.float32)
    found = sparse_products(histories, weights)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, (histories @ weights).toarray())
