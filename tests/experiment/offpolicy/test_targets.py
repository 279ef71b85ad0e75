"""The new policy's probabilities: of models with exploration, of tables, of columns."""

import numpy as np
import polars as pl
import pytest

from isotherm import Popularity
from isotherm.errors import ParameterError
from isotherm.experiment.offpolicy import ActionTable, Column, ModelRanking, log_of
from isotherm.experiment.offpolicy.targets import place_shares
from isotherm.experiment.plan import Exploration


def literal_shares(scores, listed, rank, exploration):
    """One list: what stands at a place, item by item."""
    left = [item for item in range(len(scores)) if item not in listed]
    shares = dict.fromkeys(range(len(scores)), 0.0)
    if exploration is None or rank < exploration.from_rank:
        shares[left[0]] = 1.0
        return shares
    total = sum(np.exp(scores[item] / exploration.temperature) for item in left)
    for item in left:
        alike = 1 / len(left)
        likely = np.exp(scores[item] / exploration.temperature) / total
        shares[item] = exploration.share * (alike if exploration.kind == "epsilon" else likely)
    shares[left[0]] += 1 - exploration.share
    return shares


EXPLORATIONS = [
    None,
    Exploration("epsilon", share=0.3, from_rank=2, pool=6),
    Exploration("softmax", share=0.5, from_rank=1, temperature=0.4, pool=6),
    Exploration("softmax", share=1.0, from_rank=3, temperature=2.0, pool=6),
]


@pytest.mark.parametrize("exploration", EXPLORATIONS)
def test_shares_of_places_are_those_of_the_words(exploration):
    rng = np.random.default_rng(0)
    scores = np.sort(rng.normal(size=(5, 6)), axis=1)[:, ::-1]
    for rank in (1, 2, 3):
        listed = [rng.choice(6, size=rank - 1, replace=False) for _ in range(5)]
        left = np.ones((5, 6), dtype=bool)
        for row, items in enumerate(listed):
            left[row, items] = False
        expected = [
            list(literal_shares(scores[row], listed[row], rank, exploration).values()) for row in range(5)
        ]
        found = place_shares(left, scores, rank, exploration)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        np.testing.assert_allclose(found.sum(axis=1), 1)


def test_nothing_left_is_shown_with_probability_0():
    nothing = np.zeros((1, 3), dtype=bool)
    for exploration in EXPLORATIONS:
        assert not place_shares(nothing, np.ones((1, 3)), 3, exploration).any()


@pytest.fixture
def model(clicks):
    return Popularity().fit(clicks)


@pytest.mark.parametrize("exploration", EXPLORATIONS[1:])
def test_a_models_own_draws_have_the_probabilities_that_they_were_drawn_with(model, exploration):
    """Lists are drawn by hand, place after place; the target then knows each probability again."""
    rng = np.random.default_rng(1)
    rows = []
    for number, user in enumerate(model.users_.values.to_list()[:20]):
        best = model.recommend([user], k=6)
        items, scores = best["item_id"].to_list(), best["score"].to_numpy().astype(float)
        listed = []
        for rank in (1, 2, 3):
            shares = literal_shares(scores, listed, rank, exploration)
            chosen = int(rng.choice(6, p=list(shares.values())))
            rows.append((number, user, rank, items[chosen], 0.0, shares[chosen]))
            listed.append(chosen)
    names = ["request_id", "user_id", "position", "item_id", "reward", "propensity"]
    log = log_of(pl.DataFrame(rows, schema=names, orient="row").sample(fraction=1, shuffle=True, seed=0))
    target = ModelRanking(model, exploration)
    np.testing.assert_allclose(target.probabilities(log), log.propensities, rtol=1e-6)
    ones = np.ones((len(log.items), log.n_positions))
    np.testing.assert_allclose(target.expected(log, ones), 1)
    by_position = ones * np.array([1.0, 10.0, 100.0])
    np.testing.assert_allclose(target.expected(log, by_position), np.array([1, 10, 100])[log.positions - 1])


def test_without_exploration_the_best_item_stands_there(model, clicks):
    user = model.users_.values[0]
    best = model.recommend([user], k=2)["item_id"].to_list()
    frame = pl.DataFrame(
        {
            "request_id": [0, 0, 1, 1],
            "user_id": [user] * 4,
            "position": [1, 2, 1, 2],
            "item_id": [*best, *reversed(best)],
            "reward": 0.0,
            "propensity": 0.5,
        }
    )
    log = log_of(frame)
    target = ModelRanking(model)
    assert target.probabilities(log).tolist() == [1, 1, 0, 1]
    values = np.zeros((len(log.items), 2))
    values[log.actions[0]] = 5.0
    assert target.expected(log, values).tolist()[:1] == [5.0]


def test_ids_of_another_log_are_refused(model):
    log = log_of(
        pl.DataFrame({"user_id": [1, 2], "item_id": ["i01", "i02"], "reward": 0.0, "propensity": 0.5})
    )
    with pytest.raises(ParameterError, match=r"knows none of the users of the log \(Int64 there, String in"):
        ModelRanking(model).probabilities(log)


def test_tables_and_columns_are_checked():
    with pytest.raises(ParameterError, match="sum to at most 1 a position"):
        ActionTable(np.array([[0.6], [0.6]]))
    with pytest.raises(ParameterError, match="numbers from 0 to 1"):
        Column(np.array([0.5, 1.5]))
    with pytest.raises(ParameterError, match="numbers from 0 to 1"):
        Column(np.array([0.5, np.nan]))
