"""Weighted SLIM against eq. 10-11 solved item by item."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm import EASE, SLIM, Interactions
from isotherm.errors import ParameterError
from isotherm.models.linear.penalties import user_weights
from isotherm.models.linear.slim import _ColumnSystems
from tests.conftest import random_clicks
from tests.models.linear.test_auto import log_of_topics
from tests.reference.marec import eq10_weights


def weights_of(model):
    return model.score(csr_array(np.eye(model.n_items, dtype=np.float32)))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(2, 30),
    st.sampled_from([0.02, 0.25, 1.0]),
    st.sampled_from([5.0, 100.0]),
    st.sampled_from([0.0, 30.0, 1e6]),
)
def test_weights_equal_the_literal_formula(seed, n_items, nonclick_weight, l2, self_penalty):
    x = random_clicks(np.random.default_rng(seed), 60, n_items)
    options = {"l2": l2, "nonclick_weight": nonclick_weight, "self_penalty": self_penalty}
    model = SLIM(**options, tolerance=1e-6).fit(Interactions.from_csr(x))
    np.testing.assert_allclose(weights_of(model), eq10_weights(x, 0 * x, **options), atol=1e-4)


@pytest.mark.parametrize("nonclick_weight", [0.1, 1.0])
@pytest.mark.parametrize("user_power", [0.0, 0.5])
def test_denoising_and_user_weights_equal_the_literal_formula(nonclick_weight, user_power):
    x, denoising = random_clicks(np.random.default_rng(3), 60, 14), 0.7
    penalties = {"denoising": denoising, "user_power": user_power}
    slim = SLIM(l2=5.0, nonclick_weight=nonclick_weight, self_penalty=30.0, tolerance=1e-6, **penalties)
    users = user_weights(csr_array(x.astype(np.float32)), user_power)
    expected = np.empty((14, 14))
    for i in range(14):
        gram = (x.T * users * np.where(x[:, i] > 0, 1.0, nonclick_weight)) @ x
        left = gram + np.diag(5.0 + denoising * np.diag(gram))
        left[i, i] += 30.0
        expected[:, i] = np.linalg.solve(left, gram[:, i])
    np.testing.assert_allclose(weights_of(slim.fit(Interactions.from_csr(x))), expected, atol=1e-4)


def test_slim_learns_what_ease_learns_in_its_own_unit():
    clicks = log_of_topics(200, 60, 8)
    learned, ease = (
        SLIM(l2="auto", nonclick_weight=0.25).fit(clicks),
        EASE(l2="auto", relaxation=0).fit(clicks),
    )
    assert learned.penalties_ == replace(ease.penalties_, l2=0.5 * ease.penalties_.l2)
    assert list(learned.learned_settings()) == [
        "penalties_.l2",
        "penalties_.denoising",
        "penalties_.user_power",
    ]
    chosen = {name.split(".")[1]: value for name, value in learned.learned_settings().items()}
    by_hand = SLIM(nonclick_weight=0.25, **chosen).fit(clicks)
    np.testing.assert_array_equal(by_hand.weights_.warm, learned.weights_.warm)
    partly = SLIM(l2=20.0, denoising="auto").fit(clicks)
    assert list(partly.learned_settings()) == ["penalties_.denoising"]
    assert SLIM(l2=20.0).fit(clicks).learned_settings() == {}


@pytest.mark.parametrize("x", [np.ones((1, 5)), np.ones((4, 1)), np.ones((20, 6)), np.eye(6)])
def test_slim_learns_from_little(x):
    """One user, one item, all alike, one click a user."""
    model = SLIM(l2="auto").fit(Interactions.from_csr(csr_array(x.astype(np.float32))))
    assert np.isfinite(model.weights_.warm).all()


def test_items_without_clicks_have_no_weights():
    x = random_clicks(np.random.default_rng(0), 60, 12, cold=3)
    weights = weights_of(SLIM(l2=5.0, tolerance=1e-6).fit(Interactions.from_csr(x)))
    assert not weights[:, 9:].any()
    assert not weights[9:].any()
    np.testing.assert_allclose(
        weights[:9, :9], eq10_weights(x[:, :9], 0 * x[:, :9], 5.0, 0.5, 800.0), atol=1e-4
    )


def test_condition_number_behind_the_shared_inverse_is_at_most_one_over_the_weight():
    x = csr_array(random_clicks(np.random.default_rng(1), 300, 25, 0.3).astype(np.float32))
    for nonclick_weight in (0.05, 0.3):
        slim = SLIM(l2=1.0, nonclick_weight=nonclick_weight, self_penalty=20.0)
        systems = _ColumnSystems.of(slim, x, slim.ridge_inverse(x), None)
        for item in range(25):
            matrix = systems.times(np.eye(25, dtype=np.float32), np.full(25, item)).T
            values = np.linalg.eigvals(matrix).real
            assert values.min() > 1 - 1e-3
            assert values.max() < 1 / nonclick_weight + 1e-2


def test_weight_of_the_others_is_at_most_one():
    with pytest.raises(ParameterError, match="nonclick_weight"):
        SLIM(nonclick_weight=1.5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0, 1e4, 1e6, "each item its own", "each user its own"])
def test_columns_of_weighted_clicks_are_exact_at_every_scale(scale):
    rng = np.random.default_rng(5)
    x = random_clicks(rng, 300, 40, 0.2) * rng.lognormal(0, 1, (300, 40))
    scales = {"each item its own": (1, 40), "each user its own": (300, 1)}
    x = x * (10 ** rng.uniform(0, 6, scales[scale]) if scale in scales else scale)
    x = x.astype(np.float32).astype(np.float64)
    found, exact = (
        weights_of(SLIM(l2=500.0).fit(Interactions.from_csr(x))).astype(np.float64),
        np.empty((40, 40)),
    )
    lengths = np.sqrt((x * x).sum(axis=0) + 500)
    for item in range(
        40
    ):  # θ = e − (λ + γ)·A⁻¹e: the literal solve for θ loses its digits where θ is nearly e
        clicked = x[x[:, item] > 0]
        matrix = 0.5 * x.T @ x + 0.5 * clicked.T @ clicked + 500 * np.eye(40)
        matrix[item, item] += 800
        unit = np.eye(40)[item]
        exact[:, item] = unit - 1300 * np.linalg.solve(matrix, unit)
    units = np.outer(lengths, lengths) / 1300 * (1 - np.eye(40))
    np.testing.assert_allclose(found * units, exact * units, atol=1e-3 * max(1, np.abs(exact * units).max()))
    lists, wanted = (np.argsort(np.where(x > 0, np.inf, -(x @ w)), axis=1)[:, :5] for w in (found, exact))
    same = [len(set(a) & set(b)) for a, b in zip(lists, wanted, strict=True)]
    assert np.mean(same) / 5 > 0.999
