"""What the neighbour models learn: the peak of a curve, the same by seed, and safe where there is little."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import ContentKNN, Interactions, ItemKNN, Items
from isotherm.data.splits import strong
from isotherm.errors import ParameterError
from isotherm.evaluation.runner import evaluate
from isotherm.models.neighbours.auto import Neighbourhood, learn_neighbourhood
from tests.models.linear.test_auto import log_of_topics


def peak_at(neighbours, shrinkage):
    """A ranking that is best there, and how often it was asked."""
    asked = []

    def ndcg(tried):
        asked.append(tried)
        return -abs(np.log(tried.neighbours / neighbours)) - abs(
            np.log((1 + tried.shrinkage) / (1 + shrinkage))
        )

    return ndcg, asked


@pytest.mark.parametrize(("neighbours", "shrinkage"), [(3, 0.0), (100, 20.0), (400, 312.5), (3200, 50.0)])
def test_the_search_climbs_to_the_peak_and_tries_nothing_twice(neighbours, shrinkage):
    ndcg, asked = peak_at(neighbours, shrinkage)
    assert learn_neighbourhood("auto", "auto", ndcg) == Neighbourhood(neighbours, shrinkage)
    assert len(asked) == len(set(asked))


def test_what_is_given_stays_and_shrinkage_follows_the_unit_of_clicks():
    ndcg, _ = peak_at(50, 500.0)
    assert learn_neighbourhood(7, "auto", ndcg, unit=10.0) == Neighbourhood(7, 500.0)
    assert learn_neighbourhood("auto", 3.5, ndcg) == Neighbourhood(50, 3.5)
    assert learn_neighbourhood("auto", "auto", None, unit=4.0) == Neighbourhood(100, 80.0)


def test_what_item_knn_learns_ranks_better_than_its_default_and_is_shown_and_saved(tmp_path):
    clicks = log_of_topics(400, 150, 12)
    split = strong(clicks, holdout=0.4, seed=0)
    result = evaluate(
        split,
        {
            "auto": ItemKNN(neighbours="auto", shrinkage="auto"),
            "knn": ItemKNN(neighbours=100, shrinkage=20.0),
        },
        ks=[10],
    )
    auto, default = (result.models[name].per_user["all"]["ndcg@10"] for name in ("auto", "knn"))
    assert (auto - default).mean() > -(auto - default).std() / np.sqrt(len(auto))
    assert set(result.models["auto"].learned) == {"neighbours_", "shrinkage_"}
    model = ItemKNN(neighbours="auto", shrinkage="auto").fit(clicks)
    assert f"[neighbours_={model.neighbours_:.4g}, shrinkage_={model.shrinkage_:.4g}]" in repr(model)
    by_hand = ItemKNN(neighbours=model.neighbours_, shrinkage=model.shrinkage_).fit(clicks)
    assert by_hand.recommend(k=5).equals(model.recommend(k=5))
    model.save(tmp_path / "model")
    assert repr(isotherm.load(tmp_path / "model")) == repr(model)


def test_content_knn_learns_how_to_rank_new_items(tmp_path):
    clicks, rng = log_of_topics(300, 120, 10), np.random.default_rng(0)
    tags = [[str(tag) for tag in rng.choice(30, 6, replace=False)] for _ in range(120)]
    items = Items.from_frame(pl.DataFrame({"item_id": clicks.items.values, "tags": tags}))
    model = ContentKNN(neighbours="auto", shrinkage="auto").fit(clicks, items)
    assert repr(ContentKNN(neighbours="auto", shrinkage="auto").fit(clicks, items)) == repr(model)
    learned = model.learned_settings()
    by_hand = ContentKNN(neighbours=int(learned["neighbours_"]), shrinkage=learned["shrinkage_"])
    assert by_hand.fit(clicks, items).recommend(k=5).equals(model.recommend(k=5))
    model.save(tmp_path / "model")
    assert repr(isotherm.load(tmp_path / "model")) == repr(model)
    assert ContentKNN(neighbours=9, shrinkage=2.0).fit(clicks, items).learned_settings() == {}


@pytest.mark.parametrize("x", [np.ones((1, 5)), np.ones((4, 1)), np.eye(6), np.ones((30, 8))])
def test_little_to_learn_from_gives_a_finite_model(x):
    """One user, one item, one click a user, all alike."""
    clicks = Interactions.from_csr(csr_array(x.astype(np.float32)))
    for model in (ItemKNN(neighbours="auto", shrinkage="auto"), ItemKNN(shrinkage="auto")):
        assert np.isfinite(model.fit(clicks).score(clicks.matrix)).all()
    items = Items.from_frame(
        pl.DataFrame({"item_id": clicks.items.values, "tags": [["a", "b"]] * x.shape[1]})
    )
    content = ContentKNN(neighbours="auto", shrinkage="auto").fit(clicks, items)
    assert np.isfinite(content.score(clicks.matrix)).all()


@pytest.mark.parametrize("setting", [{"neighbours": 0}, {"neighbours": "many"}, {"shrinkage": -1}])
def test_values_out_of_range_are_refused_by_name(setting):
    for model in (ItemKNN, ContentKNN):
        with pytest.raises(ParameterError, match=next(iter(setting))):
            model(**setting)
