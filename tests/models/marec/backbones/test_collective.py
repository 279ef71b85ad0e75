"""MARec on collective EASE: eq. 9 with λ₀ against its literal version, and new items."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import isotherm
from isotherm import (
    EASE,
    Interactions,
    MARec,
)
from isotherm.errors import ParameterError
from isotherm.features.feature_stack import FeatureStack
from isotherm.models.marec.backbones.collective import NewColumns
from tests.conftest import random_clicks
from tests.models.marec.small import cases, dense_weights, mixed_similarity, random_items
from tests.reference import marec as reference


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


def test_collective_ease_is_saved_where_unclicked_items_stand_between_clicked_ones(tmp_path):
    x = random_clicks(np.random.default_rng(4), 40, 12, 0.3)
    x[:, [0, 5]] = 0
    items, _ = random_items(np.random.default_rng(4), 12)
    model = MARec(backbone=EASE(l2=5.0, collective=1.0)).fit(Interactions.from_csr(x), items)
    model.save(tmp_path / "m")
    assert isotherm.load(tmp_path / "m").recommend(k=12).equals(model.recommend(k=12))


def test_beta_scales_the_columns_from_similarities_alone():
    columns = NewColumns(np.array([[1.0, 2.0]], np.float32), np.array([[10.0, 0.0]], np.float32))
    np.testing.assert_array_equal(columns.at_beta(0.5), [[6, 2]])
