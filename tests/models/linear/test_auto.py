"""What is learned: near the best of a grid, the same by seed, and safe where there is little to learn."""

import json

import numpy as np
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import EASE, Interactions
from isotherm.data.splits import strong
from isotherm.evaluation.runner import evaluate
from isotherm.models.linear.penalties import Penalties


def log_of_topics(n_users, n_items, per_user, seed=0):
    """Users who each like a few topics."""
    rng = np.random.default_rng(seed)
    topics, popularity = rng.integers(0, 12, n_items), 1 / np.arange(5, n_items + 5)
    rows = []
    for _ in range(n_users):
        liked = np.where(np.isin(topics, rng.choice(12, 2)), 12.0, 1.0) * popularity
        size = rng.integers(max(per_user // 3, 2), 2 * per_user)
        rows.append(rng.choice(n_items, size, replace=False, p=liked / liked.sum()))
    x = np.zeros((n_users, n_items), dtype=np.float32)
    for row, items in enumerate(rows):
        x[row, items] = 1
    return Interactions.from_csr(csr_array(x))


@pytest.mark.parametrize(("n_users", "per_user"), [(1200, 20), (500, 6)])
def test_what_is_learned_ranks_as_the_best_of_a_grid_searched_on_the_test_set(n_users, per_user):
    split = strong(log_of_topics(n_users, 150, per_user), holdout=0.4, seed=0)
    grid = {f"{l2:g}": EASE(l2=l2) for l2 in 2.0 ** np.arange(2, 14)}
    result = evaluate(split, {"auto": EASE(l2="auto"), **grid}, ks=[10])
    ndcg = {name: model.per_user["all"]["ndcg@10"] for name, model in result.models.items()}
    best = max(grid, key=lambda name: ndcg[name].mean())
    difference = ndcg["auto"] - ndcg[best]
    assert difference.mean() > -0.01 * ndcg[best].mean() - difference.std() / np.sqrt(len(difference))
    assert ndcg["auto"].mean() > 1.05 * min(ndcg[name].mean() for name in grid)


def test_the_same_seed_gives_the_same_model_and_shows_what_it_learned(tmp_path):
    clicks = log_of_topics(300, 80, 10)
    one, other = EASE(l2="auto").fit(clicks), EASE(l2="auto").fit(clicks)
    np.testing.assert_array_equal(one.weights_.warm, other.weights_.warm)
    assert one.penalties_ == other.penalties_
    assert f"[penalties_.l2={one.penalties_.l2:.4g}, penalties_.denoising=" in repr(one)
    one.save(tmp_path / "model")
    assert repr(isotherm.load(tmp_path / "model")) == repr(one)
    saved = json.loads((tmp_path / "model" / "model.json").read_text())
    assert str(one.penalties_.l2)[:6] in json.dumps(saved)
    result = evaluate(strong(clicks), {"ease": EASE(l2="auto")}, ks=[5])
    assert set(result.models["ease"].learned) == {
        f"penalties_.{name}" for name in ("l2", "denoising", "user_power", "relaxation")
    }


def test_the_learned_numbers_given_by_hand_give_the_same_model():
    clicks = log_of_topics(300, 80, 10)
    learned = EASE(l2="auto").fit(clicks)
    chosen = learned.penalties_
    by_hand = EASE(
        l2=chosen.l2,
        denoising=chosen.denoising,
        user_power=chosen.user_power,
        relaxation=chosen.relaxation,
    )
    np.testing.assert_array_equal(by_hand.fit(clicks).weights_.warm, learned.weights_.warm)


def test_given_numbers_are_kept_while_l2_is_learned():
    chosen = (
        EASE(l2="auto", denoising=0.25, user_power=0.5, relaxation=0)
        .fit(log_of_topics(200, 60, 8))
        .penalties_
    )
    assert (chosen.denoising, chosen.user_power, chosen.relaxation) == (0.25, 0.5, 0)
    assert "penalties_.denoising" not in repr(EASE(l2="auto", denoising=0.25).fit(log_of_topics(200, 60, 8)))


def test_the_others_are_learned_beside_a_given_l2_where_that_is_asked():
    model = EASE(l2=40.0, denoising="auto", relaxation=0.1).fit(log_of_topics(200, 60, 8))
    assert (model.penalties_.l2, model.penalties_.user_power, model.penalties_.relaxation) == (40.0, 0, 0.1)
    assert list(model.learned_settings()) == ["penalties_.denoising"]
    assert EASE(l2=40.0).fit(log_of_topics(200, 60, 8)).learned_settings() == {}


@pytest.mark.parametrize("x", [np.ones((1, 5)), np.ones((4, 1)), np.eye(6)])
def test_where_no_hidden_click_can_rank_the_usual_number_stays(x):
    """One user, one item, one click a user."""
    model = EASE(l2="auto").fit(Interactions.from_csr(csr_array(x.astype(np.float32))))
    assert model.penalties_ == Penalties(500.0)


@pytest.mark.parametrize(
    "x", [np.ones((30, 8)), np.array([[1, 1, 0], [0, 1, 1]]), np.eye(9, k=1) + np.eye(9)]
)
def test_little_to_learn_from_gives_a_finite_model(x):
    """All alike, two users, a chain."""
    model = EASE(l2="auto").fit(Interactions.from_csr(csr_array(x.astype(np.float32))))
    assert 500 / 2048 <= model.penalties_.l2 <= 500 * 2048
    assert np.isfinite(model.weights_.warm).all()


def test_l2_follows_the_unit_of_the_clicks():
    clicks = log_of_topics(300, 80, 10)
    tenfold = Interactions.from_csr(clicks.matrix * np.float32(10))
    assert EASE(l2="auto").fit(tenfold).penalties_.l2 == pytest.approx(
        100 * EASE(l2="auto").fit(clicks).penalties_.l2, rel=1e-3
    )
