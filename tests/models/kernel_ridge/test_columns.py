"""Weight columns from predictions: the formula by hand, and clicked items as though never clicked."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.models.kernel_ridge.columns import (
    LeftOutPredictor,
    Predictions,
    Scales,
    SmoothedColumns,
    Users,
)
from isotherm.models.kernel_ridge.ridge import RidgeFitter
from isotherm.models.kernel_ridge.unrelaxed import Unrelaxed
from tests.features.test_metadata_kernel import table
from tests.reference import kernel_ridge as reference

SCALES = Scales(
    inverse_temperature=2.0,
    popularity_weight=3.0,
    smoothing=0.25,
    ridge=0.7,
    slope=0.5,
    intercept=1.0,
    variance_exponent=2.0,
    cold_scale=4.0,
)


def test_columns_by_hand():
    taste, smoothed = np.float32([[1], [0]]), np.float32([[0], [2]])
    predictions = Predictions(taste, smoothed, np.float32([0.5]), np.float32([0.5]))
    raw = [[2 * 10 * 0.75 * 1 + 3 * 0.5], [2 * 10 * 0.25 * 2 + 3 * 0.5]]
    np.testing.assert_allclose(predictions.raw_columns(SCALES, 10.0), raw)
    np.testing.assert_allclose(SCALES.cold_factor(np.float32([0.5, 1])), [1, 4])
    np.testing.assert_allclose(predictions.columns(SCALES, 10.0), 0.5 * np.array(raw) + 1)
    np.testing.assert_array_equal(taste, [[1], [0]])


def test_sums_over_a_history_are_the_history_times_the_columns():
    rng = np.random.default_rng(0)
    taste, smoothed = rng.random((2, 5, 3)).astype(np.float32)
    history, popularity = np.float32([[1, 1, 0, 1, 0]]), rng.random(3).astype(np.float32)
    columns = SCALES.raw(taste, smoothed, popularity, 4.0)
    sums = SCALES.raw(history @ taste, history @ smoothed, popularity, 4.0, np.float32([[3]]))
    np.testing.assert_allclose(sums, history @ columns, rtol=1e-5)


def test_left_out_columns_are_those_of_models_that_never_saw_the_item():
    items = table(np.random.default_rng(7), 25)
    kernel = MetadataKernel.fitted(items)
    encoded, rng = kernel.encode(items), np.random.default_rng(8)
    weights = rng.random((2, len(kernel.terms) + 1)) + 0.1
    ridges = RidgeFitter(kernel, weights[0], weights[1], exact_items=25, landmarks=1, seed=0)
    every_second = np.arange(0, 25, 2)  # the training items
    log_clicks, ease_weights = rng.random(25).astype(np.float32), relaxed_weights(rng)
    left_out = LeftOutPredictor(
        encoded,
        ridges.taste(encoded, every_second, SCALES.ridge),
        ridges.popularity(encoded, every_second),
        log_clicks,
    )
    asked = np.array([3, 4, 20])
    ((band, columns),) = left_out.columns(SCALES, asked, ease_weights, 10.0)
    assert band.tolist() == [0, 1, 2]
    terms = kernel.index(encoded).by_term(encoded).astype(np.float64)
    taste, popularity = (np.tensordot(w[:-1], terms, 1) + w[-1] for w in weights)
    for query, j in enumerate(asked):
        others = every_second[every_second != j]
        among = np.ix_(others, others)
        expected = reference.cold_column(
            SCALES,
            ease_weights,
            (taste[among], taste[others, j], taste[j, j], others),
            (popularity[among], popularity[others, j], log_clicks[others]),
            10.0,
        )
        histories = csr_array(np.float32([[0, 1, 1, 0, 1], [1, 1, 0, 0, 1]]).repeat(5, axis=1))
        histories = csr_array(histories.toarray() * (np.arange(25) != j))
        users = Users.of(histories, ease_weights)
        scores = left_out.scores(SCALES, users, 10.0)[:, j]
        assert scores == pytest.approx(histories @ expected, rel=2e-3)
        expected[j] = 0
        assert columns[:, query] == pytest.approx(expected, abs=2e-3 * np.abs(expected).max())


def relaxed_weights(rng, n=25):
    weights = rng.random((n, n)).astype(np.float32)
    np.fill_diagonal(weights, 0.3 * rng.random(n))
    return weights


def test_few_rows_of_z_are_smoothed_as_all_are():
    class Half:
        n_items, training_items_ = 6, np.array([1, 2, 5])

        def among_all_items(self, rows):
            raise AssertionError("the zeros between the rows are not needed")

    weights, rows = relaxed_weights(np.random.default_rng(0), 6), np.random.default_rng(1).random((3, 2))
    of_all = np.zeros((6, 2))
    of_all[Half.training_items_] = rows
    smoothed = SmoothedColumns(weights, Half()).of(rows)
    np.testing.assert_allclose(smoothed, Unrelaxed.of(weights).times(weights, of_all), rtol=1e-6)
