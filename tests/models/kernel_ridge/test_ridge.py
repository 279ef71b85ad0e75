"""Kernel ridge against the literal formulas: columns, explained variance, leave-one-out, landmarks."""

import numpy as np
import pytest

from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.models.kernel_ridge import ridge as ridge_module
from isotherm.models.kernel_ridge.ridge import ExactRidge, LandmarkKernels, LandmarkRidge, RidgeFitter
from tests.features.test_metadata_kernel import table
from tests.reference import kernel_ridge as reference


@pytest.fixture
def case():
    """Thirty items that may be trained on, ten that are asked about, K among them all in float64."""
    items = table(np.random.default_rng(7), 40)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    weights = np.random.default_rng(8).random(len(kernel.terms) + 1) + 0.1
    dense = np.tensordot(weights[:-1], kernel.index(encoded).by_term(encoded).astype(np.float64), 1)
    return kernel, encoded, weights, dense + weights[-1]


def exact(case, training_items, ridge=0.7):
    kernel, encoded, weights, _ = case
    training = encoded.take(training_items)
    compared = kernel.index(training).weighted(weights)
    return ExactRidge.fitted(compared, compared.rows(training), ridge, 30, training_items)


def nystrom(case, landmarks):
    kernel, encoded, weights, _ = case
    landmarks = encoded.take(landmarks)
    compared = kernel.index(landmarks).weighted(weights)
    among = LandmarkKernels.of(compared, encoded.take(np.arange(30)), landmarks)
    return LandmarkRidge.fitted(compared, among, 0.7, 30, np.arange(30))


@pytest.mark.parametrize("training", [np.arange(30), np.arange(0, 30, 2)], ids=["all", "half"])
def test_columns_and_explained_variance_are_the_literal_ones(case, training):
    _, encoded, _, dense = case
    columns = exact(case, training).columns(encoded.take(np.arange(30, 40)))
    among = dense[np.ix_(training, training)]
    for query, j in enumerate(range(30, 40)):
        expected = np.zeros(30)
        expected[training] = reference.solved(among, 0.7, dense[training, j])
        np.testing.assert_allclose(columns.weights[:, query], expected, atol=1e-5)
        variance = reference.posterior_variance(among, 0.7, dense[training, j], dense[j, j])
        assert columns.explained_variance[query] == pytest.approx(1 - variance / dense[j, j], abs=1e-5)


@pytest.mark.parametrize("training", [np.arange(30), np.arange(0, 30, 2)], ids=["all", "half"])
def test_left_out_columns_are_those_of_a_ridge_that_never_saw_the_item(case, training):
    _, encoded, _, dense = case
    items = np.array([0, 3, 8])
    y = np.random.default_rng(0).standard_normal(30)
    left_out = exact(case, training).left_out()
    columns = left_out.columns(encoded.take(items), items)
    known = encoded.take(np.arange(30))
    predictions = left_out.predictions(y[None, :].astype(np.float32), known)[0]
    by_diagonal = exact(case, training).left_out_predictions(y.astype(np.float32), known)
    np.testing.assert_allclose(by_diagonal, predictions, atol=1e-5)
    variances = left_out.explained_variance(known)
    for query, j in enumerate(items):
        others = training[training != j]
        among = dense[np.ix_(others, others)]
        literal = y[others] @ reference.solved(among, 0.7, dense[others, j])
        assert y[training] @ columns.weights[:, query] == pytest.approx(literal, abs=1e-4)
        assert predictions[j] == pytest.approx(literal, abs=1e-4)
        variance = reference.posterior_variance(among, 0.7, dense[others, j], dense[j, j])
        assert columns.explained_variance[query] == pytest.approx(1 - variance / dense[j, j], abs=1e-4)
        assert variances[j] == pytest.approx(1 - variance / dense[j, j], abs=1e-4)


def test_items_are_left_out_of_landmarks_as_of_the_exact_ridge(case):
    known, items = case[1].take(np.arange(30)), np.array([0, 3, 8])
    y = np.random.default_rng(2).standard_normal((2, 30)).astype(np.float32)
    landmark, expected = (
        ridge.left_out() for ridge in (nystrom(case, np.arange(30)), exact(case, np.arange(30)))
    )
    np.testing.assert_allclose(landmark.predictions(y, known), expected.predictions(y, known), atol=2e-2)
    queries = known.take(items)
    found, exactly = landmark.columns(queries, items), expected.columns(queries, items)
    np.testing.assert_allclose(y @ found.weights, y @ exactly.weights, atol=2e-2)
    np.testing.assert_allclose(found.explained_variance, exactly.explained_variance, atol=2e-2)


