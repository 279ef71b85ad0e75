"""The list of two rankings, against the algorithm of its paper."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isotherm.errors import ParameterError
from isotherm.experiment.interleaving import FIRST, NOBODY, SECOND, team_draft
from tests.reference.interleaving import algorithm_2

rankings = st.lists(st.integers(0, 12), unique=True, max_size=9)


@given(rankings, rankings, st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_the_list_is_that_of_the_paper(first, second, k, seed):
    coins = np.random.default_rng(seed)
    interleaved, team_a, team_b = algorithm_2(first, second, lambda: int(coins.integers(2)))
    items, teams = team_draft(first, second, k, np.random.default_rng(seed))
    n = min(k, len(interleaved))
    assert items[:n] == interleaved[:n]
    assert [item for item, team in zip(items, teams, strict=True) if team == FIRST] == [
        item for item in interleaved[:n] if item in team_a
    ]
    assert [item for item, team in zip(items, teams, strict=True) if team == SECOND] == [
        item for item in interleaved[:n] if item in team_b
    ]
    assert teams[n:] == [NOBODY] * (len(items) - n)
    assert len(items) == min(k, len({*first, *second}))


def test_each_place_is_as_often_of_one_team_as_of_the_other():
    rng = np.random.default_rng(0)
    first, second = list("abcdefg"), list("cbxyzvu")
    teams = np.array([team_draft(first, second, 5, rng)[1] for _ in range(4000)])
    np.testing.assert_allclose((teams == FIRST).mean(axis=0), 0.5, atol=0.03)


def test_a_ranking_that_ends_sooner_gains_and_loses_nothing():
    rng = np.random.default_rng(0)
    lists = [team_draft(list("abcdef"), ["a"], 5, rng) for _ in range(4000)]
    counted = np.array([[teams.count(FIRST), teams.count(SECOND)] for _, teams in lists])
    assert all(len(items) == 5 for items, _ in lists)
    np.testing.assert_allclose(counted.mean(axis=0), 0.5, atol=0.03)


def test_ids_stay_as_they_are_and_an_item_that_stands_twice_counts_once():
    items, teams = team_draft([1, "1", 1, "é"], ["1", 1], 4, np.random.default_rng(3))
    assert set(items) == {1, "1", "é"}
    assert len(items) == len(teams) == 3
    assert team_draft([], [], 3, np.random.default_rng(0)) == ([], [])
    with pytest.raises(ParameterError, match="k must be a whole number >= 1"):
        team_draft([1], [2], 0, np.random.default_rng(0))
