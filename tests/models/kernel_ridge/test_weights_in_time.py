"""Weights validated forward in time: those that rank best what came last; saved, and held in a refit."""

from dataclasses import replace

import numpy as np
import pytest

import isotherm
from isotherm import EASE, KernelRidge
from isotherm.models.cold_start.pseudo_cold import splits_in_time
from isotherm.models.kernel_ridge.kernel_weights import KernelWeights
from isotherm.models.kernel_ridge.tuner import KeptModel
from isotherm.models.kernel_ridge.weights_in_time import SHARES, choose_in_time
from tests.features.test_metadata_kernel import table
from tests.models.cold_start.test_in_time import data  # noqa: F401
from tests.models.kernel_ridge.test_tuning import full_fit

N_USERS, N_ITEMS = 160, 60


@pytest.fixture(scope="module")
def in_time():
    """Users who click what is of the genre they like, items that came one after the other, and the cuts."""
    rng = np.random.default_rng(3)
    genres = table(np.random.default_rng(0), N_ITEMS).to_frame()["genres"].to_list()
    likes = [[genre in (each or []) for each in genres] for genre in "abcd"] * (N_USERS // 4)
    full = full_fit(rng.random((N_USERS, N_ITEMS)) < np.where(likes, 0.5, 0.03))
    times = full.user_items.indices / N_ITEMS + 0.2 * rng.random(full.user_items.nnz)
    cuts = [KeptModel.of(full.ease, cut) for cut in splits_in_time(full.user_items, times, 0)]
    assert cuts
    return full, cuts


def only(full, *names):
    """Weights of these terms alone."""
    terms = full.ridges.kernel.terms
    weights = np.array([1.0 if name in names else 1e-6 for name in [*terms, ""]])
    return KernelWeights(weights, np.full(len(weights), 1e-6), 1.0, 0.0)


def test_the_weights_that_rank_best_what_came_last_are_taken(in_time):
    full, cuts = in_time
    tried = [only(full, "year"), only(full, "clip"), only(full, "genres")]
    chosen = choose_in_time(tried, full, cuts)
    assert (chosen.share, chosen.weights) == (1.0, tried[2])
    assert chosen.ndcgs[2] == max(chosen.ndcgs) > 1.2 * chosen.ndcgs[0]
    assert choose_in_time(tried[::-1], full, cuts).share == 0.0
    assert "the fields' weights are equal" in str(chosen)


def test_weights_that_rank_alike_stay_as_learned(in_time):
    full, cuts = in_time
    chosen = choose_in_time([only(full, "genres")] * len(SHARES), full, cuts)
    assert (chosen.share, len(set(chosen.ndcgs))) == (0.0, 1)


def test_the_choice_is_told_saved_and_held_in_a_refit(data, tmp_path, monkeypatch):  # noqa: F811
    notes = []
    monkeypatch.setattr("isotherm.models.kernel_ridge.model.note", notes.append)
    model = KernelRidge(backbone=EASE(l2=20.0), draws=1, steps=3).fit(*data)
    assert len([note for note in notes if "the fields' weights are" in note]) == 1
    model.save(tmp_path / "model")
    loaded = isotherm.load(tmp_path / "model").refit(*data)
    np.testing.assert_array_equal(loaded.taste_weights_, model.taste_weights_)
    KernelRidge(backbone=EASE(l2=20.0), draws=1, steps=3).fit(replace(data[0], timestamps=None), data[1])
    assert len([note for note in notes if "the fields' weights are" in note]) == 1
