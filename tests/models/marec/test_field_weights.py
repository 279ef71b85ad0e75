"""The weighted least squares for μ against the literal one over all cells."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.marec.field_weights import CellSample, NormalEquations, normal_equations
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


def test_a_sample_of_cells_tells_the_weights_nearly_as_all_cells_do():
    """What a click weighs is the same: the sums stand for those over all cells."""
    rng = np.random.default_rng(4)
    items, _ = random_items(rng, 60)
    x = random_clicks(rng, 400, 60, 0.2)
    similarity = MetadataSimilarity.fitted(items, shrinkage=2.0, second_order=False)
    encoded, x32, columns = similarity.encode(items), x.astype(np.float32), np.arange(60)
    given = csr_array(x32), x32.T @ x32, similarity.index(encoded), encoded, columns, 0.1
    exactly = normal_equations(*given)
    sampled = [normal_equations(*given, CellSample(30, 45, 200, seed)) for seed in range(6)]
    assert len({float(each.target[0]) for each in sampled}) == 6
    for each in sampled:
        assert each.matrix[-1, -1] == pytest.approx(exactly.matrix[-1, -1])
        assert each.target[-1] == pytest.approx(exactly.target[-1])
    matrix = np.mean([each.matrix for each in sampled], axis=0)
    scale = np.sqrt(np.diag(exactly.matrix))
    assert np.abs((matrix - exactly.matrix) / np.outer(scale, scale)).max() < 0.1
    target = np.mean([each.target for each in sampled], axis=0)
    assert np.abs((target - exactly.target) / scale).max() < 0.05 * np.abs(exactly.target / scale).max()


def test_the_columns_of_all_cells_are_among_those_of_clicked_ones():
    """Columns are compared once; fewer clicked ones than of all are no fewer."""
    rng = np.random.default_rng(4)
    items, _ = random_items(rng, 60)
    x32 = random_clicks(rng, 400, 60, 0.2).astype(np.float32)
    similarity = MetadataSimilarity.fitted(items, shrinkage=2.0, second_order=False)
    encoded = similarity.encode(items)
    given = csr_array(x32), x32.T @ x32, similarity.index(encoded), encoded, np.arange(60), 0.1
    fewer, as_many, more = (normal_equations(*given, CellSample(30, n, 400)) for n in (10, 30, 45))
    np.testing.assert_array_equal(fewer.matrix, as_many.matrix)
    assert np.abs(more.matrix - as_many.matrix).max() > 0


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
