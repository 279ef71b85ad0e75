"""MARec on each backbone: eq. 9 with λ₀, eq. 10, eq. 7 and soft targets against their literal versions."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

import isotherm
from isotherm import (
    EASE,
    IALS,
    SLIM,
    EASETerm,
    Interactions,
    ItemAnchors,
    Items,
    MARec,
    MultVAE,
    RecVAE,
    Training,
)
from isotherm.data import splits
from isotherm.errors import ParameterError, UnsupportedError
from isotherm.features.feature_stack import FeatureStack
from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.marec.backbones.base import Alignment
from isotherm.models.marec.backbones.vae import MetadataTargets
from isotherm.models.marec.embedding import Siamese
from isotherm.models.marec.field_weights import normal_equations
from isotherm.models.marec.pseudo_cold import PseudoColdItems
from isotherm.models.marec.warm_clicks import WarmClicks
from isotherm.parameters import build
from tests.conftest import random_clicks
from tests.models.marec.test_model import dense_weights, random_items
from tests.reference import marec as reference


def mixed_similarity(model, hot, year, vectors):
    """G of eq. 5 with the model's own μ."""
    by_field = [
        reference.eq3_smoothed_cosine(hot, model.shrinkage),
        reference.closeness(year),
        reference.eq3_smoothed_cosine(vectors, model.shrinkage),
    ]
    terms = reference.eq5_terms(by_field, model.second_order)
    return sum(m * t for m, t in zip(model.importance_, terms, strict=True))


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n_items, cold = draw(st.integers(8, 20)), draw(st.integers(0, 4))
    x = random_clicks(rng, 50, n_items, draw(st.sampled_from([0.08, 0.3])), cold)
    options = {
        "alpha": draw(st.sampled_from([0.5, 1.0])),
        "beta": draw(st.sampled_from([0.5, 3.0])),
        "click_threshold": draw(st.sampled_from([None, 3.0, 8.0])),
    }
    return x, *random_items(rng, n_items), options


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from([0.1, 0.5, 1.0]), st.sampled_from([0.0, 50.0]))
def test_slim_equals_eq_10(case, nonclick_weight, self_penalty):
    x, items, encoded, options = case
    slim = SLIM(l2=20.0, nonclick_weight=nonclick_weight, self_penalty=self_penalty, tolerance=1e-6)
    model = MARec(backbone=slim, **options).fit(Interactions.from_csr(x), items)
    g, counts = mixed_similarity(model, *encoded), x.sum(axis=0)
    d = reference.eq6_strengths(counts, model.click_threshold_, options["beta"])
    mixing = np.eye(len(g)) + options["alpha"] * g * d
    assume(np.linalg.cond(nonclick_weight * x.T @ x @ mixing + 20 * np.eye(len(g))) < 1e3)
    expected = reference.eq10_weights(x, options["alpha"] * x @ g * d, 20.0, nonclick_weight, self_penalty)
    np.testing.assert_allclose(dense_weights(model), expected, atol=2e-4 * max(1.0, np.abs(expected).max()))


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from([0.3, 5.0]))
def test_collective_ease_equals_eq_9_with_features(case, l0):
    x, items, encoded, options = case
    model = MARec(backbone=EASE(l2=20.0, collective=l0), **options).fit(Interactions.from_csr(x), items)
    g, counts = mixed_similarity(model, *encoded), x.sum(axis=0)
    d = reference.eq6_strengths(counts, model.click_threshold_, options["beta"])
    features = features_of(model, items)
    mixing = x.T @ x @ (np.eye(len(g)) + options["alpha"] * g * d) + l0 * features @ features.T
    assume(np.linalg.cond(mixing + 20 * np.eye(len(g))) < 1e3)
    expected = reference.eq9_collective_weights(x, features, g, d, options["alpha"], 20.0, l0)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(dense_weights(model), expected, atol=2e-4 * max(1.0, np.abs(expected).max()))


def features_of(model, items):
    """Fᵀ of all items, as the model stacks them."""
    encoded = model.similarity_.encode(items)
    return FeatureStack(model.warm_encoded_).features(encoded).toarray().astype(float)


