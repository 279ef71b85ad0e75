"""Two steps of each row against the literal ones, and where many of them lead."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import threads
from isotherm.models.factorization.conjugate_gradient import improve_rows
from isotherm.models.factorization.least_squares import HeldFactors, solve_rows
from tests.reference.ials import two_steps

W = 0.3


@pytest.fixture(params=[1, 5, 8])
def case(request):
    rng = np.random.default_rng(request.param)
    x = rng.uniform(0.5, 2, (60, 23)) * (rng.random((60, 23)) < 0.4)
    x[4] = 0  # a row without a click
    factors = rng.standard_normal((23, request.param)).astype(np.float32)
    start = rng.standard_normal((60, request.param)).astype(np.float32)
    ridge = rng.uniform(0.1, 1, 60).astype(np.float32)
    return csr_array(x.astype(np.float32)), factors, ridge, start


def shares(matrix):
    sums = matrix.sum(axis=0)
    return np.float32(sums / sums.sum())


def more(case, seed=9):
    """Everything that a system may have besides."""
    matrix, factors, _, start = case
    rng = np.random.default_rng(seed)
    return {
        "targets": rng.standard_normal(factors.shape).astype(np.float32),
        "gram_scales": rng.uniform(0.5, 2, matrix.shape[0]).astype(np.float32),
        "right": rng.standard_normal(start.shape).astype(np.float32),
    }


def test_two_steps_are_the_literal_ones(case):
    matrix, factors, ridge, start = case
    found = improve_rows(matrix, HeldFactors.of(factors, W), ridge, start, shares(matrix))
    expected = two_steps(matrix.toarray().astype(float), factors.astype(float), ridge, W, start.astype(float))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("full", [False, True])
def test_steps_lead_to_the_exact_solution_and_stay_there(case, full):
    matrix, factors, ridge, rows = case
    held, settings = HeldFactors.of(factors, W), more(case) if full else {}
    exact = solve_rows(matrix, held, ridge, **settings)
    given = {name: array.copy() for name, array in settings.items()}
    for _ in range(40):
        rows = improve_rows(matrix, held, ridge, rows, shares(matrix), **settings)
    np.testing.assert_allclose(rows, exact, rtol=1e-3, atol=1e-4)
    for name, array in settings.items():
        np.testing.assert_array_equal(array, given[name])


@pytest.mark.parametrize("full", [False, True])
def test_no_step_leads_away_from_the_solution(case, full):
    matrix, factors, ridge, start = case
    held, settings = HeldFactors.of(factors, W), more(case) if full else {}
    exact = solve_rows(matrix, held, ridge, **settings).astype(float)
    x, scales = matrix.toarray(), settings.get("gram_scales", np.ones(len(start)))

    def distances(rows):  # in the norm of each row's system, which conjugate gradients lower
        away = rows - exact
        shared = scales * np.einsum("ri,ij,rj->r", away, held.gram, away) + ridge * (away**2).sum(axis=1)
        return shared + (x * (away @ factors.T) ** 2).sum(axis=1)

    after = improve_rows(matrix, held, ridge, start, shares(matrix), **settings)
    assert (distances(after) < distances(start)).all()


def test_a_row_is_moved_alike_whatever_stands_beside_it_and_on_every_number_of_threads(case, monkeypatch):
    matrix, factors, ridge, start = case
    held, settings = HeldFactors.of(factors, W), more(case)
    together = improve_rows(matrix, held, ridge, start, shares(matrix), **settings)
    for n in (1, 3):
        monkeypatch.setattr(threads, "thread_count", lambda n=n: n)
        again = improve_rows(matrix, held, ridge, start, shares(matrix), **settings)
        np.testing.assert_array_equal(again, together)
    for rows in (slice(7, 8), slice(20, 41)):
        own = {"targets": settings["targets"]} | {
            name: settings[name][rows] for name in ("gram_scales", "right")
        }
        some = improve_rows(matrix[rows], held, ridge[rows], start[rows], shares(matrix), **own)
        np.testing.assert_array_equal(some, together[rows])


def test_rows_that_are_too_coarse_for_float32_are_solved(case):
    matrix, factors, ridge, start = case
    heavy = csr_array(
        matrix.toarray() * np.where(np.arange(60) == 7, np.float32(1e7), np.float32(1))[:, None]
    )
    held, settings = HeldFactors.of(factors, W), more(case)
    found = improve_rows(heavy, held, ridge, start, shares(matrix), **settings)
    np.testing.assert_array_equal(found[7], solve_rows(heavy, held, ridge, **settings)[7])
    light = improve_rows(matrix, held, ridge, start, shares(matrix), **settings)
    others = np.arange(60) != 7
    np.testing.assert_array_equal(found[others], light[others])
