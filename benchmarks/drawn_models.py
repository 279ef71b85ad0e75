"""Models of a real size whose learned state is drawn, not learned: speed does not depend on its values."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from isotherm import IALS, Interactions, Items, MARec, MultVAE
from isotherm.data.item_labels import ItemLabels
from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.base import Recommender
from isotherm.models.cold_start.cold_items import ColdItems
from isotherm.models.cold_start.item_trend import ItemTrend
from isotherm.models.cold_start.user_scaling import UserScaling
from isotherm.models.linear.ease import EASE
from isotherm.models.linear.item_weights import DenseWeights
from isotherm.models.linear.penalties import Penalties
from isotherm.models.marec.backbones.linear import EASEBackbone
from isotherm.models.vae.training.progress import Progress
from isotherm.types import Float32

_BANDS = 20
_L2 = 1.0


def item_table(n_items: int, seed: int = 3) -> Items:
    """item_id, title, genres (1 to 3 of 19) and tags (2 rare ones)."""
    rng = np.random.default_rng(seed)
    genres = [{f"g{g}" for g in rng.integers(19, size=rng.integers(1, 4))} for _ in range(n_items)]
    tags = [{f"t{t}" for t in rng.integers(n_items // 10 + 1, size=2)} for _ in range(n_items)]
    frame = pl.DataFrame(
        {
            "item_id": np.arange(n_items),
            "title": [f"Title {n}" for n in range(n_items)],
            "genres": [sorted(each) for each in genres],
            "tags": [sorted(each) for each in tags],
        }
    )
    return Items.from_frame(frame, kinds={"title": "text", "genres": "categories", "tags": "tags"})


def drawn(*shape: int, seed: int = 0) -> Float32:
    """Normal float32 numbers, drawn by bands: 1.6 GB and little more."""
    rng, numbers = np.random.default_rng(seed), np.empty(shape, dtype=np.float32)
    for band in np.array_split(np.arange(shape[0]), _BANDS):
        numbers[band] = rng.standard_normal((len(band), *shape[1:]), dtype=np.float32)
    return numbers


def known(model: Recommender, clicks: Interactions, items: Items | None = None) -> Recommender:
    """A model whose learned state is set from outside, with ids, words and clicks as after a fit."""
    model.users_, model.items_, model.clicks_ = clicks.users, clicks.items, clicks.matrix
    model.labels_ = ItemLabels.of(items, ["genres", "tags"], clicks.n_items)
    return model


def drawn_ease(clicks: Interactions, weights: Float32) -> Recommender:
    """EASE.  weights: (n_items, n_items)."""
    ease = EASE(l2=_L2)
    ease.penalties_ = ease.penalties
    ease.weights_ = DenseWeights.among(clicks.n_items, np.arange(clicks.n_items), weights)
    return known(ease, clicks)


def drawn_marec(clicks: Interactions, items: Items, seed: int = 0) -> Recommender:
    """MARec on EASE, with new items, their scale and a trend of items in use; it takes new items."""
    model, counts = MARec(beta=1.0, second_order=False), clicks.item_clicks()
    warm, cold = np.flatnonzero(counts), np.flatnonzero(counts == 0)
    model.similarity_ = MetadataSimilarity.fitted(items, model.encoding, second_order=False)
    encoded = model.similarity_.encode(items)
    model.warm_encoded_ = encoded.take(warm)
    model.field_weights_ = np.full(model.similarity_.n_terms, 0.01)
    model.click_threshold_ = 1.0
    dense = DenseWeights.among(clicks.n_items, warm, drawn(len(warm), len(warm), seed=seed))
    dense = dense.appended(clicks.n_items, cold, drawn(len(warm), len(cold), seed=seed + 1))
    nothing = np.empty(0, dtype=np.int64), np.empty((len(warm), 0), dtype=np.float32)
    ridge, scale = (np.full(len(warm), value, dtype=np.float32) for value in (_L2, 0.01))
    model.aligned_ = EASEBackbone(1.0, dense, Penalties(_L2), 1.0, 1.0, ridge, scale, *nothing)
    model.trend_ = ItemTrend(0.5, np.linspace(0.5, 1.5, clicks.n_items, dtype=np.float32))
    model.cold_ = ColdItems(cold, encoded.take(cold))
    model.new_item_share_, model.new_item_factor_ = 0.1, 0.8
    model.user_scaling_ = UserScaling(0.3, 50.0, 0.75, 1.0, clicks.n_items)
    model.restored()
    return known(model, clicks, items)


def drawn_vae(clicks: Interactions, items: Items | None, widths: Mapping[str, int]) -> Recommender:
    """MultVAE; its network is as it begins."""
    vae = MultVAE(**widths)
    vae.network_ = vae.new_network(clicks.n_items).eval().requires_grad_(False)
    vae.anchors_ = drawn(clicks.n_items, vae.latent, seed=2) if vae.anchors.is_used else None
    vae.ease_term_, vae.progress_ = None, Progress()
    return known(vae, clicks, items)


def drawn_factors(clicks: Interactions, n_factors: int) -> Recommender:
    """iALS."""
    ials: Any = IALS(factors=n_factors, l2=0.01, unobserved_weight=0.1)
    ials.regularization_ = ials.regularization
    ials.item_factors_ = 0.1 * drawn(clicks.n_items, n_factors, seed=1)
    ials.columns_ = np.arange(clicks.n_items)
    ials.restored()
    return known(ials, clicks)
