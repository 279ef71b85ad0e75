"""Metrics of some users and of some items."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, ContentKNN, Interactions, Popularity, evaluate
from isotherm.data import splits
from isotherm.data.folds import k_fold
from isotherm.errors import ParameterError, SplitError, UnknownIdError
from isotherm.evaluation.candidates import candidate_sets
from isotherm.evaluation.groups import LABELS, by_history, by_item_age
from tests.evaluation.test_runner import Fixed


@pytest.fixture
def wide():
    """Users with 3 to about 150 clicks of 200 items."""
    rng = np.random.default_rng(0)
    x = (rng.random((50, 200)) < np.linspace(0.01, 0.8, 50)[:, None]).astype(np.float32)
    x[:, :3] = 1
    return Interactions.from_csr(csr_array(x))


def test_edges_of_the_groups_of_users():
    lengths = [1, 5, 6, 10, 11, 50, 51, 100, 101, 150]
    x = np.zeros((len(lengths), 160), dtype=np.float32)
    for row, n in enumerate(lengths):
        x[row, :n] = 1
    train = Interactions.from_csr(csr_array(x))
    test = np.zeros_like(x)
    test[:, 159] = 1
    split = splits.given(train, Interactions.from_csr(csr_array(test)))
    grouping = by_history(split)
    assert [grouping.labels[of] for of in grouping.group_of] == [
        label for label in LABELS["history"] for _ in range(2)
    ]
    everything = candidate_sets(split)[0]
    assert grouping.describe(everything) == {
        label: {"users": 2, "clicks": 2, "new_item_share": 1.0} for label in LABELS["history"]
    }


def test_weighted_mean_of_the_groups_is_the_whole(wide):
    split = splits.leave_one_out(wide, seed=0)
    found = evaluate(split, {"e": EASE(), "p": Popularity()}, ks=[5], by=["history"])
    assert set(found.split["groups"]["history"]) == set(LABELS["history"])
    for result in found.models.values():
        groups = result.groups["history"]["all"]
        assert list(groups) == LABELS["history"]
        assert sum(group.users for group in groups.values()) == split.histories.n_users
        for metric in ("hr@5", "ndcg@5", "novelty@5"):
            mean = sum(group.users * group.metrics[metric].mean for group in groups.values())
            assert mean / split.histories.n_users == pytest.approx(result.metrics["all"][metric].mean)


def test_groups_of_items_by_their_first_click():
    """Items 0 … 7 appear one after the other, 8 never in train."""
    rows = [(user, item, 10 * item + user) for item in range(8) for user in range(3)]
    train = Interactions.from_frame(
        pl.DataFrame(rows, schema=["user_id", "item_id", "timestamp"], orient="row")
    )
    extra = pl.DataFrame({"user_id": [9] * 8, "item_id": range(8), "timestamp": [100] * 8}).filter(
        pl.col("item_id") < 1
    )
    train = Interactions.from_frame(
        pl.concat([train.to_frame().drop("weight"), extra], how="vertical_relaxed")
    )
    test = Interactions.from_frame(pl.DataFrame({"user_id": [9, 9, 9], "item_id": [1, 7, 8]}))
    split = splits.given(train, test)
    grouping = by_item_age(split)
    assert grouping.group_of.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    assert grouping.facts["oldest quarter"] == {"items": 2, "first": "0", "last": "10"}
    assert grouping.facts["no click yet"] == {"items": 1}
    found = evaluate(split, {"m": Fixed(row=[0, 9, 1, 2, 3, 4, 5, 8, 6])}, ks=[1, 2], by="item-age")
    groups = found.models["m"].groups["item-age"]["all"]
    assert list(groups) == ["oldest quarter", "newest quarter", "no click yet"]
    assert {label: group.metrics["mrr@2"].mean for label, group in groups.items()} == {
        "oldest quarter": 1.0, "newest quarter": 0.5, "no click yet": 0.0,
    }  # fmt: skip
    assert "novelty@2" not in groups["oldest quarter"].metrics


def test_recall_of_item_groups_weighted_by_their_targets_is_the_whole(clicks):
    timed = Interactions.from_frame(clicks.to_frame().with_row_index("timestamp"))
    split = splits.mixed(timed, seed=0)
    found = evaluate(split, {"e": EASE()}, ks=[30], by=["item-age"])
    assert all(
        group.metrics["recall@30"].mean == 1.0
        for group in found.models["e"].groups["item-age"]["all"].values()
    )


def test_groups_need_what_they_group_by(clicks):
    with pytest.raises(ParameterError, match="item-age need timestamps; name their column"):
        evaluate(splits.strong(clicks), {"p": Popularity()}, by=["item-age"])
    with pytest.raises(ParameterError, match="by must be one of 'history', 'item-age', 'users', not 'age'"):
        evaluate(splits.strong(clicks), {"p": Popularity()}, by=["age"])


def test_groups_are_put_together_over_folds(wide):
    found = evaluate(k_fold(wide, "strong", 3), {"e": EASE()}, ks=[5], by="history")
    groups = found.models["e"].groups["history"]["all"]
    assert sum(group.users for group in groups.values()) == len(found.models["e"].users["all"])
    merged = found.split["groups"]["history"]
    assert {label: each["users"] for label, each in merged.items()} == {
        label: group.users for label, group in groups.items()
    }
    assert sum(each["clicks"] for each in merged.values()) == found.split["test_clicks"]
    assert all("history" in fold["groups"] for fold in found.split["folds"])
    frame = found.groups_frame()
    assert set(frame.columns) == {
        "by", "group", "users", "model", "candidates", "metric", "mean", "low", "high",
    }  # fmt: skip


def test_some_users_alone_have_the_values_that_they_have_among_all(clicks, items):
    split = splits.mixed(clicks, seed=0)
    whole = evaluate(split, {"m": ContentKNN(), "p": Popularity()}, items, ks=[4])
    wanted = ["u07", "u31", "u02", "u07"]
    some = evaluate(split, {"m": ContentKNN(), "p": Popularity()}, items, ks=[4], users=wanted)
    for name in ("m", "p"):
        for candidates in some.models[name].metrics:
            users = whole.models[name].users[candidates].to_list()
            rows = [users.index(user) for user in some.models[name].users[candidates]]
            for metric, values in some.models[name].per_user[candidates].items():
                np.testing.assert_array_equal(values, whole.models[name].per_user[candidates][metric][rows])
    assert some.split["candidates"]["all"]["users"] == 3
    assert some.split["dropped"] == {}


def test_all_users_asked_for_is_as_none(clicks):
    split = splits.strong(clicks, seed=0)
    every = split.histories.users.values
    one, other = (evaluate(split, {"e": EASE()}, ks=[4], users=users) for users in (None, every))
    assert one.models["e"].metrics == other.models["e"].metrics


def test_users_that_cannot_be_measured_are_counted_or_named(clicks):
    split = splits.strong(clicks, seed=0)
    tested = split.histories.users.values[0]
    trained = next(user for user in clicks.users.values if user not in split.histories.users.values)
    found = evaluate(split, {"p": Popularity()}, users=[tested, trained])
    assert found.split["dropped"] == {"users asked for with nothing to find": 1}
    with pytest.raises(SplitError, match="of 1 user to measure, none has a hidden click"):
        evaluate(split, {"p": Popularity()}, users=[trained])
    with pytest.raises(SplitError, match="of 0 users to measure"):
        evaluate(split, {"p": Popularity()}, users=[])
    with pytest.raises(UnknownIdError, match="not in the log: 2 of 3 users to measure, 'x', 'y'"):
        evaluate(split, {"p": Popularity()}, users=["x", tested, "y"])
    with pytest.raises(ParameterError, match="users must be a list of ids, not"):
        evaluate(split, {"p": Popularity()}, users="u01")


def test_some_users_over_folds(clicks):
    folds = k_fold(clicks, "strong", 4, seed=0)
    first = list(folds[0].histories.users.values[:2])
    found = evaluate(folds, {"p": Popularity()}, users=first, ks=[3])
    assert sorted(found.models["p"].users["all"]) == sorted(first)
    assert [fold["fold"] for fold in found.split["folds"]] == [1]
