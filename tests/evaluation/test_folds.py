"""Evaluation over folds: users are the unit, and the JSON keeps its shape."""

import json
from dataclasses import astuple

import numpy as np
import polars as pl
import pytest

from isotherm import EASE, ContentKNN, Interactions, Popularity, evaluate
from isotherm.data import splits
from isotherm.data.folds import k_fold
from isotherm.data.repeated import repeated
from isotherm.errors import ParameterError
from isotherm.evaluation.bootstrap import intervals
from isotherm.evaluation.over_folds import fold_labels
from isotherm.evaluation.paired import paired_test
from isotherm.evaluation.user_values import UserValues, mean_over_folds


def test_users_value_is_the_mean_over_the_folds_that_ask_for_it(clicks, items):
    folds = k_fold(clicks, "cold-items", 3, seed=0)
    found = evaluate(folds, {"m": ContentKNN(), "e": EASE()}, items, ks=[3])
    by_hand: dict[str, list[float]] = {}
    for split in folds:
        alone = evaluate(split, {"m": ContentKNN()}, items, ks=[3]).models["m"]
        for user, value in zip(alone.users["cold"], alone.per_user["cold"]["ndcg@3"], strict=True):
            by_hand.setdefault(user, []).append(value)
    expected = {user: np.mean(values) for user, values in by_hand.items()}
    result = found.models["m"]
    told = dict(zip(result.users["cold"], result.per_user["cold"]["ndcg@3"], strict=True))
    assert told == pytest.approx(expected)
    by_hand_too = intervals(np.array(list(told.values()))[:, None])[0]
    assert astuple(result.metrics["cold"]["ndcg@3"]) == pytest.approx(astuple(by_hand_too))
    assert any(len(values) > 1 for values in by_hand.values())


def test_users_who_differ_are_not_counted_more_than_once():
    """A user of ten folds is one user: the interval is that of the users, not of folds × users."""
    rng = np.random.default_rng(0)
    users, taste = pl.Series(range(40)), rng.random(40)
    folds = [UserValues(users, {"hr@1": taste}) for _ in range(10)]
    together = mean_over_folds(folds)
    assert together.users.to_list() == users.to_list()
    np.testing.assert_allclose(together.values["hr@1"], taste)
    found, once = (sample.intervals(0)["hr@1"] for sample in (together, UserValues(users, {"hr@1": taste})))
    assert (found.low, found.high) == pytest.approx((once.low, once.high))


def test_metric_that_says_nothing_of_a_user_is_left_out_of_this_users_mean():
    users = pl.Series(["a", "b", "c"])
    one = UserValues(users, {"diversity@2": np.array([0.2, np.nan, np.nan]), "hr@2": np.ones(3)})
    other = UserValues(users, {"diversity@2": np.array([0.4, 0.6, np.nan]), "hr@2": np.zeros(3)})
    together = mean_over_folds([one, other])
    np.testing.assert_allclose(together.values["diversity@2"], [0.3, 0.6, np.nan])
    found = together.intervals(0)
    assert found["diversity@2"].mean == pytest.approx(0.45)
    assert list(found) == ["diversity@2", "hr@2"]
    assert list(UserValues(users, {"d": np.full(3, np.nan), "h": np.ones(3)}).intervals(0)) == ["h"]