@pytest.mark.parametrize("threshold", [None, 6.0])
def test_an_item_added_to_collective_ease_has_the_column_of_eq_9(threshold):
    rng = np.random.default_rng(4)
    x = random_clicks(rng, 60, 17, 0.15, cold=2)
    items, encoded = random_items(rng, 18)
    model = MARec(backbone=EASE(l2=20.0, collective=3.0), beta=2.0, click_threshold=threshold)
    model.fit(Interactions.from_csr(x), items.take(np.arange(17))).add_items(items.take(np.array([17])))
    wide = np.concatenate([x, np.zeros((60, 1))], axis=1)
    g = mixed_similarity(model, *encoded)
    d = reference.eq6_strengths(wide.sum(axis=0), model.click_threshold_, 2.0)
    expected = reference.eq9_collective_weights(wide, features_of(model, items), g, d, 1.0, 20.0, 3.0)
    np.testing.assert_allclose(dense_weights(model)[:17, 17], expected[:17, 17], atol=1e-4)
    assert np.abs(expected[:17, 17]).max() > 1e-2


def test_collective_ease_alone_knows_items_without_clicks(clicks, items):
    model = EASE(l2=50.0, collective=20.0).fit(clicks, items)
    assert np.abs(model.weights_.column(27)).max() > 1e-3
    assert not EASE(l2=50.0).fit(clicks, items).weights_.column(27).any()
    with pytest.raises(ParameterError, match="collective above 0 needs an item table"):
        EASE(collective=1.0).fit(clicks)


@pytest.mark.parametrize("backbone", ["slim", "ials", "multvae", "multdae", "recvae"])
def test_items_of_the_fit_and_items_added_score_alike(clicks, items, item_frame, backbone):
    """The five never-clicked items get from add_items what a fit held to the same network gives them."""
    options = {"hidden": 16, "latent": 4, "training": Training(epochs=3)} if "ae" in backbone else {}
    made = build(MARec, {"backbone": backbone, "beta": 1.3, **_dotted(options)})
    model = made.fit(clicks, items)
    names = pl.Series([f"n{n}" for n in range(5)])
    twice = Items.from_frame(item_frame.tail(5).with_columns(item_id=names), kinds={"plot": "text"})
    model.add_items(twice)
    scores = model.score(model.histories_of(np.arange(60)))
    np.testing.assert_allclose(scores[:, 30:], scores[:, 25:30], rtol=1e-3, atol=1e-4)


def _dotted(options):
    return {f"backbone.{name}": value for name, value in options.items()}


def test_guessed_clicks_move_a_network(clicks, items):
    """α reaches the training: another weight of the guesses gives the clicked items other scores."""

    def scores(alpha):
        vae = MultVAE(hidden=16, latent=4, training=Training(epochs=5))
        model = MARec(backbone=vae, beta=2.0, alpha=alpha).fit(clicks, items)
        return model.score(model.histories_of(np.arange(60)))[:, :25]

    assert np.abs(scores(1.0) - scores(5.0)).max() > 1e-3


def test_metadata_targets_are_those_of_eq_7():
    """The loss of one batch is −Σ x log π − α Σ b log π, with b = max(βXGD, 0)."""
    rng = np.random.default_rng(5)
    x = csr_array(random_clicks(rng, 30, 8).astype(np.float32))
    rare_rows = rng.standard_normal((1, 8)).astype(np.float32)
    cold_rows = rng.standard_normal((2, 8)).astype(np.float32)
    alignment = Alignment(x, np.array([3]), np.array([0.5], np.float32), rare_rows, cold_rows)
    found = MetadataTargets(alignment, 1.7)(np.array([4, 9])).toarray()
    expected = np.zeros((2, 10))
    expected[:, 3] = 1.7 * 0.5 * (x[[4, 9]] @ rare_rows[0])
    expected[:, 8:] = 1.7 * (x[[4, 9]] @ cold_rows.T)
    np.testing.assert_allclose(found, np.maximum(expected, 0), rtol=1e-5)


