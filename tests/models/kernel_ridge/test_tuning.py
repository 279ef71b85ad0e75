"""Tuning on pseudo-cold items: nothing where none can be drawn, a literal regression, columns added alone."""

from dataclasses import asdict

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import EASE
from isotherm.features.metadata_kernel import MetadataKernel
from isotherm.models.cold_start.pseudo_cold import PseudoColdSplit
from isotherm.models.kernel_ridge import tuner as tuner_module
from isotherm.models.kernel_ridge import tuning
from isotherm.models.kernel_ridge.columns import Scales
from isotherm.models.kernel_ridge.ridge import RidgeFitter
from isotherm.models.kernel_ridge.training_data import TrainingData
from isotherm.models.kernel_ridge.training_log import ClickOrder
from isotherm.models.kernel_ridge.tuner import (
    POPULARITY_SHARES,
    SMOOTHINGS,
    FullFit,
    KeptModel,
    Tuner,
    added_scores,
    calibrated,
)
from isotherm.models.kernel_ridge.tuning import RIDGES, tune
from isotherm.models.kernel_ridge.warm_up import WarmUp
from isotherm.models.linear.penalties import Penalties, user_weights
from tests.conftest import random_clicks
from tests.features.test_metadata_kernel import table


def full_fit(user_items):
    """Everything a tuner needs of a click matrix; ranks of clicks by row."""
    user_items = csr_array(user_items.astype(np.float32))
    n_items = user_items.shape[1]
    items = table(np.random.default_rng(0), n_items)
    kernel = MetadataKernel.fitted(items)
    encoded = kernel.encode(items)
    weights = np.full(len(kernel.terms) + 1, 0.5)
    ease = EASE(l2=5.0)
    return FullFit(
        user_items,
        ClickOrder(user_items, None, seed=0),
        encoded,
        ease,
        ease.solve(user_items).weights,
        TrainingData.of(user_items),
        RidgeFitter(kernel, weights, weights, exact_items=100, landmarks=1, seed=0),
    )


@pytest.fixture(scope="module")
def full():
    """Users who click what is of the genre they like."""
    genres = table(np.random.default_rng(0), 30).to_frame()["genres"].to_list()
    likes = [[genre in (each or []) for each in genres] for genre in "abcd"] * 20
    return full_fit(np.random.default_rng(3).random((80, 30)) < np.where(likes, 0.5, 0.05))


def test_learned_scales_stay_where_nothing_can_be_hidden():
    learned = Scales(popularity_weight=0.4)
    tuned = tune(full_fit(np.eye(6)), learned, 2, 0)
    assert (tuned.scales, tuned.warm_up) == (learned, WarmUp())


def test_what_is_tuned_is_of_the_grids_and_seeded(full):
    learned = Scales(inverse_temperature=2.0, popularity_weight=0.4)
    tuned = tune(full, learned, 2, 5)
    assert (tuned.scales.ridge in RIDGES, tuned.scales.smoothing in SMOOTHINGS) == (True, True)
    assert tuned.scales.popularity_weight in [0.4 * share for share in POPULARITY_SHARES]
    assert tuned.scales.inverse_temperature == 2.0
    assert min(tuned.scales.slope, tuned.scales.cold_scale) > 0
    assert tune(full, learned, 2, 5) == tuned


def test_scales_are_chosen_on_all_draws(full, monkeypatch):
    tried = []

    def counting(scales, draws):
        tried.append(len(draws))
        return calibrated(scales, draws)

    monkeypatch.setattr(tuning, "calibrated", counting)
    tune(full, Scales(), 1, 0)
    tune(full, Scales(), 3, 0)
    assert tried == [1, 3]


def test_a_climb_finds_the_ridge_that_ranks_best(full, monkeypatch):
    ndcgs = {0.25: 0.1, 0.5: 0.2, 1.0: 0.3, 2.0: 0.25}
    tried = []

    def ndcg_by_mixture(tuner, scales, ridge):
        tried.append(ridge)
        return np.full((len(SMOOTHINGS), len(POPULARITY_SHARES)), ndcgs[ridge])

    monkeypatch.setattr(Tuner, "ndcg_by_mixture", ndcg_by_mixture)
    assert tune(full, Scales(), 1, 0).scales.ridge == 1.0
    assert tried == [0.5, 1.0, 2.0]
    ndcgs |= {0.25: 0.4, 1.0: 0.1}
    tried.clear()
    assert tune(full, Scales(), 1, 0).scales.ridge == 0.25
    assert tried == [0.5, 1.0, 0.25]


def test_mixtures_are_ranked_among_the_hidden_items(full):
    tuner = Tuner(full, KeptModel.of(full.ease, PseudoColdSplit.draw(full.user_items, 0)))
    ndcgs = tuner.ndcg_by_mixture(Scales(popularity_weight=0.0), 1.0)
    assert ndcgs.shape == (len(SMOOTHINGS), len(POPULARITY_SHARES))
    assert (ndcgs > 0).all()
    np.testing.assert_array_equal(ndcgs, ndcgs[:, :1].repeat(len(POPULARITY_SHARES), axis=1))


