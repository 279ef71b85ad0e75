"""The anchor regularizer: closed form against Monte Carlo and the literal sum; weights; centroids."""

import datetime

import numpy as np
import polars as pl
import pytest
import torch
from scipy.sparse import csr_array

from isotherm import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.features.feature_stack import all_features
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.network.item_table import ItemTable
from isotherm.models.vae.objective.anchor_term import AnchorTerm
from isotherm.models.vae.objective.anchors import ItemAnchors, cold_anchors
from isotherm.models.vae.objective.terms import Forward
from isotherm.models.vae.training.settings import Training
from tests.models.vae.objective.test_terms import LATENT, N_ITEMS, assert_same, forward_of, x  # noqa: F401
from tests.reference import vae as reference


def term(settings, clicks, seed=5):
    table = ItemTable(N_ITEMS, LATENT)
    table.fill(1.0, torch.Generator().manual_seed(seed))
    weights = settings.click_weights(Interactions.from_csr(clicks))
    return AnchorTerm(settings, table, torch.from_numpy(weights))


def test_closed_form_is_the_literal_sum_with_its_gradients(x):  # noqa: F811
    forward = forward_of(x)
    anchor = term(ItemAnchors(weight=1.0), csr_array(x.numpy()))
    mean, logvar = forward.posterior
    literal = reference.anchor_loss(mean, logvar, anchor.table.weight, x)
    assert_same(anchor(forward), literal, [mean, logvar, anchor.table.weight])


def test_closed_form_is_the_mean_over_samples(x):  # noqa: F811
    forward = forward_of(x)
    anchor = term(ItemAnchors(weight=1.0), csr_array(x.numpy()))
    mean, logvar = (part.detach() for part in forward.posterior)
    generator = torch.Generator().manual_seed(0)
    z = mean + torch.exp(0.5 * logvar) * torch.randn(20_000, *mean.shape, generator=generator)
    anchors = anchor.table.weight.detach()
    found = torch.stack(
        [(z[:, u, None, :] - anchors[x[u] > 0]).square().sum(-1).mean(1).mean() for u in range(len(x))]
    )
    torch.testing.assert_close(found, anchor(forward).detach(), rtol=0.02, atol=0.05)


def test_weighted_centroids(x):  # noqa: F811
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


def test_several_centroids(x):  # noqa: F811
    forward = forward_of(x)
    mean, logvar = forward.posterior
    nearest = term(ItemAnchors(centroids="nearest", nearest=2), csr_array(x.numpy()))
    anchors = nearest.table.weight
    distances = torch.cdist(mean, anchors).square().masked_fill(x == 0, torch.inf)
    for settings, expected in (
        (ItemAnchors(centroids="nearest", nearest=2), None),
        (ItemAnchors(centroids="soft", temperature=0.7), torch.softmax(-distances / 0.7, 1)),
    ):
        if expected is None:
            k = torch.minimum(x.sum(1), torch.tensor(2.0)).long()
            order = distances.argsort(1).argsort(1)
            expected = (order < k[:, None]).float() / k[:, None]
        shares = expected.detach()
        finite = (mean[:, None, :] - anchors).square().sum(-1)
        literal = (shares * finite).sum(1) + logvar.exp().sum(1)
        ours = term(settings, csr_array(x.numpy()))
        torch.testing.assert_close(ours(forward), literal, rtol=1e-4, atol=1e-4)


def test_warm_up_is_linear(x):  # noqa: F811
    anchor = term(ItemAnchors(weight=0.5, warmup=10.0), csr_array(x.numpy()))
    at = [anchor.weight(forward_of(x, epoch=e)) for e in (0.0, 5.0, 10.0, 30.0)]
    assert at == pytest.approx([0.0, 0.25, 0.5, 0.5])


def test_no_user_is_pulled_where_the_posterior_has_no_variance(x):  # noqa: F811
    forward = forward_of(x)
    mean = forward.posterior.mean
    bare = Forward(
        forward.clicks, forward.inputs, forward.entries, forward.posterior._replace(logvar=None), mean,
        forward.log_likelihood, 0.0,
    )  # fmt: skip
    anchor = term(ItemAnchors(), csr_array(x.numpy()))
    zero = torch.full_like(mean, -torch.inf)
    torch.testing.assert_close(anchor(bare), reference.anchor_loss(mean, zero, anchor.table.weight, x))


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


def test_anchors_draw_the_posterior_means_to_their_centroids(clicks):
    def apart(weight):
        model = MultVAE(
            hidden=32,
            latent=8,
            anchors=ItemAnchors(weight=max(weight, 1e-9)),
            training=Training(epochs=60, learning_rate=0.01),
        ).fit(clicks)
        mean, _ = model.posterior(clicks.matrix)
        share = clicks.matrix.toarray()
        centroid = share / share.sum(1, keepdims=True) @ model.anchors_
        return np.square(mean - centroid).sum(1).mean() / np.square(mean).sum(1).mean()

    assert apart(2.0) < 0.75 * apart(0.0)


def test_anchors_from_a_table_that_says_nothing_begin_at_zero(clicks):
    items = Items.from_frame(
        pl.DataFrame({"item_id": clicks.items.values, "plot": ["the of and"] * 25}), kinds={"plot": "text"}
    )
    assert (
        not ItemAnchors(weight=0.1, init="metadata").initial(clicks.matrix, all_features(items), 4, 0).any()
    )
