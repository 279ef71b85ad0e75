"""Poisson regressions against a general optimiser."""

import numpy as np
from scipy.optimize import minimize

from isotherm.linalg.poisson import poisson_rows


def test_poisson_rows_are_the_optimum():
    rng = np.random.default_rng(6)
    hidden = np.tanh(rng.standard_normal((200, 7))).astype(np.float32)
    exposure = rng.uniform(-3, 0, 200).astype(np.float32)
    truth = rng.standard_normal(7)
    counts = rng.poisson(np.exp(exposure + hidden @ truth + 1))[None].astype(np.float32)
    mean, prior = rng.standard_normal(7).astype(np.float32), 3.0
    shares = np.exp(exposure + hidden @ mean)
    target = counts[0] + shares / shares.sum()  # one click more, as the mean item's

    def objective(row):
        logits = hidden @ row[:-1] + row[-1]
        return np.exp(exposure + logits).sum() - target @ logits + prior / 2 * ((row[:-1] - mean) ** 2).sum()

    expected = minimize(objective, np.zeros(8), method="BFGS", options={"gtol": 1e-6}).x
    rows = poisson_rows(hidden, exposure, counts, mean, prior)
    found = np.append(rows.weights[0], rows.bias[0])
    np.testing.assert_allclose(found, expected, atol=1e-2)
    assert objective(found) <= objective(expected) + 1e-2


def test_counts_of_zero_get_the_row_of_one_count_distributed_as_the_mean_row_has_it():
    rng = np.random.default_rng(7)
    hidden = rng.standard_normal((50, 4)).astype(np.float32)
    exposure, mean = rng.uniform(-2, 0, 50).astype(np.float32), rng.standard_normal(4).astype(np.float32)
    rows = poisson_rows(hidden, exposure, np.zeros((1, 50), np.float32), mean, 2.0)
    np.testing.assert_allclose(rows.weights[0], mean, atol=1e-5)
    np.testing.assert_allclose(np.exp(exposure + hidden @ rows.weights[0] + rows.bias[0]).sum(), 1, rtol=1e-4)
