"""The re-ranker: its choice by the literal greedy loop, and its promises as a wrapper."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import isotherm
from isotherm import EASE, MMR, ContentKNN, FitOptions, Interactions, Items, MARec, Popularity, evaluate
from isotherm.data import splits
from isotherm.errors import ItemsError, ParameterError
from isotherm.models import mmr
from isotherm.parameters import build
from isotherm.ranking.mmr import rerank
from tests.reference import diversity as reference


def test_choice_by_hand():
    """Scores 5, 4, 3 of a, a, b: relevance 1, 1/2, 0; at d = 1/2 the second a is worth 1/4 − 1/2, b 0."""
    directions = csr_array(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32))
    pool = np.array([[0, 1, 2]], np.int32), np.array([[5, 4, 3]], np.float32)
    for diversity, order in ((0.0, [0, 1, 2]), (0.3, [0, 1, 2]), (0.5, [0, 2, 1]), (1.0, [0, 2, 1])):
        columns, scores = rerank(pool, 3, directions, diversity, 0.0)
        assert columns[0].tolist() == order
        assert scores[0].tolist() == [5 - n for n in order]
    columns, scores = rerank(pool, 2, directions, 0.5, 0.0)
    assert columns.tolist() == [[0, 2]]


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.9, 1.0]))
@settings(max_examples=40, deadline=None)
def test_choice_is_that_of_the_literal_loop(seed, diversity):
    rng = np.random.default_rng(seed)
    n_items, n_values, k = 15, 4, 6
    raw = rng.random((n_items, n_values)) * (rng.random((n_items, n_values)) < 0.5)
    lengths = np.linalg.norm(raw, axis=1, keepdims=True)
    directions = np.divide(raw, lengths, out=np.zeros_like(raw), where=lengths > 0)
    columns = np.stack([rng.permutation(n_items)[:10] for _ in range(4)]).astype(np.int32)
    scores = -np.sort(-rng.random((4, 10)).astype(np.float32), axis=1)
    columns[3, 7:], scores[3, 7:] = -1, -np.inf
    unknown = float(rng.random())
    found, best = rerank((columns, scores), k, csr_array(directions.astype(np.float32)), diversity, unknown)
    for u in range(4):
        n = int((columns[u] >= 0).sum())
        order = reference.mmr(scores[u, :n], raw[columns[u, :n]], k, diversity, unknown)
        assert found[u].tolist() == columns[u, order].tolist()
        np.testing.assert_array_equal(best[u], scores[u, order])


def test_no_diversity_is_the_model_itself(clicks, items):
    plain = EASE().fit(clicks, items).recommend(k=30)
    assert MMR(model=EASE(), diversity=0.0).fit(clicks, items).recommend(k=30).equals(plain)


def test_shorter_list_is_the_beginning_of_the_longer_one(clicks, items, monkeypatch):
    monkeypatch.setattr(mmr, "POOL", 6)
    model = MMR(diversity=0.8).fit(clicks, items)
    longest = model.recommend(k=30)
    for k in (1, 5, 6, 7, 12):
        assert model.recommend(k=k).equals(longest.filter(pl.col("rank") <= k))
    best_six = EASE().fit(clicks, items).recommend(k=6)
    pairs = ["user_id", "item_id"]
    assert longest.filter(pl.col("rank") <= 6).join(best_six, on=pairs).height == best_six.height


def test_lists_grow_more_varied_and_evaluation_ranks_as_recommend_does(clicks, items):
    split = splits.leave_one_out(clicks, seed=0)
    models = {f"{d}": MMR(model=EASE(), diversity=d) for d in (0.0, 0.5, 1.0)}
    result = evaluate(split, models, items, ks=[3])
    varied = [result.models[name].metrics["all"]["diversity@3"].mean for name in models]
    assert varied[0] < varied[1] <= varied[2]
    shown = models["0.5"].recommend(k=3)
    hidden = pl.DataFrame(
        {
            "user_id": split.histories.users.values,
            "item_id": split.train.items.take(split.targets.indices),
        }
    )
    hits = shown.join(hidden, on=["user_id", "item_id"]).height
    assert result.models["0.5"].metrics["all"]["hr@3"].mean == pytest.approx(hits / split.histories.n_users)


def test_score_and_explanation_are_the_wrapped_models_own(clicks, items):
    model = MMR(model=EASE(l2=30.0), diversity=0.9).fit(clicks, items)
    inner = EASE(l2=30.0).fit(clicks, items)
    shown = model.recommend(["u01"], k=5)
    told = dict(inner.recommend(["u01"], k=30).select("item_id", "score").iter_rows())
    assert shown["score"].to_list() == [told[item] for item in shown["item_id"]]
    item = shown["item_id"][4]
    assert model.explain("u01", item).score == inner.explain("u01", item).score


def test_new_items_are_where_the_wrapped_model_can(clicks, items, item_frame, tmp_path):
    new = Items.from_frame(
        item_frame.head(2).with_columns(item_id=pl.Series(["n1", "n2"])), kinds={"plot": "text"}
    )
    for inner in (ContentKNN(), MARec(beta=1.0)):
        model = MMR(model=inner, diversity=0.5).fit(clicks, items)
        with pytest.raises(ItemsError, match=r"column 'year', row 1 \(item 'n3'\): 'soon' is not a finite"):
            model.add_items([{"item_id": "n3", "year": "soon"}])
        assert model.n_items == 30
        model.add_items(new)
        assert model.n_items == model.model_.n_items == 32
        model.save(tmp_path / "m")
        assert isotherm.load(tmp_path / "m").recommend(k=32).equals(model.recommend(k=32))


def test_item_without_metadata_neither_wins_nor_loses_by_it(clicks, item_frame):
    """It is taken to be as near to others as items are on average, not as unlike all of them."""
    bare = item_frame.with_columns(genres=pl.when(pl.int_range(30) % 2 == 0).then(pl.col("genres")))
    model = MMR(model=Popularity(), diversity=1.0).fit(clicks, Items.from_frame(bare.drop("plot", "clip")))
    assert 0 < model.mean_cosine_ < 1
    unknown = {f"i{n:02}" for n in range(1, 30, 2)}
    lists = model.recommend(k=4)
    share = lists.filter(pl.col("item_id").is_in(unknown)).height / lists.height
    assert 0.1 < share < 0.9


def test_settings_reach_the_wrapped_model():
    model = build(MMR, {"model": "ease", "model.l2": 7.0, "diversity": 0.1})
    assert repr(model) == f"MMR(model={EASE(l2=7.0)!r}, diversity=0.1, fields=None)"
    nested = build(MMR, {"model": "marec", "model.backbone": "slim", "model.backbone.l2": 9})
    assert nested.model.backbone.l2 == 9
    assert build(MMR, {"model": "content-knn"}).model.name == "content-knn"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"diversity": -0.1}, "diversity must be a number >= 0"),
        ({"diversity": 1.5}, "diversity must be a number >= 0 and <= 1, not 1.5"),
        ({"diversity": float("nan")}, "diversity must be a number"),
        ({"diversity": "much"}, "diversity must be a number"),
        ({"model": "nothing"}, "model must be a model, or one of popularity"),
        ({"model": MMR}, "model must be a model"),
        ({"model": 3}, "model must be a model"),
    ],
)
def test_bad_settings_are_named(arguments, says):
    with pytest.raises(ParameterError, match=says):
        MMR(**arguments)


def test_wrapped_in_itself_is_refused():
    with pytest.raises(ParameterError, match="model must be a model, or one of"):
        MMR(model=MMR())
    with pytest.raises(ParameterError, match="model must be one of popularity"):
        build(MMR, {"model": "mmr"})


def test_table_that_likens_nothing_is_refused(clicks, items):
    with pytest.raises(ItemsError, match="mmr likens items by categories and tags"):
        MMR().fit(clicks, items.only(["plot", "year"]))
    with pytest.raises(ItemsError, match="there is no field 'genre'"):
        MMR(fields="genre").fit(clicks, items)
    with pytest.raises(ParameterError, match="mmr needs an item table"):
        MMR().fit(clicks)


def test_model_of_the_users_own_can_be_wrapped(clicks, items):
    class Reversed(Popularity):
        """What nobody clicks comes first."""

        name = "reversed"

        def _score(self, user_items):
            return -super()._score(user_items)

    model = MMR(model=Reversed(), diversity=0.0).fit(clicks, items)
    assert model.recommend(["u00"], k=5)["item_id"].str.slice(1).cast(int).is_between(25, 29).all()


def test_networks_train_in_steps_inside(tmp_path):
    rng = np.random.default_rng(0)
    x = csr_array((rng.random((60, 20)) < 0.3).astype(np.float32))
    log = Interactions.from_csr(x)
    items = Items.from_frame(pl.DataFrame({"item_id": range(20), "genre": [[str(n % 3)] for n in range(20)]}))
    model = build(MMR, {"model": "multvae", "model.hidden": 8, "model.latent": 4, "model.training.epochs": 2})
    assert model.trains_in_steps
    valid = Interactions.from_csr((rng.random((40, 20)) < 0.3).astype(np.float32), np.arange(100, 140))
    model.fit(log, items, FitOptions(valid=valid, run_dir=tmp_path / "run"))
    assert (tmp_path / "run" / "run.jsonl").is_file()