@pytest.mark.parametrize("protocol", ["cold-items", "mixed", "strong"])
def test_json_keeps_its_shape_and_lists_the_folds(clicks, items, protocol, tmp_path):
    found = evaluate(k_fold(clicks, protocol, 3, seed=0), {"p": Popularity(), "e": EASE()}, items, ks=[3])
    found.write_json(tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    single = evaluate(k_fold(clicks, protocol, 3, seed=0)[0], {"p": Popularity(), "e": EASE()}, items, ks=[3])
    assert set(document) == set(single.to_dict())
    assert set(document["models"]["e"]) == set(single.to_dict()["models"]["e"]) | {"folds"}
    split = document["split"]
    assert set(split) == set(single.split) - {"fold"} | {"folds"}
    assert [fold["fold"] for fold in split["folds"]] == [1, 2, 3]
    assert split["test_clicks"] == sum(fold["test_clicks"] for fold in split["folds"])
    assert split["test_users"] == len(found.models["e"].users["all"])
    assert split["candidates"]["all"] == {
        "items": 30,
        "users": split["test_users"],
        "clicks": split["test_clicks"],
        "new_item_share": pytest.approx(
            sum(
                fold["candidates"]["cold"]["clicks"]
                for fold in split["folds"]
                if "cold" in fold["candidates"]
            )
            / split["test_clicks"]
        ),
    }
    for fold in split["folds"]:
        assert fold["protocol"] == protocol


def test_paired_tests_are_over_users(clicks, items):
    found = evaluate(k_fold(clicks, "mixed", 3), {"a": ContentKNN(), "b": EASE()}, items, ks=[3])
    for comparison in found.comparisons:
        values = [found.models[n].per_user[comparison.candidates][comparison.metric] for n in "ab"]
        difference, p = paired_test(values[0] - values[1])
        assert (comparison.difference, comparison.p) == (difference, p)
        assert comparison.users == len(values[0]) <= clicks.n_users


def test_one_fold_is_a_split(clicks):
    split = k_fold(clicks, "strong", 3)[0]
    alone = evaluate(split, {"e": EASE()}, ks=[3])
    listed = evaluate([split], {"e": EASE()}, ks=[3])
    assert listed.split == alone.split
    assert listed.models["e"].metrics == alone.models["e"].metrics


def test_splits_of_several_seeds_are_averaged_user_by_user(clicks, items):
    seeds = [splits.mixed(clicks, seed=seed) for seed in (3, 4, 5)]
    found = evaluate(seeds, {"k": ContentKNN(), "p": Popularity()}, items, ks=[3], by="history")
    by_hand: dict[str, dict[str, list[float]]] = {"k": {}, "p": {}}
    for split in seeds:
        alone = evaluate(split, {"k": ContentKNN(), "p": Popularity()}, items, ks=[3])
        for name, values in by_hand.items():
            result = alone.models[name]
            for user, value in zip(result.users["warm"], result.per_user["warm"]["ndcg@3"], strict=True):
                values.setdefault(user, []).append(value)
    differences = {user: np.mean(by_hand["k"][user]) - np.mean(by_hand["p"][user]) for user in by_hand["k"]}
    row = found.compare("k", "p", metric="ndcg@3", candidates="warm").row(0, named=True)
    difference, p = paired_test(np.array(list(differences.values())))
    assert row["users"] == len(differences) == len(set(differences))
    assert (row["difference"], row["low"], row["p"]) == pytest.approx((difference.mean, difference.low, p))
    assert max(map(len, by_hand["k"].values())) == 3
    assert found.split["seed"] == [3, 4, 5]
    assert found.split["holdout"] == 0.2
    assert [fold["seed"] for fold in found.split["folds"]] == [3, 4, 5]


def test_splits_of_two_protocols_are_not_averaged(clicks):
    two = [splits.mixed(clicks), splits.strong(clicks)]
    with pytest.raises(ParameterError, match="are of one protocol, not of mixed and strong: evaluate each"):
        evaluate(two, {"p": Popularity()})


def test_folds_are_labelled_by_what_tells_them_apart(clicks):
    timed = Interactions.from_frame(clicks.to_frame().with_row_index("timestamp"))
    several = {
        "fold 1": k_fold(clicks, "strong", 2),
        "seed 4": repeated(clicks, "strong", (4, 5)),
        "split 1": [splits.strong(clicks, holdout=share) for share in (0.2, 0.3)],
    }
    for label, each in several.items():
        found = evaluate(each, {"p": Popularity()}, ks=[3])
        assert fold_labels(found.split["folds"])[0] == label
    cuts = evaluate(splits.rolling(timed, 2), {"p": Popularity()}, ks=[3]).split["folds"]
    assert fold_labels(cuts) == [cut["cut"] for cut in cuts]
    days = [{"cut": n, "cut_date": f"2026-01-0{n} 12:00"} for n in (1, 2)]
    assert fold_labels(days) == ["2026-01-01", "2026-01-02"]
    assert fold_labels([days[0], days[0] | {"cut_date": "2026-01-01 18:00"}])[1] == "2026-01-01 18:00"
