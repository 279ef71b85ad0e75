"""iALS: each side's least squares, the loss, and exact explanations."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import IALS, Interactions, threads
from isotherm.models.factorization.ials import SoftTargets
from tests.conftest import random_clicks
from tests.reference.ials import exact_rounds
from tests.reference.marec import ials_step


@pytest.fixture
def x():
    return random_clicks(np.random.default_rng(0), 50, 20)


def loss(model, x, users, items):
    """The objective of the module's docstring, cell by cell."""
    w, n_users, n_items = model.unobserved_weight, *x.shape
    scores = users.astype(float) @ items.T.astype(float)
    ridges = [
        model.l2 * (x.sum(axis=axis) + w * n) ** model.exponent for axis, n in ((1, n_items), (0, n_users))
    ]
    return (
        (x * (1 - scores) ** 2).sum()
        + w * (scores**2).sum()
        + ridges[0] @ (users**2).sum(axis=1)
        + ridges[1] @ (items**2).sum(axis=1)
    )


def test_each_pass_lowers_the_loss(x):
    found = []
    for iterations in range(1, 8):
        model = IALS(factors=6, iterations=iterations, l2=0.02, unobserved_weight=0.1)
        factors = model.train(csr_array(x.astype(np.float32)))
        found.append(loss(model, x, factors.users, factors.items))
    assert all(later < earlier for earlier, later in itertools.pairwise(found))


@pytest.mark.parametrize(("width", "l2", "w"), [(6, 0.02, 0.1), (3, 0.1, 0.5), (16, 0.005, 0.02)])
def test_training_ends_where_exact_rounds_do(x, width, l2, w):
    model = IALS(factors=width, l2=l2, unobserved_weight=w, iterations=40)
    found = model.train(csr_array(x.astype(np.float32)))
    ridges = l2 * (x.sum(axis=1) + w * 20), l2 * (x.sum(axis=0) + w * 50)
    users, items = exact_rounds(x, model.start(20).astype(float), ridges, w, 40)
    assert loss(model, x, found.users, found.items) < 1.02 * loss(model, x, users, items)


def test_factors_do_not_depend_on_the_number_of_threads(x, monkeypatch):
    matrix = csr_array(x.astype(np.float32))
    trained = []
    for n in (1, 2, 5):
        monkeypatch.setattr(threads, "thread_count", lambda n=n: n)
        trained.append(IALS(factors=7, iterations=3, l2=0.01, unobserved_weight=0.1).train(matrix))
    for other in trained[1:]:
        np.testing.assert_array_equal(other.items, trained[0].items)
        np.testing.assert_array_equal(other.users, trained[0].users)


@pytest.mark.parametrize("width", [1, 3, 8])
def test_folding_in_is_the_literal_least_squares(x, width):
    model = IALS(factors=width, l2=0.05, exponent=0.5, unobserved_weight=0.2)
    model.fit(Interactions.from_csr(x))
    ridge = 0.05 * (x.sum(axis=1) + 0.2 * 20) ** 0.5
    nothing = np.zeros(20)
    expected = ials_step(x, 0 * x, nothing, model.item_factors_.astype(float), ridge, 0.2, 0.0)
    found = model.fold_in(csr_array(x.astype(np.float32)), model.held(model.item_factors_))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_step_with_soft_targets_is_the_literal_least_squares(x):
    """Rare and never-clicked columns are drawn to their soft targets, on both sides of the factorization."""
    rng = np.random.default_rng(1)
    wide = np.concatenate([x, np.zeros((50, 4))], axis=1)
    columns, confidence = np.array([2, 20, 21, 22, 23]), np.array([0.4, 1, 1, 1, 1])
    g = rng.uniform(0, 0.2, (5, 20))
    guesses, trust = np.zeros((50, 24)), np.zeros(24)
    guesses[:, columns], trust[columns] = x @ g.T, confidence
    model = IALS(factors=5, l2=0.05, unobserved_weight=0.2)
    soft = SoftTargets(columns, confidence.astype(np.float32), g.astype(np.float32), 1.5)
    matrix = csr_array(x.astype(np.float32))
    items = rng.standard_normal((24, 5)).astype(np.float32)

    item_users = csr_array(matrix.T.tocsr())
    users, clicked = np.zeros((50, 5), np.float32), np.zeros((20, 5), np.float32)
    shares = np.float32(x.sum(axis=1) / x.sum()), np.float32(x.sum(axis=0) / x.sum())
    for _ in range(100):  # each step leads nearer to the least squares
        users = model._user_step(matrix, items, users, shares[1], soft)
    ridge = 0.05 * (x.sum(axis=1) + 0.2 * 20)
    np.testing.assert_allclose(
        users, ials_step(wide, guesses, trust, items.astype(float), ridge, 0.2, 1.5), atol=1e-4
    )

    ridge = 0.05 * (wide.sum(axis=0) + 0.2 * 50)
    expected = np.empty((24, 5))
    for j in range(
        24
    ):  # the same cells, item by item; a column without clicks has no cell but the guessed ones
        weight = wide[:, j] + 0.2 * (j < 20) + 1.5 * 0.2 * trust[j]
        target = wide[:, j] + 1.5 * 0.2 * trust[j] * guesses[:, j]
        left = (users.T.astype(float) * weight) @ users + ridge[j] * np.eye(5)
        expected[j] = np.linalg.solve(left, users.T @ target)
    for _ in range(100):
        clicked = model._item_step(item_users, users, clicked, shares[0], soft)
    np.testing.assert_allclose(clicked, expected[:20], atol=1e-4)
    new = soft.only(columns >= 20)
    np.testing.assert_allclose(model._new_item_step(item_users, users, new), expected[20:], atol=1e-4)


def test_weighted_clicks_weigh_more():
    x = random_clicks(np.random.default_rng(3), 40, 12)
    heavy = x * np.where(np.arange(12) == 4, 5.0, 1.0)
    plain, weighted = (
        IALS(factors=4).fit(Interactions.from_csr(m)).score(csr_array(m.astype(np.float32)))
        for m in (x, heavy)
    )
    clicked = x[:, 4] > 0
    assert weighted[clicked, 4].mean() > plain[clicked, 4].mean()


def test_an_item_that_nobody_clicked_scores_nothing():
    x = random_clicks(np.random.default_rng(5), 40, 12)
    x[:, 3] = 0
    clicks = csr_array(x.astype(np.float32))
    model = IALS(factors=4).fit(Interactions.from_csr(clicks))
    scores = model.score(clicks)
    assert not scores[:, 3].any()
    expected = model.user_vectors(clicks) @ model.item_factors_.T
    np.testing.assert_allclose(np.delete(scores, 3, axis=1), expected, atol=1e-5)
