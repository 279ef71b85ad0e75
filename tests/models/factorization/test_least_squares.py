"""The small systems of rows against NumPy's solver."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import threads
from isotherm.models.factorization.least_squares import HeldFactors, inner_products, solve_rows

N_ROWS, N_COLUMNS, WIDTH = 12, 9, 5


def literal(x, factors, gram, ridge, targets, gram_scales, right):
    rows = []
    for r in range(N_ROWS):
        left = gram_scales[r] * gram + ridge[r] * np.eye(WIDTH) + (factors.T * x[r]) @ factors
        rows.append(np.linalg.solve(left, right[r] + x[r] @ targets))
    return np.array(rows)


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, (N_ROWS, N_COLUMNS)) * (rng.random((N_ROWS, N_COLUMNS)) < 0.6)
    x[4] = 0  # a row without a click
    factors = rng.standard_normal((N_COLUMNS, WIDTH))
    return {
        "x": x,
        "factors": factors,
        "gram": factors.T @ factors,
        "ridge": rng.uniform(0.1, 1, N_ROWS),
        "targets": rng.standard_normal((N_COLUMNS, WIDTH)),
        "gram_scales": rng.uniform(0.5, 2, N_ROWS),
        "right": rng.standard_normal((N_ROWS, WIDTH)),
    }


@pytest.mark.parametrize("weight", [1.0, 1e7])  # heavy clicks are solved in float64
def test_rows_are_solved_with_all_that_a_system_may_have(case, weight):
    case["x"] = weight * case["x"]
    single = {name: np.float32(array) for name, array in case.items()}
    held = HeldFactors.of(single.pop("factors"), 1.0).with_gram(single.pop("gram"))
    found = solve_rows(csr_array(single.pop("x")), held, **single)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, literal(**case), rtol=2e-3, atol=2e-4)


def test_what_is_left_out_is_the_plain_least_squares(case):
    plain = case | {"targets": case["factors"], "gram_scales": np.ones(N_ROWS), "right": 0 * case["right"]}
    x, factors, ridge = (np.float32(case[name]) for name in ("x", "factors", "ridge"))
    found = solve_rows(csr_array(x), HeldFactors.of(factors, 1.0), ridge)
    np.testing.assert_allclose(found, literal(**plain), rtol=2e-3, atol=2e-4)
    assert not found[4].any()


def test_a_row_is_solved_alike_whatever_stands_beside_it(case):
    x, factors, ridge = (np.float32(case[name]) for name in ("x", "factors", "ridge"))
    held, right = HeldFactors.of(factors, 1.0), np.float32(case["right"])
    x[2] *= 1e7  # solved in float64, the others are not
    together = solve_rows(csr_array(x), held, ridge, right=right)
    for row in range(N_ROWS):
        alone = solve_rows(csr_array(x[[row]]), held, ridge[[row]], right=right[[row]])
        np.testing.assert_array_equal(alone[0], together[row])
    assert np.array_equal(right, np.float32(case["right"]))  # what is given stays


@pytest.mark.parametrize("n_clicks", [15, 16, 17, 255, 256, 257, 600])
@pytest.mark.parametrize("width", [1, 2, 3, 6, 17])
def test_however_many_clicks_a_row_has(n_clicks, width):
    """They are gathered a part at a time, into arrays that are wider than the factors."""
    rng = np.random.default_rng(n_clicks)
    x = rng.uniform(0.5, 2, (5, 600)) * (np.argsort(rng.random((5, 600))) < n_clicks)
    x[2, 3:] = 0  # a short row after a long one
    factors, targets = rng.standard_normal((600, width)), rng.standard_normal((600, width))
    ridge, matrix = rng.uniform(0.5, 1, 5), csr_array(x.astype(np.float32))
    held = HeldFactors.of(factors.astype(np.float32), 0.1)
    for wanted, given in ((factors, None), (targets, targets.astype(np.float32))):
        left = [
            0.1 * factors.T @ factors + l2 * np.eye(width) + (factors.T * r) @ factors
            for l2, r in zip(ridge, x, strict=True)
        ]
        expected = np.array([np.linalg.solve(a, r @ wanted) for a, r in zip(left, x, strict=True)])
        found = solve_rows(matrix, held, ridge.astype(np.float32), given)
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize("n", [0, 1, 255, 512, 513, 40_000])
@pytest.mark.parametrize("width", [1, 3, 8, 19])
def test_inner_products_are_the_dense_ones_on_every_number_of_threads(n, width, monkeypatch):
    factors = np.random.default_rng(n).standard_normal((n, width)).astype(np.float32)
    found = inner_products(factors)
    np.testing.assert_allclose(found, factors.T.astype(float) @ factors, rtol=1e-4, atol=1e-3 + 2e-6 * n)
    np.testing.assert_array_equal(found, found.T)
    for threads_used in (1, 3):
        monkeypatch.setattr(threads, "thread_count", lambda t=threads_used: t)
        np.testing.assert_array_equal(inner_products(factors), found)