def test_ridges_of_a_path_are_those_of_one_r_each(case):
    kernel, encoded, weights, _ = case
    known, training_items = encoded.take(np.arange(30)), np.arange(0, 30, 2)
    queries = encoded.take(np.arange(30, 40))
    for exact_items in (15, 14):
        fitter = RidgeFitter(kernel, weights, weights / 2, exact_items, 6, seed=0)
        path = fitter.taste_path(known, training_items)
        for r, last in ((0.5, False), (2.0, False), (0.5, True)):
            np.testing.assert_array_equal(
                path.at(r, last).columns(queries).weights,
                fitter.taste(known, training_items, r).columns(queries).weights,
            )
        with pytest.raises(AssertionError):
            path.at(0.5)


def test_dual_coefficients_give_the_same_prediction_as_columns(case):
    _, encoded, _, _ = case
    y = np.random.default_rng(1).standard_normal(30).astype(np.float32)
    queries = encoded.take(np.arange(30, 40))
    for ridge in (exact(case, np.arange(0, 30, 2)), nystrom(case, np.arange(0, 30, 3))):
        np.testing.assert_allclose(
            ridge.kernel_rows(queries) @ ridge.dual_coefficients(y),
            y @ ridge.columns(queries).weights,
            atol=1e-3,
        )


def test_every_item_a_landmark_is_the_exact_ridge(case):
    queries = case[1].take(np.arange(30, 40))
    y = np.random.default_rng(1).standard_normal(30)
    landmark, expected = (
        ridge.columns(queries) for ridge in (nystrom(case, np.arange(30)), exact(case, np.arange(30)))
    )
    np.testing.assert_allclose(y @ landmark.weights, y @ expected.weights, atol=5e-3)
    np.testing.assert_allclose(landmark.explained_variance, expected.explained_variance, atol=5e-3)


def test_the_fitter_is_exact_up_to_its_bound_and_draws_landmarks_past_it(case):
    kernel, encoded, weights, _ = case
    known, training_items = encoded.take(np.arange(30)), np.arange(0, 30, 2)
    few, many = (RidgeFitter(kernel, weights, weights / 2, exact, 6, seed=0) for exact in (15, 14))
    assert isinstance(few.taste(known, training_items, 0.7), ExactRidge)
    assert isinstance(many.taste(known, training_items, 0.7), LandmarkRidge)
    assert few.landmark_items(training_items).tolist() == training_items.tolist()
    drawn = many.landmark_items(training_items)
    assert len(drawn) == 6
    assert np.isin(drawn, training_items).all()
    queries = encoded.take(np.arange(30, 40))
    np.testing.assert_array_equal(
        few.taste(known, training_items, 0.7).columns(queries).weights,
        exact(case, training_items).columns(queries).weights,
    )


def test_popularity_is_learned_on_some_of_the_landmarks(case, monkeypatch):
    monkeypatch.setattr(ridge_module, "_POPULARITY_ITEMS", 4)
    kernel, encoded, weights, _ = case
    known, landmarks = encoded.take(np.arange(30)), np.arange(0, 30, 2)
    popularity = RidgeFitter(kernel, weights, weights, 15, 6, seed=0).popularity(known, landmarks)
    assert len(popularity.training_items_) == 5  # a third of fifteen is more than four
    assert np.isin(popularity.training_items_, landmarks).all()
    y = np.random.default_rng(1).standard_normal(30).astype(np.float32)
    queries = encoded.take(popularity.training_items_)  # within the range of the numbers of both
    compared = kernel.index(encoded.take(landmarks)).weighted(weights)
    np.testing.assert_allclose(
        compared.rows(queries) @ popularity.coefficients_of(y, landmarks),
        popularity.kernel_rows(queries) @ popularity.dual_coefficients(y),
        rtol=1e-4,
    )


class LowRank:
    """A kernel of rank two, of items that are rows of numbers."""

    def __init__(self, vectors, n_landmarks):
        self.vectors, self.landmarks = vectors, vectors[:n_landmarks]

    def rows(self, queries):
        return queries @ self.landmarks.T


def test_landmarks_solve_where_the_kernel_is_of_low_rank():
    """In float32 the sum of squares of its rows would not be positive definite."""
    n, n_landmarks = 3_100, 1_500
    vectors = np.random.default_rng(0).random((n, 2)).astype(np.float32)
    kernel = LowRank(vectors, n_landmarks)
    among = LandmarkKernels.of(kernel, Rows(vectors), kernel.landmarks)
    ridge = LandmarkRidge.fitted(kernel, among, 0.5, n, np.arange(n))
    assert np.isfinite(ridge.dual_coefficients(np.ones(n, dtype=np.float32))).all()
    in_float32 = (ridge.to_landmarks_.T @ ridge.to_landmarks_).astype(np.float64)
    in_float32.flat[:: n_landmarks + 1] += 1e-5 * np.trace(in_float32) / n_landmarks
    with pytest.raises(np.linalg.LinAlgError):
        np.linalg.cholesky(in_float32)


class Rows:
    """Items that are taken as arrays are indexed."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def take(self, rows):
        return self.rows[rows]
