"""Ids come back as they were given, and ids of two types find each other where they can."""

import datetime
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import Columns, Interactions, Items
from isotherm.data import IdMap
from isotherm.errors import InteractionsError, ParameterError, UnknownIdError
from isotherm.models.popularity import Popularity

UUIDS = [uuid.UUID(int=n) for n in (5, 9)]
DAY = datetime.date(2026, 1, 31)

FOUND = {
    "text among numbers": ([1, 2], ["2", "02", "x"], [1, -1, -1]),
    "numbers among text": (["1", "02"], [1, 2], [0, -1]),
    "numbers and text": ([1, 2], ["2", 1], [1, 0]),
    "whole floats among numbers": ([1, 2], [2.0, 1.5], [1, -1]),
    "numbers among floats": ([1.0, 2.5], [1, 2], [0, -1]),
    "text among floats": ([1.0, 2.5], ["1", "1.0", "2.5", "x"], [0, 0, 1, -1]),
    "numbers too wide": ([1, 2], [2**63, 2**64, 2], [-1, -1, 1]),
    "numbers among wide ones": ([2**63, 1], [1, -1], [1, -1]),
    "text among wide ones": ([2**64, 1], ["1", str(2**64)], [1, 0]),
    "text among bytes": ([b"ann", b"\xff"], ["ann", "bob"], [0, -1]),
    "bytes among text": (["ann"], [b"ann", b"bob"], [0, -1]),
    "UUIDs among their text": ([str(one) for one in UUIDS], UUIDS, [0, 1]),
    "UUIDs among 16 bytes": ([one.bytes for one in UUIDS], [UUIDS[1], uuid.UUID(int=1)], [1, -1]),
    "text among days": ([DAY], ["2026-01-31", "2026-02-01", "x"], [0, -1, -1]),
    "text among truths": ([True, False], ["false", "true", "1"], [1, 0, -1]),
    "NumPy's": ([1, 2], np.array([2, 3]), [1, -1]),
    "NumPy's texts": (["a"], np.array(["a", "b"]), [0, -1]),
    "NumPy's objects": ([1, 2], np.array([2, "x"], dtype=object), [1, -1]),
    "pandas'": (["a"], pd.Series(["a", "b"]), [0, -1]),
    "Arrow's": ([1, 2], pa.chunked_array([[2], [3]]), [1, -1]),
    "none": ([1, 2], [], []),
    "null": ([1, 2], [None, 2], [-1, 1]),
}


@pytest.mark.parametrize("case", FOUND.values(), ids=FOUND)
def test_ids_of_another_type_are_found(case):
    own, asked, rows = case
    assert IdMap(own).rows(asked).tolist() == rows


@pytest.mark.parametrize("asked", [[DAY], [True], [b"1"], [[1]], [object()], [2**200], [1, DAY]])
def test_ids_that_never_compare_are_refused(asked):
    with pytest.raises(UnknownIdError):
        IdMap([1, 2]).rows(asked)


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"user_id": UUIDS, "item_id": ["1", "2"]}),
        pd.DataFrame({"user_id": UUIDS, "item_id": ["1", "2"]}),
        pa.table({"user_id": pa.array([one.bytes for one in UUIDS], pa.uuid()), "item_id": ["1", "2"]}),
        pd.DataFrame({"user_id": pd.array(UUIDS, pd.ArrowDtype(pa.uuid())), "item_id": ["1", "2"]}),
    ],
    ids=["polars", "pandas", "arrow", "pandas with arrow"],
)  # fmt: skip
def test_uuids_and_digits_come_back_from_a_saved_model(frame, tmp_path):
    Popularity().fit(Interactions.from_frame(frame)).save(tmp_path / "model")
    model = isotherm.load(tmp_path / "model")
    for asked in (UUIDS[1], str(UUIDS[1])):
        lists = model.recommend([asked], k=5, exclude_seen=False)
        assert lists.select("user_id", "item_id").rows() == [(str(UUIDS[1]), "1"), (str(UUIDS[1]), "2")]
    assert model.recommend([UUIDS[0]], candidates=[2], exclude_seen=False)["item_id"].to_list() == ["2"]


def test_catalogues_of_two_types_are_one_of_text():
    assert IdMap([1, 2]).union(IdMap(["2", "A40"])).values.to_list() == ["1", "2", "A40"]
    assert IdMap([1, -2]).union(IdMap([2**64])).values.to_list() == [1, -2, 2**64]
    with pytest.raises(UnknownIdError, match="ids of type Date were given where"):
        IdMap([1]).union(IdMap([DAY]))


GIVEN = {
    "None": ([None, 1], "row 1: None is no id"),
    "NaN": ([1.0, float("nan")], "row 2: nan is no id"),
    "pandas' NA": (pd.array([1, None], dtype="Int64"), "row 2: None is no id"),
    "lists": ([[1], [2]], r"List\(Int64\) cannot be an id"),
    "one twice": (["a", "a"], "'a' stands in rows 1, 2"),
    "too few": (["a"], r"[12] user_ids? and [12] item_ids? for a matrix of \(2, 2\)"),
    "one text": ("ab", "takes a list of ids, not 'ab'"),
    "a number": (5, "takes a list of ids, not 5"),
    "objects": ([object(), object()], "cannot be ids"),
    "days and numbers": ([DAY, 1], "must all be of one type"),
}