def test_slope_and_intercept_are_the_regression_of_eases_scores_per_click(full):
    split = PseudoColdSplit.draw(full.user_items, 0)
    tuner = Tuner(full, KeptModel.of(full.ease, split))
    fit = tuner.fit(1.0)
    chosen = calibrated(tuner.regressed(Scales(), fit), [tuner.rankings(tuner.regressed(Scales(), fit), fit)])
    training, kept = TrainingData.of(split.kept_clicks), full.ease.solve(split.kept_clicks).weights
    taste = fit.taste.among_all_items(fit.weights)
    columns = Scales().raw(taste, kept @ taste, fit.popularity, training.mean_length)
    raw = (split.histories @ columns) / np.diff(split.histories.indptr)[:, None]
    whole_histories = full.user_items[split.test_users]
    ease = whole_histories @ full.ease_weights[:, split.hidden_items]
    ease /= np.diff(whole_histories.indptr)[:, None]
    slope, intercept = np.polyfit(raw.ravel(), ease.ravel(), 1)
    assert slope > 0
    assert chosen.full.slope == pytest.approx(slope, rel=1e-3)
    assert chosen.full.intercept == pytest.approx(intercept, rel=1e-3)
    assert (chosen.full.slope, chosen.full.variance_exponent) == (
        chosen.kept.slope,
        chosen.kept.variance_exponent,
    )


@pytest.mark.parametrize(
    "penalties",
    [Penalties(3.0), Penalties(3.0, denoising=0.5, user_power=0.5), Penalties(3.0, 0.2, 1.0, relaxation=0.3)],
)
@pytest.mark.parametrize("density", [1, 0.02])
def test_added_scores_are_by_eases_column_of_one_item_more(penalties, density):
    x = random_clicks(np.random.default_rng(1), 30, 9, 0.4)
    x[:, 7:] *= np.random.default_rng(2).random((30, 2)) < density
    known, new = csr_array(x[:, :7].astype(np.float32)), csr_array(x[:, 7:].astype(np.float32))
    inverse = EASE(**asdict(penalties)).solve(known)
    solved = known.toarray() @ inverse.times(np.eye(7, dtype=np.float32)).T
    scores = added_scores(solved, inverse, known, new, penalties)
    weights = user_weights(known, penalties.user_power)
    for i in range(2):
        both = x[:, [*range(7), 7 + i]]
        gram = (both * weights[:, None]).T @ both
        ridge = 3.0 + penalties.denoising * np.diag(gram)
        inverse = np.linalg.inv(gram + np.diag(ridge))
        multiplier = (1 - penalties.relaxation) / inverse[7, 7]
        if penalties.relaxation:
            multiplier = max(multiplier, ridge[7])
        expected = x[:, :7] @ (-inverse[:7, 7] * multiplier)
        np.testing.assert_allclose(scores[:, i], expected, atol=1e-5)


def test_few_clicks_beside_the_ridge_are_half_explained(monkeypatch):
    x = random_clicks(np.random.default_rng(1), 30, 9, 0.4)
    x[:, 7:] *= np.random.default_rng(2).random((30, 2)) < 0.2
    known, new = csr_array(x[:, :7].astype(np.float32)), csr_array(x[:, 7:].astype(np.float32))
    penalties = Penalties(400.0, relaxation=0.3)
    inverse = EASE(**asdict(penalties)).solve(known)
    solved = known.toarray() @ inverse.times(np.eye(7, dtype=np.float32)).T
    near = added_scores(solved, inverse, known, new, penalties)
    monkeypatch.setattr(tuner_module, "_LITTLE", 0.0)
    exact = added_scores(solved, inverse, known, new, penalties)
    np.testing.assert_allclose(near, exact, rtol=0.01)
    assert np.abs(near - exact).max() > 0


def test_histories_are_solved_by_eases_inverse(full):
    model = KeptModel.of(full.ease, PseudoColdSplit.draw(full.user_items, 0))
    inverse = model.inverse.times(np.eye(len(model.split.kept_items), dtype=np.float32))
    expected = model.users.histories @ inverse
    np.testing.assert_allclose(Tuner(full, model)._solved_histories(), expected, atol=1e-5)


def test_the_fit_of_the_best_mixture_is_kept_and_the_same(full):
    model = KeptModel.of(full.ease, PseudoColdSplit.draw(full.user_items, 0))
    keeps, forgets = Tuner(full, model, keeps_best=True), Tuner(full, model)
    ndcgs = [keeps.ndcg_by_mixture(Scales(), ridge).max() for ridge in RIDGES]
    best = RIDGES[int(np.argmax(ndcgs))]
    assert keeps.fit(best) is keeps.fit(best)
    np.testing.assert_array_equal(keeps.fit(best).weights, forgets.fit(best).weights)
    other = RIDGES[int(np.argmin(ndcgs))]
    assert keeps.fit(other) is not keeps.fit(other)
