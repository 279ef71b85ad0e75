"""What is handed to a fitted model from Python: whatever it is, a right answer or one clear line."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, FitOptions, Interactions, ItemKNN, Popularity
from isotherm.errors import InteractionsError, IsothermError, ParameterError, UnknownIdError
from isotherm.models.base import Recommender
from isotherm.models.registry import REGISTRY, model_class

HISTORY = ["i03", "i04"]
TABLE = pl.DataFrame({"user_id": ["u1", "u1", "u2"], "item_id": ["i03", "i04", "i03"]})


@pytest.fixture
def model(clicks):
    return EASE(l2=5.0).fit(clicks)


def numbered():
    """A model whose ids are whole numbers: users 1, 2, 3 and items 10, 20, 30, 40."""
    x = csr_array(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 1]], dtype=np.float32))
    return EASE(l2=1.0).fit(Interactions.from_csr(x, [1, 2, 3], [10, 20, 30, 40]))


def refuses(ask, says, error=ParameterError):
    """One clear line of the right class."""
    with pytest.raises(error, match=re.escape(says)) as raised:
        ask()
    assert isinstance(raised.value, IsothermError)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 500


NO_LIST = {
    "a number": (1, "must be a list of ids, not 1: give [1]"),
    "a NumPy number": (np.int64(7), "must be a list of ids, not np.int64(7)"),
    "text": ("ann", "must be a list of ids, not 'ann': give ['ann']"),
    "bytes": (b"ann", "must be a list of ids, not b'ann'"),
    "true": (np.True_, "must be a list of ids, not a bool"),
    "a float": (1.5, "must be a list of ids, not 1.5"),
    "a mapping": ({"u01": 1}, "must be a list of ids, not a dict"),
    "a polars frame": (TABLE, "must be a list of ids, not a DataFrame"),
    "a pandas frame": (TABLE.to_pandas(), "must be a list of ids, not a DataFrame"),
    "an Arrow table": (TABLE.to_arrow(), "must be a list of ids, not a Table"),
    "a lazy frame": (TABLE.lazy(), "must be a list of ids, not a LazyFrame"),
    "no dimension": (np.array("ann"), "must be a list of ids, not a ndarray"),
    "a function": (len, "must be a list of ids, not a builtin_function_or_method"),
    "very long text": ("x" * 10**6, "must be a list of ids, not 'xxx"),
    "a null": (["u01", None], "holds 1 missing id (null)"),
    "a null in a column": (pl.Series(["u01", None, None]), "holds 2 missing ids (null)"),
}


@pytest.mark.parametrize("case", NO_LIST)
def test_what_is_no_list_of_ids_is_refused_wherever_ids_are_asked_for(model, case):
    given, says = NO_LIST[case]
    for name, ask in {
        "users": lambda: model.recommend(given),
        "candidates": lambda: model.recommend(candidates=given),
        "exclude": lambda: model.recommend_for([HISTORY], exclude=given),
        "history 1": lambda: model.recommend_for([HISTORY, given]),
    }.items():
        if name == "history 1" and case == "a mapping":
            continue  # a history with weights
        refuses(ask, f"{name} {says}")
    refuses(lambda: model.score_pairs(given, ["i01"]), f"users {says}")
    refuses(lambda: model.score_pairs(["u01"], given), f"items {says}")


def test_lists_of_lists_are_no_users(model):
    for given in ([["u01"]], pl.Series([["u01"]]), np.array([["u01"]]), [("u01", "u02")]):
        refuses(
            lambda given=given: model.recommend(given), "users must be a list of ids, not a list of lists"
        )


SAME = {
    "a tuple": tuple,
    "a generator": iter,
    "a dict's keys": lambda ids: dict.fromkeys(ids).keys(),
    "a NumPy array": np.array,
    "an array of objects": lambda ids: np.array(ids, dtype=object),
    "a polars column": pl.Series,
    "polars categories": lambda ids: pl.Series(ids, dtype=pl.Categorical),
    "a pandas column": pd.Series,
    "pandas categories": lambda ids: pd.Series(ids, dtype="category"),
    "a pandas index": pd.Index,
    "an Arrow array": pa.array,
    "an Arrow chunked array": lambda ids: pa.chunked_array([pa.array(ids[:1]), pa.array(ids[1:])]),
}


@pytest.mark.parametrize("case", SAME)
def test_any_list_of_ids_will_do(model, case):
    made = SAME[case]
    users, few, none = ["u05", "u17"], ["i03", "i07"], ["i07", "i00"]
    expected = model.recommend(users, k=3, candidates=few, exclude=none, exclude_seen=False)
    found = model.recommend(made(users), k=3, candidates=made(few), exclude=made(none), exclude_seen=False)
    assert expected.height == 2
    assert found.equals(expected)
    assert model.recommend_for([made(HISTORY)], k=3).equals(model.recommend_for([HISTORY], k=3))
    assert model.score_pairs(made(users), made(few)).equals(model.score_pairs(users, few))
    each = model.recommend(users, candidates=[made(few), made(few)], exclude=[made(none), made(none)], k=3)
    assert each.equals(model.recommend(users, candidates=few, exclude=none, k=3))


@pytest.mark.parametrize("made", [set, frozenset, pl.Series, np.array, pa.array, pd.Series])
def test_whole_numbers_of_any_kind_are_ids(made):
    model = numbered()
    expected = model.recommend([1], candidates=[30, 40], k=2)
    assert expected["item_id"].to_list() != []
    for dtype in ("int8", "uint16", "int64", "uint64"):
        found = model.recommend(np.array([1], dtype=dtype), candidates=made([30, 40]), k=np.int64(2))
        assert found.equals(expected)
    assert model.recommend([np.int32(1)], candidates=[np.int64(30), 40], k=2).equals(expected)
    weighted = model.recommend_for([{np.int64(10): np.float32(2), np.int8(20): np.int64(1)}], k=2)
    assert weighted.equals(model.recommend_for([{10: 2.0, 20: 1}], k=2))


def test_users_are_answered_in_the_order_given_and_as_often(model):
    found = model.recommend(["u17", "u05", "u17"], k=2)
    assert found["user_id"].to_list() == ["u17", "u17", "u05", "u05", "u17", "u17"]
    assert found[:2].equals(found[4:])


@pytest.mark.parametrize("given", [[], (), set(), iter([]), np.array([]), pl.Series([], dtype=pl.Int64)])
def test_no_users_no_candidates_and_no_histories_give_no_rows(model, given):
    schema = model.recommend(k=1).schema
    assert model.recommend(given).schema == schema
    assert model.recommend(given).height == 0
    assert model.recommend(candidates=list(given)).height == 0
    assert model.recommend(candidates=list(given)).schema == schema
    assert model.recommend_for(list(given)).height == 0
    assert model.recommend(exclude=list(given), k=1).height == 60


NO_HISTORIES = {
    "text": ("abc", "a list of histories, each a list of item ids or {item: weight}, not 'abc'"),
    "a number": (3, "a list of histories, each a list of item ids or {item: weight}, not 3"),
    "none": (None, "not None"),
    "one history with weights": ({"i03": 2.0}, "not a dict"),
    "a frame": (TABLE, "not a DataFrame: give Interactions.from_frame(table)"),
    "items": ([1, 2], "history 0 must be a list of ids, not 1: give [1]"),
    "item ids": (["i03", "i04"], "history 0 must be a list of ids, not 'i03': give ['i03']"),
    "a column": (pl.Series(["i03"]), "history 0 must be a list of ids, not 'i03'"),
    "a frame a user": ([TABLE], "history 0 must be a list of ids, not a DataFrame"),
    "lists of lists": ([[["i03"]]], "history 0 must be a list of ids, not a list of lists"),
    "no history": ([HISTORY, None], "history 1 must be a list of ids, not None"),
}


@pytest.mark.parametrize("case", NO_HISTORIES)
def test_what_is_no_list_of_histories_is_refused(model, case):
    given, says = NO_HISTORIES[case]
    refuses(lambda: model.recommend_for(given), says)


WEIGHTS = [0, -1, -0.5, float("nan"), float("inf"), 1e39, 1e-60, 10**400, "2", None, True, [1], 1 + 0j]


@pytest.mark.parametrize("weight", WEIGHTS, ids=lambda weight: repr(weight)[:12])
def test_a_weight_is_a_finite_number_above_0(model, weight):
    refuses(
        lambda: model.recommend_for([HISTORY, {"i03": 1.0, "i04": weight}]),
        "history 1: the weight of item 'i04' is ",
        InteractionsError,
    )


def test_weights_too_large_to_score_are_refused(clicks):
    model = ItemKNN(shrinkage=0).fit(clicks)
    history = dict.fromkeys(model.items_.values[:10], 3e38)
    refuses(lambda: model.recommend_for([history]), "are weights of the histories too large?")


def test_a_history_may_be_any_list_or_mapping_and_repeats_count_once(model):
    expected = model.recommend_for([HISTORY], k=4)
    for history in (("i04", "i03", "i04"), {"i03": 1, "i04": 1.0}, pl.Series(HISTORY), {"i03", "i04"}):
        assert model.recommend_for([history], k=4).equals(expected)
    assert model.recommend_for(iter([iter(HISTORY)]), k=4).equals(expected)
    assert model.recommend_for(np.array([HISTORY]), k=4).equals(expected)
    other = model.recommend_for([{"i03": 5.0, "i04": 1.0}], k=4)
    assert not other["score"].equals(expected["score"])


def test_an_item_named_as_number_and_as_text_is_one(model):
    once = numbered().recommend_for([[10], {10: 3.0}])
    assert numbered().recommend_for([[10, "10", 10], {10: 1.0, "10": 2.0}]).equals(once)
    refuses(lambda: numbered().recommend_for([{10: 3e38, "10": 3e38}]), "added up", InteractionsError)


def test_a_click_log_is_a_list_of_histories_with_ids(model):
    found = model.recommend_for(Interactions.from_frame(TABLE), k=2)
    assert found["user_id"].to_list() == ["u1", "u1", "u2", "u2"]
    expected = model.recommend_for([["i03", "i04"], ["i03"]], k=2)
    assert found.drop("user_id").equals(expected.drop("user_id"))


SETS = {
    "too few lists": ([["i01"]], "holds 1 list, and there are 2 users"),
    "too many lists": ([["i01"]] * 3, "holds 3 lists, and there are 2 users"),
    "a column of too many": (pl.Series([["i01"]] * 3), "holds 3 lists, and there are 2 users"),
    "a list and an id": ([["i01"], "i02"], "one list per user, not both: entry 1 is 'i02'"),
    "an id and a list": (["i01", ["i02"]], "one list per user, not both: entry 0 is 'i01'"),
    "no list for one": ([["i01"], None], "one list per user, not both: entry 1 is None"),
    "a null list": (pl.Series([["i01"], None]), "holds 1 missing list (null)"),
    "a null in a list": ([["i01"], ["i02", None]], "[1] holds 1 missing id (null)"),
    "lists too deep": ([["i01"], [["i02"]]], "[1] must be a list of ids, not a list of lists"),
    "a mapping of lists": ({"u05": ["i01"]}, "must be a list of ids, not a dict"),
}


@pytest.mark.parametrize("name", ["candidates", "exclude"])
@pytest.mark.parametrize("case", SETS)
def test_lists_a_user_must_be_one_for_each(model, name, case):
    given, says = SETS[case]
    refuses(lambda: model.recommend(["u05", "u17"], **{name: given}), f"{name}")
    refuses(lambda: model.recommend(["u05", "u17"], **{name: given}), says)
    refuses(lambda: model.recommend_for([HISTORY, HISTORY], **{name: given}), says)


UNORDERED = {("i01",), ("i02",)}


def test_what_must_be_in_an_order_may_not_be_a_set(model):
    for name in ("candidates", "exclude"):
        refuses(
            lambda name=name: model.recommend(["u05", "u17"], **{name: UNORDERED}),
            f"{name} must be in an order",
        )
    refuses(lambda: model.recommend_for(UNORDERED), "not a set")
    refuses(
        lambda: model.score_pairs({"u05", "u17"}, ["i01", "i02"]),
        "users must be in an order, and a set has none",
    )
    refuses(
        lambda: model.score_pairs(["u05", "u17"], {"i01", "i02"}),
        "items must be in an order, and a set has none",
    )


def test_items_are_compared_among_ids_for_all(model):
    for given in ([["i02"]], pl.Series([["i02"]])):
        for name in ("candidates", "exclude"):
            refuses(
                lambda name=name, given=given: model.similar_items("i01", **{name: given}),
                f"{name} must be a list of ids, not a list of lists",
            )


@pytest.mark.parametrize("value", ["no", 1, None, np.array([True, False])], ids=str)
def test_exclude_seen_is_true_or_false(model, value):
    refuses(lambda: model.recommend(exclude_seen=value), "exclude_seen must be true or false")
    assert model.recommend(["u05"], k=3, exclude_seen=np.bool_(True)).height == 3


class Unhashable:
    """What cannot be looked up."""

    __hash__ = None


def test_what_cannot_be_an_id_is_refused(model):
    for strange in (object(), Unhashable(), bytearray(b"i03"), np.datetime64("NaT")):
        for ask in (
            lambda strange=strange: model.recommend([strange]),
            lambda strange=strange: model.recommend_for([[strange]]),
            lambda strange=strange: model.recommend(candidates=[strange]),
            lambda strange=strange: model.similar_users(strange),
        ):
            with pytest.raises(IsothermError) as raised:
                ask()
            assert "\n" not in str(raised.value)


def test_unknown_candidates_are_named_and_unknown_excluded_items_counted(model, caplog):
    caplog.set_level("INFO", "isotherm")
    users = ["u05", "u17"]
    each = [["i01"], ["x"]]
    for given, known in ((["i01", "x"], ["i01"]), (each, [["i01"], []]), (pl.Series(each), [["i01"], []])):
        refuses(
            lambda given=given: model.recommend(users, candidates=given),
            "1 unknown item id: 'x'",
            UnknownIdError,
        )
        caplog.clear()
        found = model.recommend(users, exclude=given, k=100)
        assert "1 unknown item id left out of exclude: 'x'" in caplog.text
        assert found.equals(model.recommend(users, exclude=known, k=100))
        refuses(
            lambda given=given: model.recommend(["u05", "x"], exclude=given),
            "1 unknown user id: 'x'",
            UnknownIdError,
        )


def test_an_unknown_user_keeps_the_id_it_was_asked_with():
    model = numbered()
    found = model.recommend([np.int8(7), 2], k=1, unknown="popular")
    assert found["user_id"].to_list() == [7, 2]
    assert found["user_id"].dtype == pl.Int64


@pytest.mark.parametrize("unknown", ["ignore", None, True, ["skip"], 1])
def test_unknown_is_one_of_three_words(model, unknown):
    for ask in (model.recommend, lambda **told: model.recommend_for([HISTORY], **told)):
        refuses(lambda ask=ask: ask(unknown=unknown), "unknown must be one of 'error', 'skip', 'popular'")


@pytest.mark.parametrize("k", [0, -1, 1.5, "ten", None, float("nan"), True, [10], 1 + 0j])
def test_k_is_a_whole_number_from_1_on(model, k):
    for ask in (
        lambda: model.recommend(k=k),
        lambda: model.recommend_for([HISTORY], k=k),
        lambda: model.similar_items("i01", k=k),
        lambda: model.similar_users("u05", k=k),
    ):
        refuses(ask, "k must be a whole number")


@pytest.mark.parametrize("k", [np.int64(3), np.uint8(3), 3.0, np.float32(3)])
def test_k_may_be_any_number_that_is_whole(model, k):
    assert model.recommend(["u05"], k=k).height == 3
    assert model.similar_items("i01", k=k).height == 3
    assert model.similar_users("u05", k=k).height == 3


def test_one_id_is_asked_for_where_one_is_compared_or_explained(model):
    for given in (["i01"], None, ("i01",), pl.Series(["i01"]), {"i01": 1}):
        refuses(lambda given=given: model.similar_items(given), "item must be one id, not ")
        refuses(lambda given=given: model.explain("u05", given), "item must be one id, not ")
        refuses(lambda given=given: model.explain(given, "i01"), "user must be one id, not ")
        refuses(lambda given=given: model.similar_users(given), "user must be one id, not ")
    refuses(lambda: model.similar_items("x"), "1 unknown item id: 'x'", UnknownIdError)
    refuses(lambda: model.similar_users("x"), "1 unknown user id: 'x'", UnknownIdError)
    refuses(lambda: model.explain("x", "i01"), "1 unknown user id: 'x'", UnknownIdError)
    refuses(lambda: model.explain("u05", "x"), "1 unknown item id: 'x'", UnknownIdError)


def test_pairs_need_one_of_each(model):
    refuses(
        lambda: model.score_pairs(["u05", "u17"], ["i01"]), "2 users and 1 item: a pair needs one of each"
    )
    refuses(lambda: model.score_pairs(["u05", "x"], ["i01", "i02"]), "unknown user id: 'x'", UnknownIdError)
    refuses(lambda: model.score_pairs(["u05", "u17"], ["i01", "x"]), "unknown item id: 'x'", UnknownIdError)


def test_data_of_another_kind_and_swapped_data_are_refused(clicks, items, item_frame):
    for ask in (lambda: EASE().fit(TABLE), lambda: EASE().fit(TABLE.to_pandas()), lambda: EASE().fit(None)):
        refuses(ask, "clicks must be Interactions, not ")
        refuses(ask, "give Interactions.from_frame(…)")
    swapped = "clicks come first, items second: fit(clicks, items)"
    refuses(lambda: EASE().fit(items, clicks), f"clicks must be Interactions, not Items; {swapped}")
    refuses(lambda: EASE().fit(clicks, clicks), f"items must be Items, not Interactions; {swapped}")
    refuses(
        lambda: EASE().fit(clicks, item_frame), "items must be Items, not DataFrame; give Items.from_frame(…)"
    )
    refuses(lambda: EASE().fit(clicks).refit(TABLE), "clicks must be Interactions, not DataFrame")
    content = model_class("content-knn")().fit(clicks, items)
    refuses(lambda: content.add_items(clicks), "new items must be Items, not Interactions")
    vae = model_class("multvae")()
    refuses(
        lambda: vae.fit(clicks, options=FitOptions(valid=TABLE)), "valid must be Interactions, not DataFrame"
    )


def test_no_model_scores_past_the_check_of_the_base_class():
    for name in REGISTRY:
        for contract in (
            "score",
            "recommend",
            "recommend_for",
            "similar_items",
            "similar_users",
            "score_pairs",
        ):
            assert getattr(model_class(name), contract) is getattr(Recommender, contract), (name, contract)


def test_scores_of_a_dense_block_are_refused(clicks):
    model = Popularity().fit(clicks)
    block = clicks.matrix[:2]
    refuses(
        lambda: model.score(block.toarray()), "not ndarray: give scipy.sparse.csr_array(x)", InteractionsError
    )
    refuses(lambda: model.score(clicks), "not Interactions: give its .matrix", InteractionsError)
    refuses(lambda: model.score(TABLE), "not DataFrame", InteractionsError)
    np.testing.assert_array_equal(model.score(block.tocsc()), model.score(block))
