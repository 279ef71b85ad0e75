"""Anchors: weights of clicks, where they begin, those of never-clicked items."""

import datetime

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.features.feature_stack import all_features
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.anchors import ItemAnchors, cold_anchors
from isotherm.models.vae.training.settings import Training


def test_weighted_centroids(x):
    matrix = csr_array(x.numpy())
    clicks = Interactions.from_csr(matrix)
    rare = ItemAnchors(weighting="inverse-popularity").click_weights(clicks)
    expected = x / x.sum(0).clamp(min=1)
    expected = expected / expected.sum(1, keepdim=True)
    np.testing.assert_allclose(rare, expected.numpy()[x.numpy() > 0], rtol=1e-5)
    frame = pl.DataFrame(
        {
            "user_id": ["a", "a", "a", "b"],
            "item_id": [1, 2, 3, 1],
            "timestamp": [datetime.datetime(2026, 1, day) for day in (1, 31, 31, 5)],
        }
    )
    recent = ItemAnchors(weighting="recency", half_life=30.0).click_weights(Interactions.from_frame(frame))
    np.testing.assert_allclose(recent, [0.2, 0.4, 0.4, 1.0], rtol=1e-6)
    seconds = frame.with_columns(pl.col("timestamp").dt.epoch("s"))
    again = ItemAnchors(weighting="recency", half_life=30.0).click_weights(Interactions.from_frame(seconds))
    np.testing.assert_allclose(again, recent, rtol=1e-6)
    with pytest.raises(ParameterError, match="needs timestamps"):
        ItemAnchors(weighting="recency").click_weights(clicks)


@pytest.mark.parametrize("init", ["random", "svd", "metadata"])
def test_starts_have_the_asked_size_and_say_something(init, clicks, items):
    anchors = ItemAnchors(init=init, scale=0.3)
    start = anchors.initial(clicks.among(clicks.users, items.ids).matrix, anchors.features(items), 4, 0)
    assert start.shape == (30, 4)
    assert start.dtype == np.float32
    assert np.sqrt(np.mean(start**2)) == pytest.approx(0.3, rel=0.2)
    if init != "svd":
        assert np.abs(start[25:]).sum() > 0
    with pytest.raises(ParameterError, match="needs an item table"):
        ItemAnchors(init="metadata").features(None)


def test_a_cold_item_stands_among_the_items_like_it():
    items = Items.from_frame(
        pl.DataFrame({"item_id": [0, 1, 2, 3, 4], "genre": [["a"], ["a"], ["b"], ["a"], ["c"]]})
    )
    anchors = np.array([[1, 0], [3, 0], [0, 9], [7, 7], [8, 8]], np.float32)
    placed = cold_anchors(anchors, np.array([2, 2, 2, 0, 0]), items)
    np.testing.assert_allclose(placed[:3], anchors[:3])
    np.testing.assert_allclose(placed[3], [2, 0], atol=1e-6)
    np.testing.assert_allclose(placed[4], anchors[:3].mean(0), atol=1e-6)
    bare = Items.from_frame(pl.DataFrame({"item_id": [0, 1, 2, 3, 4]}))
    np.testing.assert_array_equal(cold_anchors(anchors, np.array([2, 2, 2, 0, 0]), bare), anchors)


def test_anchors_cost_nothing_at_inference(clicks, items, tmp_path):
    """The same weights are read, and the anchors could be thrown away."""
    settings = {"hidden": 16, "latent": 6, "training": Training(epochs=3)}
    plain = MultVAE(**settings).fit(clicks, items)
    pulled = MultVAE(anchors=ItemAnchors(weight=1.0), **settings).fit(clicks, items)
    assert pulled.anchors_.shape == (30, 6)
    assert np.isfinite(pulled.anchors_).all()
    assert plain.anchors_ is None
    assert [(n, p.shape) for n, p in plain.network_.named_parameters()] == [
        (n, p.shape) for n, p in pulled.network_.named_parameters()
    ]
    histories = pulled.clicks_
    before = pulled.score(histories)
    pulled.anchors_ = None
    np.testing.assert_array_equal(pulled.score(histories), before)


def test_anchors_from_a_table_that_says_nothing_begin_at_zero(clicks):
    items = Items.from_frame(
        pl.DataFrame({"item_id": clicks.items.values, "plot": ["the of and"] * 25}), kinds={"plot": "text"}
    )
    assert (
        not ItemAnchors(weight=0.1, init="metadata").initial(clicks.matrix, all_features(items), 4, 0).any()
    )
