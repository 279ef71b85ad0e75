"""μ validated forward in time: of the fits that one is taken that ranks best what came last."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import isotherm
from isotherm import EASE, Items, MARec
from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.cold_start.pseudo_cold import splits_in_time
from isotherm.models.marec.field_weights import NormalEquations
from isotherm.models.marec.weights_in_time import FittedWeights, candidates, choose_in_time
from tests.models.cold_start.test_in_time import data  # noqa: F401
from tests.models.cold_start.test_pseudo_cold import timed_log


def test_the_second_fit_is_halfway_to_the_one_in_which_no_weight_is_below_0():
    equations = NormalEquations(np.diag([1.0, 2.0, 1.0]), np.array([-1.0, 4.0, 0.0]))
    learned, halfway = candidates(equations, non_negative=False)
    np.testing.assert_allclose(learned.importance, [-1, 2])
    np.testing.assert_allclose(halfway.importance, [-0.5, 2])
    (held,) = candidates(equations, non_negative=True)
    np.testing.assert_allclose(held.importance, [0, 2])


@pytest.fixture(scope="module")
def preferred():
    """Users of an odd number click items of an odd one; the side of an item is a field, and noise another."""
    rng = np.random.default_rng(0)
    log = timed_log(rng, n_users=200, n_items=200, n_clicks=8_000, n_new=40, new_share=0.2)
    x = log.matrix.tocoo()
    users, items = log.users.values.to_numpy()[x.row], log.items.values.to_numpy()[x.col]
    same = users % 2 == items % 2
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": log.click_times()}).filter(same)
    clicks = isotherm.Interactions.from_frame(frame)
    ids = clicks.items.values.to_list()
    table = pl.DataFrame(
        {
            "item_id": ids,
            "side": [["ab"[i % 2]] for i in ids],
            "noise": [[str(n)] for n in rng.integers(5, size=len(ids))],
        }
    )
    similarity = MetadataSimilarity.fitted(Items.from_frame(table), second_order=False)
    cuts = splits_in_time(clicks.matrix, clicks.click_times(), seed=0)
    assert cuts
    return similarity, similarity.encode(Items.from_frame(table)), cuts


def test_the_fit_that_ranks_best_what_came_last_is_taken(preferred):
    side, noise = (FittedWeights(np.array(mu), how) for mu, how in (([1.0, 0.0], "s"), ([0.0, 1.0], "n")))
    for tried in ([side, noise], [noise, side]):
        chosen = choose_in_time(tried, *preferred)
        assert chosen.chosen is side
        assert dict(zip(chosen.tried, chosen.ndcgs, strict=True))[side] == max(chosen.ndcgs)
    again = FittedWeights(side.importance, "the same")
    assert choose_in_time([side, again], *preferred).chosen is side


def test_the_choice_is_told_with_times_and_held_in_a_refit(data, tmp_path, monkeypatch):  # noqa: F811
    notes = []
    monkeypatch.setattr("isotherm.models.marec.model.note", notes.append)
    model = MARec(backbone=EASE(l2=20.0)).fit(*data)
    assert len([note for note in notes if "the fields' weights are" in note]) == 1
    model.save(tmp_path / "model")
    loaded = isotherm.load(tmp_path / "model").refit(*data)
    np.testing.assert_array_equal(loaded.field_weights_, model.field_weights_)
    MARec(backbone=EASE(l2=20.0)).fit(replace(data[0], timestamps=None), data[1])
    assert len([note for note in notes if "the fields' weights are" in note]) == 1
