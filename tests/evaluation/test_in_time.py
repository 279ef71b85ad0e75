"""Evaluation of splits in time: two kinds of users, the items that were there, several cuts."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isotherm import EASE, Interactions, Items, KernelRidge, Popularity, evaluate
from isotherm.data.splits import mixed, rolling, temporal
from isotherm.errors import ItemsError, ParameterError
from tests.evaluation.test_runner import Fixed


def log(n_users=60, n_items=30, seed=0):
    """Users come and items appear one after the other, over the days of 2018."""
    rng = np.random.default_rng(seed)
    users, items = np.nonzero(rng.random((n_users, n_items)) < 0.4)
    day = np.maximum(6 * users, 12 * items) + rng.integers(0, 90, len(users))
    times = pl.Series(np.datetime64("2018-01-01") + day.astype("timedelta64[D]"))
    return Interactions.from_frame(pl.DataFrame({"user_id": users, "item_id": items, "timestamp": times}))


@pytest.fixture
def clicks():
    return log()


def table(n_items=30, kinds=None, **fields):
    ids = range(n_items)
    frame = pl.DataFrame({"item_id": ids, "genre": [[str(i % 3)] for i in ids], **fields})
    return Items.from_frame(frame, kinds)


def test_returning_and_new_users_are_told_apart_and_together(clicks):
    split = temporal(clicks, 0.4)
    found = evaluate(split, {"p": Popularity(), "e": EASE()}, ks=[5])
    facts = found.split["groups"]["users"]
    n_returning = int(split.returning.sum())
    assert 0 < n_returning < split.histories.n_users
    assert facts["returning"]["users"] == n_returning
    assert facts["new"]["users"] == split.histories.n_users - n_returning
    together = found.split["candidates"]["all"]
    assert sum(each["clicks"] for each in facts.values()) == together["clicks"] == split.targets.nnz
    on_new = split.cold[split.targets.indices]
    assert together["new_item_share"] == pytest.approx(on_new.mean())
    of_returning = np.repeat(split.returning, np.diff(split.targets.indptr))
    assert facts["returning"]["new_item_share"] == pytest.approx(on_new[of_returning].mean())
    for result in found.models.values():
        groups = result.groups["users"]["all"]
        mean = sum(group.users * group.metrics["ndcg@5"].mean for group in groups.values())
        assert mean / split.histories.n_users == pytest.approx(result.mean("all", "ndcg@5"))
    assert "users" not in (evaluate(mixed(clicks), {"p": Popularity()}).split.get("groups") or {})


def test_items_that_nobody_had_clicked_by_the_end_are_candidates_of_the_table_alone(clicks):
    split = temporal(clicks, cut=0.5, horizon=30)
    existing = split.existing.clicked
    assert 0 < existing.sum() < 30
    by_log = evaluate(split, {"f": Fixed(row=[1] * 30)}, ks=[3])
    assert by_log.split["candidates"]["all"]["items"] == existing.sum() == by_log.split["items"]
    by_table = evaluate(split, {"f": Fixed(row=[1] * 35)}, table(35), ks=[3])
    assert by_table.split["candidates"]["all"]["items"] == 35
    assert by_table.split["candidates"]["cold"]["items"] == 35 - int((~split.cold).sum())
    assert "all items of the table" in by_table.split["candidate_rule"]
    clicked = evaluate(split, {"f": Fixed(row=[1] * 30)}, table(35), ks=[3], candidates="clicked")
    assert clicked.split["candidates"] == by_log.split["candidates"]
    assert "somebody had clicked by the end" in clicked.split["candidate_rule"]


@pytest.mark.parametrize("kind", ["dates", "text", "seconds"])
def test_items_are_candidates_once_they_are_available_or_clicked(clicks, kind):
    split = temporal(clicks, cut=0.5, horizon=30)
    end = split.existing.period.end
    day = np.datetime64("1970-01-01") + np.timedelta64(int(end), "D")
    late, early = day.astype("datetime64[us]").item(), (day - 1).astype("datetime64[us]").item()
    dates = [late] * 30 + [early, late, None, None, late]
    column = pl.Series(dates, dtype=pl.Datetime("us"))
    column = {"dates": column, "text": column.dt.to_string("%Y-%m-%d"), "seconds": column.dt.epoch("s")}[kind]
    model = {"f": Fixed(row=[1] * 35)}
    found = evaluate(split, model, table(35, available_from=column), ks=[3])
    assert found.split["candidates"]["all"]["items"] == split.existing.clicked.sum() + 3
    assert "available_from before the end" in found.split["candidate_rule"]
    assert found.split["candidates"]["all"]["clicks"] == split.targets.nnz
    named = evaluate(split, model, table(35, since=column), ks=[3], available_column="since")
    assert named.split["candidates"] == found.split["candidates"]
    never = evaluate(split, model, table(35, since=column), ks=[3])
    assert never.split["candidates"]["all"]["items"] == 35


def test_availability_that_cannot_be_used_is_refused(clicks):
    split = temporal(clicks)
    words = table(kinds={"since": "text"}, since=["2018-01-01"] * 29 + ["soon"])
    with pytest.raises(ItemsError, match="column 'since', item 29: 'soon' is no date from which an item is"):
        evaluate(split, {"p": Popularity()}, words, available_column="since")
    with pytest.raises(ItemsError, match="there is no field 'from'; the fields are genre, since"):
        evaluate(split, {"p": Popularity()}, words, available_column="from")
    with pytest.raises(ParameterError, match="available_column is one of the item table; give items, too"):
        evaluate(split, {"p": Popularity()}, available_column="since")
    for other, candidates in ((mixed(clicks), "catalogue"), (split, "clicked")):
        with pytest.raises(ParameterError, match="available_column 'since' goes with the temporal split and"):
            evaluate(other, {"p": Popularity()}, words, candidates=candidates, available_column="since")
    nothing = table(since=pl.Series([None] * 30, dtype=pl.String))
    assert evaluate(split, {"p": Popularity()}, nothing, available_column="since").split["items"] == 30


def test_several_cuts_are_told_each_and_together(clicks, tmp_path):
    folds = rolling(clicks, 3, 0.5)
    found = evaluate(folds, {"p": Popularity(), "e": EASE()}, table(), ks=[5])
    found.write_json(tmp_path / "out.json")
    split = json.loads((tmp_path / "out.json").read_text())["split"]
    assert split["cuts"] == 3
    assert "cut" not in split
    assert [fold["cut"] for fold in split["folds"]] == [fold.settings["cut"] for fold in folds]
    assert split["test_clicks"] == sum(fold.targets.nnz for fold in folds)
    facts = split["groups"]["users"]
    assert sum(each["clicks"] for each in facts.values()) == split["test_clicks"]
    new = {user for fold in folds for user in fold.histories.users.values.filter(pl.Series(~fold.returning))}
    assert facts["new"]["users"] == len(new)


def test_model_of_a_split_in_time_learns_from_the_times_before_the_cut():
    clicks = log(200, 80)
    split = temporal(clicks, 0.2)
    assert split.train.shows_new_items
    assert split.train.click_times().max() < split.existing.period.start
    assert split.valid is None
    timed, blind = KernelRidge(), KernelRidge()
    evaluate(split, {"timed": timed}, table(80), ks=[5])
    untimed = replace(split, train=replace(split.train, timestamps=None))
    evaluate(untimed, {"blind": blind}, table(80), ks=[5])
    assert timed.new_item_share_ != blind.new_item_share_


def test_mean_and_spread_are_over_cuts_and_not_over_users(clicks):
    folds = rolling(clicks, 3, 0.5)
    found = evaluate(folds, {"p": Popularity()}, ks=[5])
    alone = [evaluate(fold, {"p": Popularity()}, ks=[5]).models["p"].mean("all", "ndcg@5") for fold in folds]
    document = found.to_dict()["models"]["p"]["folds"]["all"]["ndcg@5"]
    assert document["values"] == pytest.approx(alone)
    assert document["mean"] == pytest.approx(np.mean(alone))
    assert document["spread"] == pytest.approx(np.std(alone, ddof=1))
    frame = found.folds_frame().filter(metric="ndcg@5", candidates="all")
    assert frame["value"].to_list() == document["values"]
    assert frame["cut"].to_list() == [fold.settings["cut"] for fold in folds]
    single = evaluate(folds[0], {"p": Popularity()}, ks=[5])
    assert "folds" not in single.to_dict()["models"]["p"]
    assert single.folds_frame().is_empty()


def test_few_users_at_a_cut_are_warned_of(clicks):
    found = evaluate(rolling(clicks, 2, 0.5), {"p": Popularity()}, ks=[5])
    users = [fold["candidates"]["all"]["users"] for fold in found.split["folds"]]
    assert f"2 of 2 cuts, the smallest: {min(users)})" in found.warnings[0]


def test_item_that_is_not_available_yet_is_no_new_candidate():
    """All that is clicked was known before the cut; the two other items of the table come after the end."""
    users = np.tile(np.arange(9), 2)
    days = np.repeat([np.datetime64("2018-01-01"), np.datetime64("2018-01-02")], 9)
    known = pl.DataFrame(
        {"user_id": users, "item_id": (users + (np.arange(18) >= 9)) % 3, "timestamp": pl.Series(days)}
    )
    split = temporal(Interactions.from_frame(known), cut="2018-01-02")
    model = {"p": Popularity()}
    found = evaluate(split, model, table(5, available_from=["2017-01-01"] * 3 + ["2018-01-03"] * 2), ks=[3])
    assert found.split["candidates"] == {"all": {"items": 3, "users": 9, "clicks": 9}}
    assert "new_share@3" not in found.models["p"].metrics["all"]
    early = evaluate(split, model, table(5, available_from=["2017-01-01"] * 3 + ["2018-01-02"] * 2), ks=[3])
    assert early.split["candidates"]["all"] == {"items": 5, "users": 9, "clicks": 9, "new_item_share": 0.0}
    assert "new_share@3" in early.models["p"].metrics["all"]
