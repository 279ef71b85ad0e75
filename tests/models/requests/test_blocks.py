"""Lists for everybody, a block of users at a time."""

import logging

import numpy as np
import polars as pl
import pytest

from isotherm import EASE, Interactions
from isotherm.errors import ParameterError, UnknownIdError
from isotherm.models.requests.blocks import default_block


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((120, 25)) < 0.2)
    return EASE(l2=5.0).fit(Interactions.from_frame(pl.DataFrame({"user_id": users, "item_id": items})))


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"titles": True, "exclude_seen": False},
        {"candidates": [1, 2, 3], "exclude": [2]},
        {"users": [3, 1, 3], "candidates": [[1, 2], [3], []], "exclude": [[1], [], [4]]},
        {"users": [3, 9999, 1, 2], "unknown": "skip", "candidates": [[1, 2], [3], [4], [5, 6]]},
        {"users": [9999, 3, 1], "unknown": "popular", "titles": True},
        {"users": []},
    ],
)
@pytest.mark.parametrize("size", [1, 2, 50, None])
def test_blocks_one_after_the_other_are_the_lists(model, asked, size):
    blocks = list(model.recommend_blocks(k=5, users_per_block=size, **asked))
    lists = model.recommend(k=5, **asked)
    assert [block.schema for block in blocks] == [lists.schema] * len(blocks)
    assert pl.concat(blocks).drop("score").equals(lists.drop("score"))
    assert np.allclose(pl.concat(blocks)["score"], lists["score"], rtol=1e-5)
    if size is None:
        assert pl.concat(blocks).equals(lists)


def test_histories_are_answered_by_blocks_as_at_once(model):
    asked = [[1, 2], [], [999], {3: 2.0}, [4]]
    for unknown in ("skip", "popular"):
        options = {"k": 4, "unknown": unknown, "candidates": [[1, 2, 3, n] for n in range(4, 9)]}
        blocks = list(model.recommend_blocks_for(asked, users_per_block=2, titles=True, **options))
        lists = model.recommend_for(asked, titles=True, **options)
        assert len(blocks) == (2 if unknown == "skip" else 3)
        assert pl.concat(blocks).drop("score").equals(lists.drop("score"))


def test_a_run_goes_on_at_a_block(model):
    whole = list(model.recommend_blocks(k=5, users_per_block=50))
    rest = list(model.recommend_blocks(k=5, users_per_block=50, first_block=1))
    assert [block["user_id"].n_unique() for block in whole[:2]] == [50, 50]
    assert len(whole) == 3
    assert all(a.equals(b) for a, b in zip(whole[1:], rest, strict=True))
    assert not list(model.recommend_blocks(k=5, users_per_block=50, first_block=3))


def test_what_is_wrong_is_refused_before_the_first_block(model):
    with pytest.raises(UnknownIdError, match="9999"):
        model.recommend_blocks([9999])
    with pytest.raises(ParameterError, match="users_per_block"):
        model.recommend_blocks(users_per_block=0)
    with pytest.raises(ParameterError, match="first_block"):
        model.recommend_blocks(first_block=-1)
    with pytest.raises(ParameterError, match="k must"):
        model.recommend_blocks(k=0)


def test_who_is_answered_by_popularity_is_counted_once(model, caplog):
    with caplog.at_level(logging.INFO):
        list(model.recommend_blocks([1, 2, 9998, 9999], unknown="popular", users_per_block=1))
    assert sum("answered by popularity: 2 of 4" in record.message for record in caplog.records) == 1


def test_a_block_holds_whole_blocks_of_scoring_and_half_a_million_rows():
    from isotherm.memory import users_per_block

    for n_items, k in ((20_000, 20), (25, 10), (1_000_000, 10), (20_000, 20_000)):
        size = default_block(n_items, k)
        assert size % users_per_block(n_items) == 0
        assert size == users_per_block(n_items) or size * min(k, n_items) <= 2**19
