"""αO = αP·C against dense inverses."""

from dataclasses import replace

import numpy as np
import pytest

from isotherm.linalg.ridge_inverse import RidgeInverse
from isotherm.models.marec.cold_operator import AlignmentOperator
from tests.conftest import random_clicks

ALPHA, L2 = 1.5, 20.0


def problem(rare):
    """The operator, and αP·C as eq. 9 has it."""
    rng = np.random.default_rng(3)
    x = random_clicks(rng, 60, 12, 0.3)
    gram = x.T @ x
    similarities = rng.uniform(0, 0.2, (len(rare), 12)) * (rng.random((len(rare), 12)) < 0.7)
    aligned = np.zeros((12, 12))  # αGD
    aligned[:, rare] = similarities.T
    inverse = RidgeInverse.of(np.linalg.inv(gram + L2 * np.eye(12)), L2)
    operator = AlignmentOperator.without_rare(ALPHA, inverse)
    if len(rare):
        operator = operator.with_rare(np.array(rare), similarities.astype(np.float32))
    expected = ALPHA * np.linalg.inv(gram @ (np.eye(12) + aligned) + L2 * np.eye(12)) @ gram
    return operator, expected


@pytest.mark.parametrize("rare", [[], [2], [0, 5, 11]])
def test_columns_are_those_of_eq_9(rare):
    operator, expected = problem(rare)
    similarities = np.random.default_rng(4).standard_normal((4, 12)).astype(np.float32)
    np.testing.assert_allclose(operator.columns(similarities), similarities @ expected.T, atol=1e-5)


@pytest.mark.parametrize("rare", [[], [0, 5, 11]])
def test_the_projection_of_a_history_gives_the_scores_of_its_columns(rare):
    operator, expected = problem(rare)
    clicked = np.zeros(12, dtype=np.float32)
    clicked[[1, 5, 7]] = [1, 2, 1]
    np.testing.assert_allclose(operator.history_projection(clicked), clicked @ expected, atol=1e-5)


def test_an_item_similar_to_no_rare_one_has_the_column_of_eq_9_too():
    operator, expected = problem([0, 5, 11])
    similarities = np.zeros((1, 12), dtype=np.float32)
    similarities[0, [2, 3]] = [0.5, 0.1]
    np.testing.assert_allclose(operator.columns(similarities), similarities @ expected.T, atol=1e-5)


@pytest.mark.parametrize("rare", [[], [0, 5, 11]])
@pytest.mark.parametrize("smoothing", [0.0, 0.4, 1.0])
def test_a_share_of_the_smoothing_mixes_eq_9_with_similarities_as_they_are(rare, smoothing):
    operator, of_eq_9 = problem(rare)
    operator = replace(operator, smoothing=smoothing)
    expected = smoothing * of_eq_9 + (1 - smoothing) * ALPHA * np.eye(12)
    rows = np.random.default_rng(5).standard_normal((3, 12)).astype(np.float32)
    np.testing.assert_allclose(operator.columns(rows), rows @ expected.T, atol=1e-5)
    np.testing.assert_allclose(operator.history_projection(rows[0]), rows[0] @ expected, atol=1e-5)


def test_without_smoothing_a_column_is_that_of_a_vanishing_l2():
    gram = (lambda x: x.T @ x)(random_clicks(np.random.default_rng(3), 60, 12, 0.3))
    rows = np.random.default_rng(5).standard_normal((3, 12)).astype(np.float32)
    tiny = AlignmentOperator.without_rare(
        ALPHA, RidgeInverse.of(np.linalg.inv(gram + 1e-4 * np.eye(12)), 1e-4)
    )
    operator = replace(problem([])[0], smoothing=0.0)
    np.testing.assert_allclose(operator.columns(rows), tiny.columns(rows), atol=1e-3)
