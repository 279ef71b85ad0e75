"""Lists as arrays: what is unknown, flags, and what follows when the model changes."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, ContentKNN, Interactions, Items, progress
from isotherm.errors import InteractionsError, NotFittedError, ParameterError, UnknownIdError

CLICKS = csr_array(np.float32([[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 0]]))


@pytest.fixture
def model():
    return EASE(l2=1.0).fit(Interactions.from_csr(CLICKS, ["a", "b", "c"], ["tea", "cup", "pot", "mug"]))


def test_unknown_ids_are_counted_for_each_history_without_a_note(model, capsys):
    progress.watch_with(None)  # notes are shown where nobody asked for silence
    answers = model.answer([["tea", "x", "y", "x"], {"x": 2.0}, ["pot"], []], k=2)
    assert answers.unknown.tolist() == [2, 1, 0, 0]
    assert answers.by_popularity.tolist() == [False, True, False, True]
    np.testing.assert_array_equal(answers.columns[0], model.answer([["tea"]], k=2).columns[0])
    assert answers.scores[1].tolist() == [3, 2]
    assert capsys.readouterr() == ("", "")
    with pytest.raises(UnknownIdError, match="1 unknown item id: 'x'"):
        model.answer([["tea", "x"]], unknown="error")
    with pytest.raises(ParameterError, match="unknown must be one of 'error', 'popular', not 'skip'"):
        model.answer([["tea"]], unknown="skip")


def test_ids_of_another_type_find_the_same_items():
    numbers = EASE(l2=1.0).fit(Interactions.from_csr(CLICKS, None, [10, 20, 30, 40]))
    expected = numbers.answer([[10, 30]], k=4)
    for history in (["10", "30"], [10, "30"], np.array([10, 30]), (30.0, 10.0), pl.Series([10, 30])):
        np.testing.assert_array_equal(numbers.answer([history], k=4).scores, expected.scores)
    assert numbers.answer([["010", 2**70]]).unknown.tolist() == [2]
    with pytest.raises(UnknownIdError, match="ids must all be of one type, not bool, int"):
        numbers.answer([[True, 10]])


def test_what_does_not_fit_is_refused(model):
    with pytest.raises(ParameterError, match=r"candidates are flags of shape \(3,\): give one for each of 4"):
        model.answer([["tea"]], candidates=np.ones(3, dtype=bool))
    with pytest.raises(ParameterError, match=r"exclude are flags of shape \(2, 4\)"):
        model.answer([["tea"]], exclude=np.ones((2, 4), dtype=bool))
    with pytest.raises(ParameterError, match="k must be a whole number >= 1"):
        model.answer([["tea"]], k=0)
    with pytest.raises(InteractionsError, match="3 columns, and the model knows 4 items"):
        model.answer(csr_array((1, 3)))
    with pytest.raises(InteractionsError, match="weight of item 'tea' is -1"):
        model.answer([{"tea": -1}])
    with pytest.raises(NotFittedError):
        EASE().answer([[]])


def test_no_history_gives_no_list(model):
    for nothing in ([], csr_array((0, 4))):
        answers = model.answer(nothing, k=3)
        assert answers.columns.shape == answers.scores.shape == answers.new.shape == (0, 3)
        assert answers.unknown.shape == answers.by_popularity.shape == (0,)


def test_numbers_of_clicks_follow_added_items_and_a_refit():
    log = pl.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 7]})
    table = pl.DataFrame({"item_id": [7, 8], "genres": ["war|drama", "war"]})
    model = ContentKNN().fit(Interactions.from_frame(log), Items.from_frame(table))
    assert model.answer([[]], k=3).scores.tolist() == [[2, 1]]
    model.add_items([{"item_id": 9, "genres": "war"}])
    answers = model.answer([[], [9]], k=3)
    assert answers.scores[0].tolist() == [2, 1, 0]
    assert answers.new[0].tolist() == [False, False, True]
    newer = pl.concat([log, pl.DataFrame({"user_id": [3, 3], "item_id": [8, 8]})])
    model.refit(Interactions.from_frame(newer), Items.from_frame(table))
    assert model.answer([[]], k=3).scores.tolist() == [[2, 2]]


def test_a_history_that_gives_every_item_the_score_0_is_answered_by_popularity(model, caplog):
    """Of items that nobody had clicked EASE has learned nothing: zeros are no order of a list."""
    answers = model.answer([["mug"], ["tea", "mug"], ["tea"]], k=2)
    assert answers.by_popularity.tolist() == [True, False, False]
    assert (answers.columns[0].tolist(), answers.scores[0].tolist()) == ([0, 1], [3, 2])
    np.testing.assert_array_equal(answers.scores[1:, 0] > 0, True)
    with caplog.at_level("INFO"):
        frame = model.recommend_for([["tea"], ["mug"]], k=2, titles=True)
    assert frame["answered_by"].to_list() == ["model"] * 2 + ["popularity"] * 2
    assert frame["score"].to_list()[2:] == [3, 2]
    assert "answered by popularity: 1 of 2 users" in caplog.text
    blocks = list(model.recommend_blocks_for([["tea"], ["mug"]], k=2, titles=True, users_per_block=1))
    assert pl.concat(blocks).equals(frame)


def test_a_user_of_such_a_history_is_told_why():
    clicks = csr_array(np.float32([[1, 1, 0], [1, 1, 0], [0, 0, 1]]))
    model = EASE(l2=1.0).fit(Interactions.from_csr(clicks, ["a", "b", "c"], ["tea", "cup", "mug"]))
    assert model.recommend(["c"], k=1, titles=True)["answered_by"].to_list() == ["popularity"]
    why = model.explain("c", "tea")
    assert (why.answered_by, why.score, why.by_item.height) == ("popularity", 2.0, 0)
    assert model.score_pairs(["c", "a"], ["tea", "tea"])["score"].to_list()[0] == 2.0


def test_a_late_score_that_is_not_0_counts():
    """Only items beyond the first hundreds have a score."""
    clicks = csr_array((np.ones(4, np.float32), ([0, 0, 1, 1], [998, 999, 998, 999])), shape=(2, 1000))
    model = EASE(l2=1.0).fit(Interactions.from_csr(clicks))
    answers = model.answer([[998], [3]], k=1)
    assert (answers.by_popularity.tolist(), answers.columns[0].tolist()) == ([False, True], [999])