def test_what_a_backbone_cannot_do_is_said(clicks, items):
    with pytest.raises(ParameterError, match="ease_term=ease speaks of clicked items only"):
        MARec(backbone=MultVAE(ease_term=EASETerm())).fit(clicks, items)
    for anchors in (ItemAnchors(weight=1.0, weighting="recency"), ItemAnchors(weight=1.0, init="metadata")):
        with pytest.raises(ParameterError, match="a backbone sees neither dates nor items"):
            MARec(backbone=MultVAE(anchors=anchors)).fit(clicks, items)
    vae = RecVAE(hidden=8, latent=4, training=Training(epochs=1))
    model = MARec(backbone=vae, beta=1.0).fit(clicks, items)
    with pytest.raises(UnsupportedError, match="marec on recvae has no exact explanation"):
        model.explain("u00", "i27")
    assert torch.isfinite(torch.from_numpy(model.score(model.histories_of(np.arange(5))))).all()


def test_backbones_are_chosen_by_name_with_dotted_settings():
    made = build(MARec, {"backbone": "slim", "backbone.nonclick_weight": 0.2})
    assert repr(made.backbone) == repr(SLIM(nonclick_weight=0.2))
    made = build(MARec, {"backbone": "multvae", "backbone.training.epochs": 3, "backbone.mask": "none"})
    assert made.backbone.training.epochs == 3
    assert made.backbone.mask.name == "none"


def test_a_learned_embedding_stands_beside_the_fields_or_alone(clicks, items):
    beside = MARec(embedding=Siamese(width=8, heads=2), beta=1.0).fit(clicks, items)
    assert ("learned embedding",) in beside.similarity_.terms
    assert ("genres", "learned embedding") in beside.similarity_.terms
    alone = MARec(embedding=Siamese(alone=True, width=8, heads=2), beta=1.0).fit(clicks, items)
    assert alone.importance()["field"].to_list() == ["learned embedding"]
    fields = alone.explain("u03", "i27").by_field
    assert fields["field"].to_list() == ["learned embedding"]


def test_importance_of_an_embedding_is_learned_on_items_it_has_not_met(clicks, items):
    """The regression over the columns of some items is the literal one over their cells."""
    similarity = MetadataSimilarity.fitted(items, shrinkage=20.0)
    embedding, encoded = Siamese(alone=True, width=8, heads=2), similarity.encode(items)
    x = clicks.matrix.toarray().astype(float)
    pseudo_cold = PseudoColdItems.draw(WarmClicks.of(clicks), encoded, similarity, embedding, seed=0)
    hidden = pseudo_cold.split.hidden_items
    assert len(hidden) == 5
    vectors = pseudo_cold.encoded.fields["learned embedding"].array.astype(float)
    g = vectors @ vectors.T / (1 + 20.0)
    np.fill_diagonal(g, 0)
    sums = normal_equations(
        clicks.matrix,
        (x.T @ x).astype(np.float32),
        pseudo_cold.warm_index,
        pseudo_cold.hidden,
        hidden,
        0.1,
    )
    expected = reference.weighted_least_squares(x, [g], hidden, 0.1)
    np.testing.assert_allclose(sums.solve(False), expected, rtol=1e-3)


@pytest.mark.parametrize(
    "backbone",
    [EASE(), EASE(collective=1.0), SLIM(), IALS(factors=4)],
    ids=["ease", "collective", "slim", "ials"],
)
def test_new_items_stand_anywhere_among_the_others(clicks, items, backbone, tmp_path):
    """Their columns come between those of known items, as in every split that hides items."""
    split = splits.cold_items(clicks, seed=0)
    assert np.flatnonzero(split.cold)[0] < np.flatnonzero(~split.cold)[-1]
    model = MARec(backbone=backbone, beta=2.0).fit(split.train, items)
    model.save(tmp_path / "m")
    assert isotherm.load(tmp_path / "m").recommend(k=30).equals(model.recommend(k=30))


def test_collective_ease_is_saved_where_unclicked_items_stand_between_clicked_ones(tmp_path):
    x = random_clicks(np.random.default_rng(4), 40, 12, 0.3)
    x[:, [0, 5]] = 0
    items, _ = random_items(np.random.default_rng(4), 12)
    model = MARec(backbone=EASE(l2=5.0, collective=1.0)).fit(Interactions.from_csr(x), items)
    model.save(tmp_path / "m")
    assert isotherm.load(tmp_path / "m").recommend(k=12).equals(model.recommend(k=12))
