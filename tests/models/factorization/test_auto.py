"""What iALS learns: the peak of a curve, the same by seed, saved, and safe where there is little to learn."""

import numpy as np
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import IALS, Interactions, MARec
from isotherm.data.splits import strong
from isotherm.errors import ParameterError
from isotherm.evaluation.runner import evaluate
from isotherm.models.factorization.auto import Regularization, learn_regularization
from tests.models.linear.test_auto import log_of_topics

AUTO = {"l2": "auto", "unobserved_weight": "auto", "factors": 8, "iterations": 6}


@pytest.mark.parametrize(("l2", "weight"), [("auto", "auto"), (0.02, "auto"), ("auto", 0.3)])
def test_the_search_climbs_to_what_ranks_best_and_leaves_what_is_given(l2, weight):
    user_items, asked = log_of_topics(60, 30, 6).matrix, []

    def scores(tried, left, kept):  # the truth, the clearer the nearer the numbers are to the peak
        asked.append(tried)
        distance = abs(np.log2(tried.l2 / 0.04)) + abs(np.log2(tried.unobserved_weight / 0.8))
        assert left.nnz < user_items.nnz
        noise = np.random.default_rng(0).standard_normal(kept.shape)
        return (user_items.toarray() + 0.3 * distance * noise).astype(np.float32)

    found = learn_regularization(user_items, l2, weight, scores, 0, Regularization())
    assert found.l2 == (0.02 if l2 == 0.02 else 0.04)
    assert found.unobserved_weight == (0.3 if weight == 0.3 else pytest.approx(0.8))
    assert len(asked) == len(set(asked))


def test_what_is_learned_ranks_better_than_the_default_and_is_shown_and_saved(tmp_path):
    clicks = log_of_topics(400, 120, 12)
    settings = {"factors": 8, "iterations": 6}
    usual = {"l2": 0.01, "unobserved_weight": 0.1}
    split = strong(clicks, holdout=0.4, seed=0)
    result = evaluate(split, {"auto": IALS(**AUTO), "ials": IALS(**settings, **usual)}, ks=[10])
    auto, default = (result.models[name].per_user["all"]["ndcg@10"] for name in ("auto", "ials"))
    assert (auto - default).mean() > -(auto - default).std() / np.sqrt(len(auto))
    assert set(result.models["auto"].learned) == {
        "regularization_.l2",
        "regularization_.unobserved_weight",
    }
    model = IALS(**AUTO).fit(clicks)
    assert repr(IALS(**AUTO).fit(clicks)) == repr(model)
    chosen = model.regularization_
    by_hand = IALS(l2=chosen.l2, unobserved_weight=chosen.unobserved_weight, **settings).fit(clicks)
    np.testing.assert_array_equal(by_hand.score(clicks.matrix), model.score(clicks.matrix))
    model.save(tmp_path / "model")
    loaded = isotherm.load(tmp_path / "model")
    assert repr(loaded) == repr(model)
    np.testing.assert_array_equal(loaded.score(clicks.matrix), model.score(clicks.matrix))
    assert loaded.explain(loaded.users_.values[0], loaded.items_.values[1])


def test_marec_on_ials_takes_what_it_learns(clicks, items, tmp_path):
    model = MARec(backbone=IALS(**AUTO)).fit(clicks, items)
    learned = model.learned_settings()
    assert learned["aligned_.regularization.l2"] > 0
    numbers = {name.split(".")[-1]: value for name, value in learned.items() if "regularization" in name}
    by_hand = MARec(backbone=IALS(**AUTO | numbers)).fit(clicks, items)
    assert by_hand.recommend(k=7).equals(model.recommend(k=7))
    model.save(tmp_path / "model")
    assert isotherm.load(tmp_path / "model").recommend(k=7).equals(model.recommend(k=7))
    assert model.refit(clicks, items).recommend(k=7).equals(model.recommend(k=7))


@pytest.mark.parametrize("x", [np.ones((1, 5)), np.ones((4, 1)), np.eye(6), np.ones((30, 8))])
def test_little_to_learn_from_gives_a_finite_model(x):
    """One user, one item, one click a user, all alike."""
    clicks = Interactions.from_csr(csr_array(x.astype(np.float32)))
    assert np.isfinite(IALS(**AUTO).fit(clicks).score(clicks.matrix)).all()


def test_where_no_click_can_be_hidden_the_usual_numbers_stay():
    clicks = Interactions.from_csr(csr_array(np.eye(6, dtype=np.float32)))
    assert IALS(**AUTO).fit(clicks).regularization_ == Regularization(0.01, 0.1)


def test_numbers_are_asked_for_where_there_are_none():
    with pytest.raises(ParameterError, match="to be learned"):
        _ = IALS(**AUTO).regularization
    with pytest.raises(ParameterError, match="l2 must be"):
        IALS(l2="some")
