"""Evaluation.compare: two models in all candidate sets, metrics and groups."""

import json
import math

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, ContentKNN, Interactions, Popularity, evaluate
from isotherm.data import splits
from isotherm.data.folds import k_fold
from isotherm.errors import ParameterError
from isotherm.evaluation.groups import LABELS
from isotherm.evaluation.paired import holm, paired_test
from tests.evaluation.test_runner import Fixed


@pytest.fixture
def wide():
    """Users with 3 to about 150 clicks of 200 items."""
    rng = np.random.default_rng(0)
    x = (rng.random((50, 200)) < np.linspace(0.01, 0.8, 50)[:, None]).astype(np.float32)
    x[:, :3] = 1
    return Interactions.from_csr(csr_array(x))


@pytest.fixture
def measured(clicks, items):
    models = {"ease": EASE(), "knn": ContentKNN(), "popularity": Popularity()}
    return evaluate(splits.mixed(clicks, seed=0), models, items, ks=[3, 5])


def test_all_users_together_by_hand(measured):
    frame = measured.compare("knn", "popularity")
    assert frame.columns == ["candidates", "metric", "users", "difference", "low", "high", "p", "p_holm"]
    assert frame["metric"].unique().sort().to_list() == ["hr@3", "ndcg@3"]
    assert set(frame["candidates"]) == {"all", "cold", "warm"}
    for row in frame.rows(named=True):
        ours, theirs = (measured.models[name].per_user[row["candidates"]] for name in ("knn", "popularity"))
        difference, p = paired_test(ours[row["metric"]] - theirs[row["metric"]])
        assert (row["difference"], row["low"], row["high"]) == pytest.approx(
            (difference.mean, difference.low, difference.high)
        )
        assert row["p"] == p
        assert row["users"] == len(ours[row["metric"]])
    assert frame["p_holm"].to_list() == pytest.approx(holm(frame["p"].to_list()))


def test_all_columns_are_shown_as_text(measured):
    frame = measured.compare("ease", "knn", by="history")
    assert len(frame.columns) == 9
    for shown in (str(frame), repr(frame)):
        assert all(f" {column} " in shown.splitlines()[2] for column in frame.columns)
    assert "…" not in str(measured.compare("ease", "knn")).splitlines()[2]


def test_interval_leaves_0_out_where_p_says_so(measured):
    frame = pl.concat(
        [measured.compare(*pair, by="history") for pair in (("ease", "knn"), ("knn", "popularity"))]
    )
    apart = (frame["low"] > 0) | (frame["high"] < 0)
    assert apart.any()
    assert apart.to_list() == (frame["p"] < 0.05).to_list()


def test_other_way_round_is_the_negative(measured):
    one, other = measured.compare("ease", "knn"), measured.compare("knn", "ease")
    assert one["p"].to_list() == pytest.approx(other["p"].to_list())
    assert one["low"].to_list() == pytest.approx((-other["high"]).to_list())


def test_groups_by_history_are_there_without_being_asked_for(wide):
    found = evaluate(splits.leave_one_out(wide, seed=0), {"e": EASE(), "p": Popularity()}, ks=[5])
    assert found.models["e"].groups == {}
    frame = found.compare("e", "p", by="history", metric="ndcg@5")
    assert frame.columns[0] == "group"
    assert frame["group"].to_list() == LABELS["history"]
    assert frame["users"].sum() == len(found.models["e"].users["all"])
    whole = found.compare("e", "p", metric="ndcg@5")
    weighted = (frame["users"] * frame["difference"]).sum() / frame["users"].sum()
    assert weighted == pytest.approx(whole["difference"].item())


def test_a_single_user_tells_nothing_of_others(tmp_path):
    train = Interactions.from_frame(pl.DataFrame({"user_id": [1, 1, 2], "item_id": [10, 11, 12]}))
    test = Interactions.from_frame(pl.DataFrame({"user_id": [1], "item_id": [12]}))
    models = {"a": Fixed(row=[0, 0, 1]), "b": Fixed(row=[1, 1, 0])}
    found = evaluate(splits.given(train, test, None), models, ks=[1], candidates="clicked")
    for by in (None, "history"):
        rows = found.compare("a", "b", by=by).select("users", "difference", "low", "high", "p").rows()
        assert rows == [(1, 0.0, -math.inf, math.inf, 1.0)] * 2
    found.write_json(tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["comparisons"][0]["difference"] == {"mean": 0.0, "low": None, "high": None}


def test_other_groupings_are_compared_where_they_were_asked_for(clicks):
    timed = Interactions.from_frame(clicks.to_frame().with_row_index("timestamp"))
    split, models = splits.mixed(timed, seed=0), {"e": EASE(), "p": Popularity()}
    found = evaluate(split, models, ks=[5], by="item-age")
    groups = {name: found.models[name].groups["item-age"]["all"] for name in models}
    frame = found.compare("e", "p", by="item-age", candidates="all")
    assert frame["group"].unique(maintain_order=True).to_list() == list(groups["e"])
    for row in frame.rows(named=True):
        ours, theirs = (groups[name][row["group"]].metrics[row["metric"]].mean for name in models)
        assert row["difference"] == pytest.approx(ours - theirs)
    with pytest.raises(ParameterError, match=r"by 'item-age' is not measured, history is; give evaluate by="):
        evaluate(split, models, ks=[5]).compare("e", "p", by="item-age")


def test_folds_are_compared_over_users(wide):
    found = evaluate(k_fold(wide, "mixed", 3), {"e": EASE(), "p": Popularity()}, ks=[5])
    frame = found.compare("e", "p", candidates="all")
    assert frame["users"].to_list() == [len(found.models["e"].users["all"])] * 2
    assert frame["users"][0] <= wide.n_users


def test_metric_that_says_nothing_of_a_user_leaves_the_user_out(clicks, items):
    found = evaluate(splits.mixed(clicks), {"e": EASE(), "k": ContentKNN()}, items, ks=[1, 3])
    values = [found.models[name].per_user["all"]["diversity@3"] for name in "ek"]
    known = ~np.isnan(values[0] - values[1])
    frame = found.compare("e", "k", metric=["diversity@3", "diversity@1"], candidates=["all"])
    assert frame["metric"].to_list() == ["diversity@3"]
    assert frame["users"].to_list() == [known.sum()]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"first": "marec"}, "first must be one of 'ease', 'knn', 'popularity', not 'marec'"),
        ({"second": 3}, "second must be one of 'ease', 'knn', 'popularity', not 3"),
        ({"by": "clicks"}, "by must be one of 'history', 'item-age', 'users', not 'clicks'"),
        ({"by": ["history"]}, "by must be one of"),
        ({"metric": "ndcg"}, "metric must be one of 'hr@3', .*, not 'ndcg'"),
        ({"metric": "coverage@3"}, "metric must be one of .*, not 'coverage@3'"),
        ({"metric": 3}, "metric must be one of .*, not 3"),
        ({"candidates": "new"}, "candidates must be one of 'all', 'cold', 'warm', not 'new'"),
    ],
)
def test_names_that_are_not_there_are_refused_with_those_that_are(measured, asked, says):
    with pytest.raises(ParameterError, match=says):
        measured.compare(**{"first": "ease", "second": "knn"} | asked)


def test_an_evaluation_tells_itself_in_a_line(measured):
    asked = measured.split["test_clicks"], measured.split["test_users"]
    told = "Evaluation(mixed; ease, knn, popularity; {} clicks of {} users to find)"
    assert repr(measured) == told.format(*asked)
