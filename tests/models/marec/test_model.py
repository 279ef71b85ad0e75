"""MARec against the literal dense formulas, new items, explanations."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from isotherm import EASE, IALS, SLIM, Encoding, Interactions, Items, MARec, evaluate
from isotherm.data.splits import mixed
from isotherm.errors import ItemsError, ParameterError
from isotherm.models.registry import model_class
from isotherm.models.vae.training.settings import Training
from isotherm.parameters import build
from tests.conftest import random_clicks
from tests.models.marec.small import dense_weights, random_items
from tests.reference import marec as reference
from tests.reference.ease import eq8_weights


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n_items, n_users = draw(st.integers(8, 24)), draw(st.integers(12, 60))
    cold = draw(st.integers(0, 4))
    x = random_clicks(rng, n_users, n_items, draw(st.sampled_from([0.08, 0.25, 0.5])), cold)
    options = {
        "alpha": draw(st.sampled_from([0.5, 1.0, 3.0])),
        "beta": draw(st.sampled_from([0.5, 5.0])),
        "shrinkage": draw(st.sampled_from([1.0, 20.0])),
        "second_order": draw(st.booleans()),
        "non_negative": draw(st.booleans()),
        "nonclick_weight": draw(st.sampled_from([0.05, 0.3, 1.0])),
        "evidence": draw(st.sampled_from(["warm", "all"])),
        "click_threshold": draw(st.sampled_from([None, 3.0, 8.0])),
        "decay": draw(st.sampled_from(["linear", "constant", "exponential"])),
    }
    return x, *random_items(rng, n_items), options, draw(st.sampled_from([5.0, 50.0]))


@settings(max_examples=60, deadline=None)
@given(cases())
def test_whole_fit_equals_the_literal_dense_formulas(case):
    x, items, (hot, year, vectors), options, l2 = case
    model = MARec(backbone=EASE(l2=l2), smoothing=1.0, **options).fit(Interactions.from_csr(x), items)

    delta, counts = options["shrinkage"], x.sum(axis=0)
    by_field = [
        reference.eq3_smoothed_cosine(hot, delta),
        reference.closeness(year),
        reference.eq3_smoothed_cosine(vectors, delta),
    ]
    terms = reference.eq5_terms(by_field, options["second_order"])
    columns = np.flatnonzero(counts) if options["evidence"] == "warm" else np.arange(len(counts))
    mu = reference.weighted_least_squares(
        x, terms, columns, options["nonclick_weight"], options["non_negative"]
    )
    predictors = np.stack([(x @ t)[:, columns].ravel() for t in terms], axis=1)
    target = x[:, columns].ravel()
    weight = np.where(target > 0, 1.0, options["nonclick_weight"])
    if reference.condition(predictors, weight) < 1e4:
        np.testing.assert_allclose(predictors @ model.field_weights_, predictors @ mu, atol=1e-4)
    else:  # many μ predict alike; ours must still be better than none
        ours, none = (
            reference.weighted_loss(m, predictors, target, weight) for m in (model.field_weights_, 0 * mu)
        )
        assert ours <= none * (1 + 1e-4)

    # the closed form itself, given the same μ
    g = sum(m * t for m, t in zip(model.field_weights_, terms, strict=True))
    threshold = options["click_threshold"] or max(np.percentile(counts, 10), 1)
    d = reference.eq6_strengths(counts, threshold, options["beta"], options["decay"])
    gram = x.T @ x
    assume(np.linalg.cond(gram @ (np.eye(len(g)) + options["alpha"] * g * d) + l2 * np.eye(len(g))) < 1e4)
    expected = reference.eq9_weights(x, g, d, options["alpha"], l2)
    np.fill_diagonal(expected, 0)
    assume(np.abs(expected).max() < 30)  # a weight is −P_ij / P_jj: a P_jj near 0 costs float32 its digits
    np.testing.assert_allclose(dense_weights(model), expected, atol=1e-4 * max(1.0, np.abs(expected).max()))


def test_warm_block_is_plain_ease_where_nothing_is_rare():
    rng = np.random.default_rng(0)
    x = random_clicks(rng, 80, 20, 0.4, cold=4)
    items, _ = random_items(rng, 20)
    clicks = Interactions.from_csr(x)
    model = MARec(backbone=EASE(l2=20.0), beta=3.0, click_threshold=1.0).fit(clicks, items)
    plain = EASE(l2=20.0).fit(clicks)
    np.testing.assert_array_equal(dense_weights(model)[:16, :16], dense_weights(plain)[:16, :16])
    np.testing.assert_allclose(dense_weights(plain)[:16, :16], eq8_weights(x[:, :16], 20.0), atol=1e-5)


@pytest.mark.parametrize("threshold", [None, 9.0])
def test_added_items_equal_a_refit_that_knew_them(threshold):
    rng = np.random.default_rng(3)
    x = random_clicks(rng, 60, 24, 0.2, cold=6)
    items, _ = random_items(rng, 24)
    known, new = items.take(np.arange(20)), items.take(np.arange(20, 24))
    clicks = Interactions.from_csr(x[:, :20])
    model = MARec(backbone=EASE(l2=10.0), beta=4.0, click_threshold=threshold).fit(clicks, known)
    added = dense_weights(model.add_items(new))
    again = dense_weights(model.refit(Interactions.from_csr(x[:, :20]), items))
    np.testing.assert_allclose(added, again, atol=1e-5)
    assert np.abs(added[:18, 20:]).max() > 1e-3  # the new columns do say something


def test_items_added_one_by_one_score_as_items_added_at_once():
    rng = np.random.default_rng(5)
    x = random_clicks(rng, 50, 16, 0.3)
    items, _ = random_items(rng, 27)
    clicks = Interactions.from_csr(x)

    def fitted():
        return MARec(beta=2.0).fit(clicks, items.take(np.arange(16)))

    together, singly = fitted().add_items(items.take(np.arange(16, 27))), fitted()
    for row in range(16, 27):
        singly.add_items(items.take(np.array([row])))
    np.testing.assert_allclose(dense_weights(singly), dense_weights(together), atol=1e-6)
    assert singly.items_.values.to_list() == together.items_.values.to_list()
    assert len(singly.weights_.blocks) <= 6


def test_adding_a_known_item_is_refused_and_changes_nothing(clicks, items):
    model = MARec(beta=1.0).fit(clicks, items)
    before = model.n_items
    with pytest.raises(ItemsError, match="knows 1 of these items already: 'i03'"):
        model.add_items(items.take(np.array([3])))
    assert model.n_items == before


def test_shares_by_item_and_by_field_add_up_to_the_score(clicks, items):
    model = MARec(backbone=EASE(l2=10.0), beta=5.0).fit(clicks, items)
    for item in ("i27", "i29"):
        explained = model.explain("u07", item)
        score = model.recommend(["u07"], k=30, exclude_seen=False).filter(pl.col("item_id") == item)["score"]
        assert explained.score == pytest.approx(score.item(), rel=1e-4, abs=1e-6)
        assert explained.by_item["share"].sum() == pytest.approx(explained.score, rel=1e-4, abs=1e-6)
        assert explained.by_field["share"].sum() == pytest.approx(explained.score, rel=1e-3, abs=1e-5)
    assert model.explain("u07", "i02").by_field is None


def test_pairs_are_halved_between_their_fields_and_told_apart(clicks, items):
    model = MARec(backbone=EASE(l2=10.0), beta=5.0).fit(clicks, items)
    explained = model.explain("u07", "i27")
    by_term = dict(explained.by_term.rows())
    assert len(by_term) == 10
    by_field = dict(explained.by_field["field", "share"].rows())
    assert set(by_field) == {"genres", "plot", "year", "clip"}
    for field, share in by_field.items():
        pairs = sum(
            value for term, value in by_term.items() if field in term.split(" × ")[0:2] and "×" in term
        )
        assert share == pytest.approx(by_term[field] + pairs / 2, rel=1e-4, abs=1e-6)


def test_importance_is_how_far_fields_move_the_scores_of_new_items(clicks, items, monkeypatch):
    """By the shares of ``explain``, one user and item at a time."""
    model = MARec(backbone=EASE(l2=10.0), beta=5.0).fit(clicks, items)
    monkeypatch.setattr("isotherm.models.marec.model.LEAST_NEW", 1)
    moved = {}
    for user in model.users_.values:
        shares = {}
        for item in ("i25", "i26", "i27", "i28", "i29"):
            for field, share in model.explain(user, item).by_field["field", "share"].rows():
                shares.setdefault(field, []).append(share)
        for field, values in shares.items():
            moved[field] = moved.get(field, 0.0) + np.abs(np.array(values) - np.mean(values)).sum()
    for field, share in model.importance()["field", "share"].rows():
        assert share == pytest.approx(moved[field] / sum(moved.values()), rel=1e-3)


def test_exact_weights_are_mu(clicks, items):
    model = MARec(beta=1.0).fit(clicks, items)
    weights = model.metadata_weights()
    assert weights.columns == ["field", "with", "weight"]
    assert weights["weight"].to_list() == model.field_weights_.tolist()
    assert weights["with"].null_count() == 4
    assert (weights["weight"] < 0).any()


def test_shares_by_field_add_up_with_rare_items_too(clicks, items):
    model = MARec(backbone=EASE(l2=10.0), beta=5.0, click_threshold=14.0).fit(clicks, items)
    explained = model.explain("u07", "i27")
    assert len(model.aligned_.operator.rare)
    assert explained.by_field["share"].sum() == pytest.approx(explained.score, rel=1e-3, abs=1e-5)


def test_learned_beta_lifts_predictable_cold_items():
    """Users like one genre each; new items of that genre must rise, and beta_ is shown."""
    rng = np.random.default_rng(7)
    genre = np.arange(40) % 2
    x = np.where(genre[None, :] == (np.arange(200) % 2)[:, None], rng.random((200, 40)) < 0.5, 0).astype(
        float
    )
    items = Items.from_frame(
        pl.DataFrame({"item_id": np.arange(40), "genre": [[str(g)] for g in genre]}),
        kinds={"genre": "categories"},
    )
    model = MARec(backbone=EASE(l2=10.0), smoothing=1.0).fit(Interactions.from_csr(x[:, :32]), items)
    learned = f"[beta_={model.beta_:.4g}, new_item_share_={model.new_item_share_:.4g}, trend_.power=0]"
    assert repr(model).endswith(learned)
    shown = model.recommend([0], k=8, candidates=list(range(32, 40)))
    assert [int(item) % 2 for item in shown["item_id"]] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert model.recommend([0], k=10)["item_id"].is_in(list(range(32, 40))).any()


def test_learned_beta_is_about_the_best_one_on_items_it_never_saw():
    rng = np.random.default_rng(11)
    genre = rng.integers(4, size=120)
    taste = rng.dirichlet(np.full(4, 0.4), size=300)
    x = (rng.random((300, 120)) < 0.5 * taste[:, genre]).astype(float)
    x[np.arange(300), rng.integers(120, size=300)] = 1
    items = Items.from_frame(pl.DataFrame({"item_id": np.arange(120), "genre": [[str(g)] for g in genre]}))
    split = mixed(Interactions.from_csr(x), warm_holdout=0.2, seed=0)
    betas = ["auto", *np.logspace(-3, 4, 22)]
    models = {str(beta): MARec(backbone=EASE(l2=50.0), beta=beta) for beta in betas}
    result = evaluate(split, models, items)
    quality = {name: one.metrics["all"]["ndcg@10"].mean for name, one in result.models.items()}
    learned = quality.pop("auto")
    assert learned > 0.97 * max(quality.values())
    assert learned > 1.05 * min(quality.values())


@pytest.mark.parametrize("n_items", [1, 2, 3])
def test_learned_beta_survives_the_smallest_logs(n_items):
    items = Items.from_frame(pl.DataFrame({"item_id": np.arange(4), "genre": [["a"], ["a"], ["a"], ["a"]]}))
    model = MARec().fit(Interactions.from_csr(np.ones((3, n_items))), items)
    assert np.isfinite(model.beta_)
    assert model.recommend(k=4)["score"].is_finite().all()


def test_constructor_says_what_is_wrong():
    for options, words in (
        ({"beta": 0}, "beta must be a number > 0, not 0"),
        ({"beta": "loud"}, "beta must be a number"),
        ({"evidence": "some"}, "evidence must be one of"),
        ({"backbone": "popularity"}, "backbone must be one of ease, slim, ials"),
        ({"click_threshold": 0.5}, "click_threshold must be a number >= 1"),
    ):
        with pytest.raises(ParameterError, match=words):
            MARec(**options)


def test_unknown_field_is_refused(clicks, items):
    with pytest.raises(ItemsError, match="there is no field 'genre'; the fields are genres, plot"):
        MARec(encoding=Encoding(fields=["genre"])).fit(clicks, items)


@pytest.mark.parametrize(
    "backbone",
    [
        EASE(l2=10.0),
        EASE(l2=10.0, collective=0.5),
        SLIM(l2=10.0),
        IALS(factors=4),
        pytest.param("recvae", id="recvae"),
    ],
    ids=lambda backbone: getattr(backbone, "name", None),
)
def test_refit_on_unchanged_clicks_is_the_fit(clicks, items, backbone):
    if backbone == "recvae":
        backbone = model_class("recvae")(hidden=16, latent=4, training=Training(epochs=2))
    model = MARec(backbone=backbone, click_threshold=12).fit(clicks, items)
    before, beta = dense_weights(model), model.beta_
    again = dense_weights(model.refit(clicks, items))
    np.testing.assert_allclose(again, before, atol=1e-6 * np.abs(before).max())
    assert model.beta_ == beta


def test_a_refused_refit_leaves_the_model_whole(clicks, items):
    model = MARec().fit(clicks, items)
    before, state = dense_weights(model), dict(model.__dict__)
    for bad in (items.only(["genres"]), items.take(np.arange(3)), None):
        with pytest.raises((ItemsError, ParameterError)):
            model.refit(clicks, bad)
    assert model.__dict__ == state
    np.testing.assert_array_equal(dense_weights(model), before)


def test_backbones_are_chosen_by_name_with_dotted_settings():
    made = build(MARec, {"backbone": "slim", "backbone.nonclick_weight": 0.2})
    assert repr(made.backbone) == repr(SLIM(nonclick_weight=0.2))
    made = build(MARec, {"backbone": "multvae", "backbone.training.epochs": 3, "backbone.mask": "none"})
    assert made.backbone.training.epochs == 3
    assert made.backbone.mask.name == "none"
