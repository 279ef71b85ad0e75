"""Kernel ridge against the literal formulas: columns, certainty, leave-one-out, landmarks."""

import numpy as np
import pytest

from isotherm.features.kernels import MetadataKernel
from isotherm.models.kernel_ridge.ridge import ExactRidge, LandmarkRidge
from tests.features.test_kernels import table
from tests.reference import kernel_ridge as reference


@pytest.fixture
def case():
    """Thirty items that may teach, ten that are asked about, K among them all in float64."""
    items = table(np.random.default_rng(7), 40)
    kernel = MetadataKernel().fit(items)
    encoded = kernel.encode(items)
    weights = np.random.default_rng(8).random(len(kernel.terms) + 1) + 0.1
    dense = np.tensordot(weights[:-1], kernel.index(encoded).by_term(encoded).astype(np.float64), 1)
    return kernel, encoded, weights, dense + weights[-1]


def fitted(case, teaching, ridge=0.7):
    kernel, encoded, weights, _ = case
    known = encoded.take(teaching)
    return ExactRidge.fitted(kernel.index(known).weighted(weights), known, ridge, 30, teaching)


@pytest.mark.parametrize("teaching", [np.arange(30), np.arange(0, 30, 2)], ids=["all", "half"])
def test_columns_and_certainty_are_the_literal_ones(case, teaching):
    _, encoded, _, dense = case
    columns, certainty = fitted(case, teaching).columns(encoded.take(np.arange(30, 40)))
    among = dense[np.ix_(teaching, teaching)]
    for place, j in enumerate(range(30, 40)):
        expected = np.zeros(30)
        expected[teaching] = reference.solved(among, 0.7, dense[teaching, j])
        np.testing.assert_allclose(columns[:, place], expected, atol=1e-5)
        variance = reference.posterior_variance(among, 0.7, dense[teaching, j], dense[j, j])
        assert certainty[place] == pytest.approx(1 - variance / dense[j, j], abs=1e-5)


@pytest.mark.parametrize("teaching", [np.arange(30), np.arange(0, 30, 2)], ids=["all", "half"])
def test_left_out_columns_are_those_of_a_ridge_that_never_saw_the_item(case, teaching):
    _, encoded, _, dense = case
    rows = np.array([0, 3, 8])
    y = np.random.default_rng(0).standard_normal(30)
    columns, certainty = fitted(case, teaching).left_out(encoded.take(rows), rows)
    for place, j in enumerate(rows):
        others = teaching[teaching != j]
        among = dense[np.ix_(others, others)]
        literal = y[others] @ reference.solved(among, 0.7, dense[others, j])
        assert y @ columns[:, place] == pytest.approx(literal, abs=1e-4)
        variance = reference.posterior_variance(among, 0.7, dense[others, j], dense[j, j])
        assert certainty[place] == pytest.approx(1 - variance / dense[j, j], abs=1e-4)


def test_solve_and_rows_give_the_same_prediction_as_columns(case):
    _, encoded, _, _ = case
    y = np.random.default_rng(1).standard_normal(30).astype(np.float32)
    queries = encoded.take(np.arange(30, 40))
    kernel, encoded, weights, _ = case
    landmarks = encoded.take(np.arange(0, 30, 3))
    nystrom = LandmarkRidge.fitted(
        kernel.index(landmarks).weighted(weights),
        encoded.take(np.arange(30)),
        landmarks,
        0.7,
        30,
        np.arange(30),
    )
    for ridge in (fitted(case, np.arange(0, 30, 2)), nystrom):
        np.testing.assert_allclose(
            ridge.rows(queries) @ ridge.solve(y), y @ ridge.columns(queries)[0], atol=1e-3
        )


def test_every_item_a_landmark_is_the_exact_ridge(case):
    kernel, encoded, weights, _ = case
    known, queries = encoded.take(np.arange(30)), encoded.take(np.arange(30, 40))
    nystrom = LandmarkRidge.fitted(
        kernel.index(known).weighted(weights), known, known, 0.7, 30, np.arange(30)
    )
    exact = fitted(case, np.arange(30))
    y = np.random.default_rng(1).standard_normal(30)
    np.testing.assert_allclose(y @ nystrom.columns(queries)[0], y @ exact.columns(queries)[0], atol=5e-3)
    np.testing.assert_allclose(nystrom.columns(queries)[1], exact.columns(queries)[1], atol=5e-3)
