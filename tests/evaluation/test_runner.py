"""Evaluation on a case small enough to follow by hand, and its promises."""

import gc
import json
import weakref

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, Interactions, MARec, MultVAE, Popularity, Training, evaluate
from isotherm.data import splits
from isotherm.data.folds import k_fold
from isotherm.errors import ParameterError
from isotherm.models.base import Recommender


class Fixed(Recommender):
    """Scores items by a given row, the same for everybody."""

    name = "fixed"

    def __init__(self, *, row=()):
        self.row = row

    def _fit(self, clicks, items, options):
        """Nothing to learn."""

    def _score(self, user_items):
        """The given row."""
        return np.tile(np.asarray(self.row, dtype=np.float32), (user_items.shape[0], 1))

    def state(self):
        """None."""
        return {}, {}

    def restore(self, arrays, document):
        """None."""


@pytest.fixture
def split():
    train = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [10, 11, 11, 12]})
    test = pl.DataFrame({"user_id": [1, 1, 2, 3], "item_id": [12, 13, 14, 10]})
    return splits.given(Interactions.from_frame(train), Interactions.from_frame(test))


def test_three_candidate_sets_by_hand(split):
    """Items 10, 11, 12 are warm and 13, 14 cold; the order of scores is 14, 10, 13, 12, 11."""
    result = evaluate(split, {"fixed": Fixed(row=[4, 1, 2, 3, 5])}, ks=[2]).to_dict()["models"]["fixed"]
    # user 1 sees 14 13 12, of 12 and 13: one hit at rank 2; user 2 14 first; user 3 14, then 10
    assert result["all"]["hr@2"]["mean"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert result["all"]["recall@2"]["mean"] == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert result["all"]["mrr@2"]["mean"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    # among cold ones 14 13: user 1 finds 13 second, user 2 14 first; user 3 has no cold target
    assert result["cold"]["mrr@2"]["mean"] == pytest.approx((1 / 2 + 1) / 2)
    assert result["cold"]["coverage@2"]["mean"] == 1.0
    # among warm ones: user 1 has only 12 left, user 3 10 first
    assert result["warm"]["mrr@2"]["mean"] == 1.0
    assert set(result["warm"]["ndcg@2"]) == {"mean", "low", "high"}


def test_json_form(split, tmp_path):
    evaluation = evaluate(split, {"a": Popularity(), "b": Fixed(row=[1, 2, 3, 4, 5])}, ks=[1, 2])
    evaluation.write_json(tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert set(document) == {"complete", "to_come", "split", "warnings", "models", "comparisons"}
    assert (document["complete"], document["to_come"]) == (True, [])
    assert document["split"]["candidates"] == {
        "all": {"items": 5, "users": 3, "clicks": 4, "new_item_share": 0.5},
        "cold": {"items": 2, "users": 2, "clicks": 2, "new_item_share": 1.0},
        "warm": {"items": 3, "users": 2, "clicks": 2, "new_item_share": 0.0},
    }
    assert document["warnings"][:1] == [
        "figures of fewer than 100 users are uncertain "
        "(cold candidates: 2; warm candidates: 2; all candidates: 3)"
    ]
    assert set(document["models"]["a"]) >= {"seconds", "all", "cold", "warm"}
    names = {
        f"{m}@{k}"
        for m in ("hr", "ndcg", "hit_rate", "recall", "mrr", "map", "novelty", "coverage", "gini")
        for k in (1, 2)
    }
    assert set(document["models"]["a"]["all"]) == names | {"new_share@1", "new_share@2"}
    assert set(document["models"]["a"]["cold"]) == names
    assert {c["candidates"] for c in document["comparisons"]} == {"all", "cold", "warm"}


def test_the_mean_of_a_metric_is_that_of_its_interval_or_the_number_itself(split):
    result = evaluate(split, {"popularity": Popularity()}, ks=[2]).models["popularity"]
    assert result.mean("all", "hr@2") == result.metrics["all"]["hr@2"].mean
    assert result.mean("all", "coverage@2") == result.metrics["all"]["coverage@2"]


def test_cold_and_warm_are_absent_where_nothing_is_cold(clicks):
    split = splits.strong(clicks, seed=1)
    assert not split.cold.any()
    result = evaluate(split, {"ease": EASE()})
    assert list(result.models["ease"].metrics) == ["all"]
    assert not any(name.startswith("new_share") for name in result.models["ease"].metrics["all"])
    assert "new_item_share" not in result.split["candidates"]["all"]


def test_settings_are_those_given_and_what_was_learned_stands_beside_them(clicks, items):
    penalties = [f"penalties_.{name}" for name in ("l2", "denoising", "user_power", "relaxation")]
    marec = MARec(backbone=EASE(l2="auto"), smoothing="auto")
    models = {"ease": EASE(l2="auto"), "marec": marec, "plain": EASE(l2=500.0)}
    found = evaluate(splits.mixed(clicks, seed=0), models, items).to_dict()["models"]
    assert found["marec"]["parameters"] == repr(MARec(backbone=EASE(l2="auto"), smoothing="auto"))
    of_backbone = [name.replace("penalties_", "aligned_.penalties") for name in penalties]
    assert list(found["marec"]["learned"]) == [
        "beta_",
        "aligned_.smoothing",
        *of_backbone,
        "new_item_share_",
        "trend_.power",
    ]
    assert found["marec"]["learned"]["beta_"] > 0
    assert list(found["ease"]["learned"]) == penalties
    assert "learned" not in found["plain"]


def test_block_size_changes_nothing(clicks, items, monkeypatch):
    split = splits.mixed(clicks, seed=0)
    whole = evaluate(split, {"marec": MARec(beta=2.0)}, items, ks=[5]).to_dict()["models"]["marec"]
    monkeypatch.setattr("isotherm.evaluation.lists.users_per_block", lambda n: 7)
    blocks = evaluate(split, {"marec": MARec(beta=2.0)}, items, ks=[5]).to_dict()["models"]["marec"]
    for candidates in ("all", "cold", "warm"):
        assert whole[candidates] == blocks[candidates]


def test_model_that_knows_nothing_of_new_items_ranks_them_by_lot():
    """Targets are the items with the lowest ids; a model of equal scores must find k / n of them."""
    n_users, n_items, n_cold = 3000, 120, 100
    x = np.zeros((n_users, n_items))
    x[:, 100:] = np.random.default_rng(0).random((n_users, 20)) < 0.5
    x[:, 100] = 1
    test = np.zeros_like(x)
    test[:, 0] = 1
    split = splits.given(
        Interactions.from_csr(csr_array(x)),
        Interactions.from_csr(csr_array(test), item_ids=np.arange(n_items)),
    )
    assert split.cold.sum() == n_cold
    result = evaluate(split, {"popularity": Popularity()}, ks=[10])
    assert result.models["popularity"].metrics["cold"]["hr@10"].mean == pytest.approx(0.1, abs=0.02)


def test_sampled_negatives_are_the_only_rivals(clicks):
    split = splits.leave_one_out(clicks, negatives=3, seed=0)
    best_target = np.zeros(clicks.n_items)
    result = evaluate(split, {"fixed": Fixed(row=best_target)}, ks=[1, 4])
    metrics = result.models["fixed"].metrics["all"]
    assert metrics["hr@4"].mean == 1.0  # four candidates, so every target is among the best four
    assert metrics["hr@1"].mean == pytest.approx(0.25, abs=0.2)


def test_comparisons_are_paired_and_corrected(clicks):
    split = splits.strong(clicks, holdout=0.5, seed=1)
    same = evaluate(split, {"a": EASE(), "b": EASE()}, ks=[5]).comparisons
    assert all(c.difference.mean == 0 and c.p == 1.0 and c.p_holm == 1.0 for c in same)
    different = evaluate(split, {"a": EASE(), "b": Fixed(row=np.zeros(25))}, ks=[5])
    hr = next(c for c in different.comparisons if c.metric == "hr@5")
    per_user = [different.models[name].per_user["all"]["hr@5"] for name in "ab"]
    assert hr.difference.mean == pytest.approx((per_user[0] - per_user[1]).mean())
    assert hr.p <= hr.p_holm <= 1


@pytest.mark.parametrize("folds", [1, 2])
def test_models_from_a_generator_are_taken_one_at_a_time(clicks, folds):
    """When the next model is asked for, the one before is gone."""
    alive = []

    def pairs():
        for number in range(3):
            gc.collect()
            assert [model() for model in alive] == [None] * number
            model = EASE(l2=10.0 * (number + 1))
            alive.append(weakref.ref(model))
            yield f"m{number}", model
            del model

    split = splits.strong(clicks, seed=1) if folds == 1 else k_fold(clicks, "strong", folds)
    result = evaluate(split, pairs(), ks=[5])
    assert list(result.models) == ["m0", "m1", "m2"]
    assert len(alive) == 3


def test_score_that_is_no_number_is_refused(split):
    with pytest.raises(ParameterError, match="a score is not a number"):
        evaluate(split, {"fixed": Fixed(row=[np.nan] * 5)})
    with pytest.raises(ParameterError, match="k must be whole numbers >= 1"):
        evaluate(split, {"fixed": Fixed(row=[1] * 5)}, ks=[0])


def test_validation_clicks_reach_the_models_that_train_in_steps(monkeypatch):
    rng = np.random.default_rng(0)
    log = Interactions.from_csr((rng.random((120, 20)) < 0.3).astype(np.float32))
    parts = [log.take_users(np.arange(first, first + 40)) for first in (0, 40, 80)]
    made = splits.given(*parts, strong=True)
    model = MultVAE(hidden=8, latent=4, training=Training(epochs=2))
    result = evaluate(made, {"multvae": model, "ease": EASE()})
    assert model.progress_.best > 0  # 40 training users alone would be too few to hold some out
    assert set(result.models) == {"multvae", "ease"}


def test_evaluation_says_which_model_and_which_fold_it_is_at(clicks, capsys):
    folds = k_fold(clicks, "strong", 2)
    models = {"popularity": Popularity(), "ease": EASE()}
    evaluate(folds, models, verbose=False)
    assert capsys.readouterr().err == ""
    evaluate(folds, models, verbose=True)
    jobs = [line.rpartition(" (")[0] for line in capsys.readouterr().err.splitlines() if ":" not in line]
    of_each = [["fit popularity", "rank with popularity"] * 2, ["fit ease", "rank with ease"] * 2]
    assert jobs[: len(of_each[0])] == of_each[0]
    assert [job for job in jobs if "ease" in job] == of_each[1]


class Broken(Fixed):
    """Cannot be fitted."""

    def _fit(self, clicks, items, options):
        raise ParameterError("broken")


def test_what_is_measured_is_told_after_each_model(split):
    told = []
    models = {name: Fixed(row=[5, 4, 3, 2, number]) for number, name in enumerate("abc")}
    final = evaluate(split, models, ks=[2], after_model=told.append)
    assert [(list(each.models), each.complete, each.to_come) for each in told] == [
        (["a"], False, ["b", "c"]), (["a", "b"], False, ["c"]), (["a", "b", "c"], True, []),
    ]  # fmt: skip
    assert told[-1].comparisons == final.comparisons
    assert told[0].comparisons == []
    assert {each.split["protocol"] for each in told} == {"given"}


def test_models_measured_before_one_that_fails_are_kept(split, tmp_path):
    file = tmp_path / "out.json"
    models = [("good", Popularity()), ("broken", Broken(row=[1] * 5)), ("last", Popularity())]
    with pytest.raises(ParameterError, match="broken"):
        evaluate(split, iter(models), ks=[2], after_model=lambda found: found.write_json(file))
    document = json.loads(file.read_text())
    assert (list(document["models"]), document["complete"], document["to_come"]) == (["good"], False, [])


def test_what_is_called_after_a_model_can_be_called(split):
    with pytest.raises(ParameterError, match="after_model is a function that is given the Evaluation so far"):
        evaluate(split, {"a": Popularity()}, after_model="out.json")