@pytest.mark.parametrize("case", GIVEN.values(), ids=GIVEN)
def test_ids_given_beside_a_matrix_are_checked(case):
    for name in ("user_ids", "item_ids"):
        with pytest.raises(InteractionsError, match=case[1]):
            Interactions.from_csr(csr_array(np.eye(2)), **{name: case[0]})


MATRICES = {
    "too large": (csr_array(np.array([[1e39]])), "beyond what a weight can be"),
    "too small": (csr_array(np.array([[1e-46]])), "beyond what a weight can be"),
    "too large together": (csr_array((np.full(2, 3e38), ([0, 0], [0, 0]))).astype(np.float64), "beyond what"),
    "complex": (csr_array(np.array([[1j]])), "of numbers is needed, not complex128"),
    "one dimension": (np.ones(3), "in 1 dimension"),
    "text": ("x", "a sparse matrix"),
    "columns that are not there": (csr_array((np.ones(1), [7], [0, 1]), shape=(1, 9)), "indices must be < 9"),
}


@pytest.mark.parametrize("case", MATRICES.values(), ids=MATRICES)
def test_a_matrix_holds_weights_that_float32_holds(case):
    matrix, words = case
    if "indices" in words:
        matrix.indices[0] = 99
    with pytest.raises(InteractionsError, match=words):
        Interactions.from_csr(matrix)


def test_a_pandas_index_is_a_column_where_its_name_is_asked_for():
    frame = pd.DataFrame({"item_id": [1, 2]}, index=pd.Index(["a", "b"], name="user_id"))
    assert Interactions.from_frame(frame).users.values.to_list() == ["a", "b"]
    table = pd.DataFrame({"year": [1.0, 2.0]}, index=pd.Index(["a", "b"], name="item_id"))
    assert Items.from_frame(table).ids.values.to_list() == ["a", "b"]


def test_what_nobody_asked_for_may_be_mixed_or_stand_twice():
    frame = pd.DataFrame([[1, 2, "a", 3], [2, 2, 5, 3]], columns=["user_id", "item_id", "note", "note"])
    assert Interactions.from_frame(frame).n_clicks == 2
    with pytest.raises(InteractionsError, match="column 'item_id' stands twice in the frame"):
        Interactions.from_frame(pd.DataFrame([[1, 2, 3]], columns=["user_id", "item_id", "item_id"]))


def test_a_column_has_one_role():
    with pytest.raises(ParameterError, match="'a' is named as both user and item"):
        Columns(user="a", item="a")
    rated = Columns(rating="stars", weight="stars")  # a rating may well be the weight
    log = pl.DataFrame({"user_id": [1, 1], "item_id": [1, 2], "stars": [2.0, 5.0], "weight": [9.0, 9.0]})
    assert Interactions.from_frame(log, columns=rated, min_rating=1).matrix.data.tolist() == [2, 5]
    assert Interactions.from_frame(log, columns=Columns(rating="weight")).matrix.data.tolist() == [1, 1]


def test_iso_dates_of_items_are_days(tmp_path):
    (tmp_path / "items.csv").write_text("item_id,born\n1,2020-01-01\n2,\n")
    items = Items.read(tmp_path / "items.csv")
    assert repr(items) == "Items(2 items; born: number, e.g. 2020-01-01)"
    assert items.column("born").to_list() == [18262.0, None]
    frame = pl.DataFrame({"item_id": [1, 2, 3], "x": ["nan", "5", "NaN"]})
    assert Items.from_frame(frame).column("x").to_list() == [None, 5.0, None]


@pytest.mark.parametrize(
    ("known", "asked", "expected"),
    [
        (["a", "b"], ["b", "x", "b"], [1, -1, 1]),
        ([5, 7], [7, 8], [1, -1]),
        ([5, 7], [], []),
        ([5, 7], [2**64], None),  # what else a number of so many bits may be, the join knows
        ([5, 7], ["7"], None),
        ([5, 7], [7.0], None),
        ([5, 7], [True], None),
        (["a"], ["a", 1], None),
        ([1.5], [1.5], None),
    ],
)
def test_few_ids_are_looked_up_as_a_join_finds_them(known, asked, expected):
    ids = IdMap(known)
    found = ids.rows_of_few(asked)
    assert found is expected if expected is None else found.tolist() == ids.rows(asked).tolist() == expected


def test_rows_count_from_the_first():
    ids = IdMap(["tea", "cup", "pot"])
    assert ids.take(np.array([2, 0, 2])).to_list() == ["pot", "tea", "pot"]
    assert ids.take(np.empty(0, dtype=np.int64)).to_list() == []
    with pytest.raises(pl.exceptions.OutOfBoundsError):
        ids.take(np.array([-1]))  # no item, as where a list is shorter: not the last one
