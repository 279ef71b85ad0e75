"""The share of new items in lists beside that of the clicks to find, and what is warned of."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm import EASE, Interactions, KernelRidge, Popularity, evaluate
from isotherm.data import splits
from isotherm.data.folds import k_fold
from isotherm.evaluation.results import ModelResult
from isotherm.evaluation.warnings import far_apart, warnings_of
from tests.evaluation.test_runner import Fixed


@pytest.fixture
def split():
    """Items 10, 11, 12 are known and 13 is new; one of four clicks to find is on a new one."""
    train = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [10, 11, 11, 12]})
    test = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [12, 13, 12, 10]})
    return splits.given(Interactions.from_frame(train), Interactions.from_frame(test))


def test_shares_by_hand(split):
    """Columns are 10, 11, 12, 13, of which 13 is new; the order of scores is 13, 10, 12, 11."""
    result = evaluate(split, {"fixed": Fixed(row=[3, 1, 2, 4])}, ks=[1, 2, 4])
    metrics = result.models["fixed"].metrics["all"]
    assert metrics["new_share@1"].mean == 1.0  # 13 comes first for everybody
    assert metrics["new_share@2"].mean == pytest.approx(1 / 2)
    # user 1 has only 12 and 13 left, users 2 and 3 have three items: short lists count by what they show
    assert metrics["new_share@4"].mean == pytest.approx((1 / 2 + 1 / 3 + 1 / 3) / 3)
    assert result.split["candidates"] == {
        "all": {"items": 4, "users": 3, "clicks": 4, "new_item_share": 0.25},
        "cold": {"items": 1, "users": 1, "clicks": 1, "new_item_share": 1.0},
        "warm": {"items": 3, "users": 3, "clicks": 3, "new_item_share": 0.0},
    }
    assert "new_share@1" not in result.models["fixed"].metrics["cold"]
    assert "new_share@1" not in result.models["fixed"].metrics["warm"]


def test_only_new_items_and_none_of_them(split):
    only_new = Fixed(row=[-np.inf, -np.inf, -np.inf, 1])
    never_new = Fixed(row=[1, 1, 1, -np.inf])
    result = evaluate(split, {"new": only_new, "known": never_new}, ks=[2])
    assert result.models["new"].mean("all", "new_share@2") == 1.0
    assert result.models["known"].mean("all", "new_share@2") == 0.0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_shares_are_shares_and_a_list_of_all_that_is_left_holds_new_items_as_that_does(seed):
    rng = np.random.default_rng(seed)
    train, test = (rng.random((2, 6, 9)) < 0.4).astype(float)
    train[:, 0], train[:, 7:] = 1, 0
    test[:, 8] = 1
    made = splits.given(
        *(Interactions.from_csr(csr_array(each), item_ids=range(9)) for each in (train, test))
    )
    result = evaluate(made, {"m": Fixed(row=rng.random(9))}, ks=[1, 3, 9])
    shares = [result.models["m"].mean("all", f"new_share@{k}") for k in (1, 3, 9)]
    assert all(0 <= share <= 1 for share in shares)
    assert 0 < result.split["candidates"]["all"]["new_item_share"] <= 1
    n_left = 9 - train.sum(axis=1)  # a list of nine shows all that a user has not seen
    n_new = made.cold.sum()
    assert shares[2] == pytest.approx((n_new / n_left).mean())


def test_folds_average_lists_over_users_and_add_up_clicks(clicks, items):
    folds = k_fold(clicks, "mixed", 3, seed=0)
    found = evaluate(folds, {"p": Popularity()}, items, ks=[5])
    each = [evaluate(split, {"p": Popularity()}, items, ks=[5]) for split in folds]
    described = [one.split["candidates"]["all"] for one in each]
    n_clicks = sum(one["clicks"] for one in described)
    on_new = sum(one["clicks"] * one["new_item_share"] for one in described)
    told = found.split["candidates"]["all"]
    assert (told["clicks"], told["new_item_share"]) == (n_clicks, pytest.approx(on_new / n_clicks))
    by_user: dict[str, list[float]] = {}
    for one in each:
        values = one.models["p"].per_user["all"]["new_share@5"]
        for user, value in zip(one.models["p"].users["all"], values, strict=True):
            by_user.setdefault(user, []).append(value)
    assert found.models["p"].mean("all", "new_share@5") == pytest.approx(
        np.mean([np.mean(values) for values in by_user.values()])
    )


def test_groups_of_users_tell_their_own_share(clicks, items):
    result = evaluate(splits.mixed(clicks, seed=0), {"p": Popularity()}, items, ks=[5], by="history")
    model = result.models["p"]
    groups = model.groups["history"]["all"].values()
    total = sum(group.users * group.metrics["new_share@5"].mean for group in groups)
    assert total / len(model.users["all"]) == pytest.approx(model.mean("all", "new_share@5"))


def described(clicks_share, users=500):
    return {"candidates": {"all": {"items": 9, "users": users, "clicks": 9, "new_item_share": clicks_share}}}


def shown(share, parameters="KernelRidge(new_item_share='auto')"):
    return ModelResult(parameters, 0.0, 0.0, {"all": {"new_share@10": share}}, {})


@pytest.mark.parametrize(
    ("lists", "clicks", "apart"),
    [(0.3, 0.1, True), (0.29, 0.1, False), (0.1, 0.3, True), (0.1, 0.29, False), (0.0, 0.0, False),
     (0.0, 0.02, True), (0.02, 0.0, True), (0.0009, 0.0, False), (0.0, 0.0009, False)],
)  # fmt: skip
def test_threefold_either_way(lists, clicks, apart):
    assert far_apart(lists, clicks) == apart
    assert bool(warnings_of(described(clicks), {"m": shown(lists)})) == apart


def test_warning_names_model_both_shares_and_the_cure():
    high, low = described(0.155), described(0.3)
    assert warnings_of(high, {"kernel-ridge": shown(0.48)}) == [
        "kernel-ridge: new items fill 48.0% of the lists@10, but get 15.5% of the clicks to find; "
        "set a lower new_item_share, such as 0.15"
    ]
    assert "set a higher new_item_share, such as 0.3" in warnings_of(low, {"marec": shown(0.01)})[0]
    assert "set a lower new_item_share" in warnings_of(described(0.0), {"marec": shown(0.1)})[0]
    (at_random,) = warnings_of(low | {"protocol": "mixed"}, {"marec": shown(0.01)})
    assert at_random.endswith(
        "set a higher new_item_share, but only once temporal says so: mixed hides items at random"
    )
    (of_clicks,) = warnings_of(low, {"ease": shown(0.0, "EASE()")})
    assert of_clicks.startswith("ease: new items fill 0.0% of the lists@10, but get 30.0%")
    assert "it has no setting for this; kernel-ridge and marec have: new_item_share" in of_clicks


def test_no_warning_where_only_new_items_are_to_be_found_or_none_is_there():
    """cold-items hides nothing else, so that its clicks say nothing of the mix."""
    assert warnings_of(described(1.0), {"m": shown(0.1)}) == []
    nothing_new = {"candidates": {"all": {"items": 9, "users": 500, "clicks": 9}}}
    assert warnings_of(nothing_new, {"m": ModelResult("m", 0.0, 0.0, {"all": {"hr@10": 0.5}}, {})}) == []


def test_few_users_are_told_by_candidate_set():
    candidates = {
        name: {"items": 9, "users": users, "clicks": 9}
        for name, users in (("all", 100), ("cold", 99), ("warm", 3))
    }
    (told,) = warnings_of({"candidates": candidates}, {})
    assert told == ("figures of fewer than 100 users are uncertain (cold candidates: 99; warm candidates: 3)")


def test_evaluation_carries_its_warnings(split):
    result = evaluate(split, {"fixed": Fixed(row=[1, 1, 1, -np.inf])}, ks=[2])
    assert len(result.warnings) == 2
    assert "(cold candidates: 1; warm candidates: 3; all candidates: 3)" in result.warnings[0]
    assert result.warnings[1].startswith("fixed: new items fill 0.0% of the lists@2")
    assert result.to_dict()["warnings"] == result.warnings


def test_models_with_the_setting_are_told_so(clicks, items):
    """Their repr names every hyper-parameter: what the cure is read from."""
    assert "new_item_share=" in repr(KernelRidge())
    assert "new_item_share=" not in repr(EASE())
