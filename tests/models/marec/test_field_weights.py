"""The weighted least squares for μ against the literal one over all cells."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.marec.field_weights import NormalEquations, normal_equations
from tests.conftest import random_clicks
from tests.models.marec.small import random_items
from tests.reference import marec as reference


@pytest.mark.parametrize("nonclick_weight", [0.1, 1.0])
@pytest.mark.parametrize("columns", [np.arange(12), np.array([1, 4, 9])], ids=["all", "some"])
def test_equations_are_those_of_the_cells(columns, nonclick_weight):
    rng = np.random.default_rng(2)
    x = random_clicks(rng, 40, 12, 0.3)
    items, (hot, year, vectors) = random_items(rng, 12)
    similarity = MetadataSimilarity.fitted(items, shrinkage=2.0, second_order=False)
    encoded, x32 = similarity.encode(items), x.astype(np.float32)
    equations = normal_equations(
        csr_array(x32),
        x32.T @ x32,
        similarity.index(encoded),
        encoded.take(columns),
        columns,
        nonclick_weight,
    )
    terms = [reference.eq3_smoothed_cosine(hot, 2.0), reference.closeness(year)]
    terms.append(reference.eq3_smoothed_cosine(vectors, 2.0))
    predictors = np.stack([*((x @ t)[:, columns].ravel() for t in terms), np.ones(40 * len(columns))], axis=1)
    target = x[:, columns].ravel()
    weights = np.where(target > 0, 1.0, nonclick_weight)
    matrix = (predictors * weights[:, None]).T @ predictors
    np.testing.assert_allclose(equations.matrix, matrix, rtol=1e-3, atol=1e-3 * np.abs(matrix).max())
    np.testing.assert_allclose(equations.target, (predictors * weights[:, None]).T @ target, rtol=1e-3)


def test_a_term_that_does_not_vary_gets_no_weight():
    """Its column is the intercept's, but for rounding."""
    matrix = np.array([[4.0, 0.5, 2.0], [0.5, 3.0, 0.0], [2.0, 0.0, 1.0]])
    weights = NormalEquations(matrix, np.array([2.0, 1.0, 1.0])).solve(non_negative=False)
    assert weights[0] == 0
    assert weights[1] == pytest.approx(1 / 3)


def test_weights_may_be_held_at_or_above_zero():
    equations = NormalEquations(np.diag([1.0, 2.0, 1.0]), np.array([-1.0, 4.0, 0.0]))
    np.testing.assert_allclose(equations.solve(non_negative=False), [-1, 2])
    np.testing.assert_allclose(equations.solve(non_negative=True), [0, 2], atol=1e-12)
