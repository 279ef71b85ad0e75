"""Anchors, one learnable point e_i per item (PIA, §3): settings, how clicks are weighed, where anchors begin.

Anchors exist in training only: inference is the network's, with the same weights and at the same speed.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np
import polars as pl
from scipy.sparse import csr_array
from sklearn.utils.extmath import randomized_svd

from isotherm.checks import above, at_least, number_or_auto, one_of, settled, whole
from isotherm.data import Interactions, Items
from isotherm.errors import ParameterError
from isotherm.features.feature_stack import all_features
from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.models.vae.objective.ladder import Ladder
from isotherm.parameters import Part
from isotherm.streams import stream, stream_seed
from isotherm.types import Float32, Float64, Int64, UserItems

_ITEMS = 512  # cold items whose similarities are taken at one time


class ItemAnchors(Part):
    """Learnable anchors e_i, one per item.

    With several centroids (``nearest`` and ``soft``, for users of several tastes) which anchors attract a
    user is chosen without a gradient.

    >>> from scipy.sparse import csr_array
    >>> from isotherm import Interactions, ItemAnchors
    >>> clicks = Interactions.from_csr(csr_array([[1, 1, 0], [1, 0, 1], [1, 0, 0]], dtype="float32"))
    >>> ItemAnchors(weighting="inverse-popularity").click_weights(clicks)  # the first item has 3 clicks
    array([0.25, 0.75, 0.25, 0.75, 1.  ], dtype=float32)

    Parameters:
        weight (>= 0 or auto; default 0): λ_A, the weight of the term (PIA, §3); 0 switches anchors off;
            auto: chosen by short trainings.
        warmup (>= 0; default 0): epochs over which λ_A grows linearly from 0.
        weighting (uniform, inverse-popularity or recency; default uniform): w, how a user's clicks share the
            centroid: all alike (the paper's), ∝ 1 / clicks of the item, or halved every half_life before the
            user's last click, which needs timestamps; plain numbers are seconds.
        half_life (> 0; default 30): days in which a click loses half of its weight, with weighting=recency.
        centroids (one, nearest or soft; default one): all of the user's anchors (the paper's), only the
            nearest to μ, or w ∝ exp(−‖μ − e_i‖² / temperature).
        nearest (>= 1; default 5): how many of the user's anchors, with centroids=nearest.
        temperature (> 0; default 1): how far anchors still count, with centroids=soft.
        init (random, svd or metadata; default random): what anchors begin with: normal numbers, right
            singular vectors of the clicks, each times √(σ²/(σ² + l2)), the spectrum of EASE, or singular
            vectors of the item features.
        scale (> 0; default 0.1): root mean square of the anchors to begin with.
        l2 (>= 0; default 500): the ridge penalty in the spectrum, with init=svd.
    """

    name: ClassVar[str] = "anchors"
    ladders: ClassVar[Mapping[str, Ladder]] = {"weight": Ladder((0.0, 0.3, 1.0, 3.0, 10.0), start=0.0)}

    def __init__(
        self,
        *,
        weight: float | str = 0.0,
        warmup: float = 0.0,
        weighting: str = "uniform",
        half_life: float = 30.0,
        centroids: str = "one",
        nearest: int = 5,
        temperature: float = 1.0,
        init: str = "random",
        scale: float = 0.1,
        l2: float = 500.0,
    ) -> None:
        self.weight = number_or_auto("anchors.weight", weight, partial(at_least, least=0))
        self.warmup = at_least("anchors.warmup", warmup, 0)
        self.weighting = one_of("anchors.weighting", weighting, ("uniform", "inverse-popularity", "recency"))
        self.half_life = above("anchors.half_life", half_life, 0)
        self.centroids = one_of("anchors.centroids", centroids, ("one", "nearest", "soft"))
        self.nearest = whole("anchors.nearest", nearest, 1)
        self.temperature = above("anchors.temperature", temperature, 0)
        self.init = one_of("anchors.init", init, ("random", "svd", "metadata"))
        self.scale = above("anchors.scale", scale, 0)
        self.l2 = at_least("anchors.l2", l2, 0)

    def click_weights(self, clicks: Interactions) -> Float32:
        """w of each click of ``clicks.matrix``, summing to 1 over each user's. Raises ParameterError."""
        if self.weighting == "uniform":
            weights = np.ones(clicks.n_clicks)
        elif self.weighting == "inverse-popularity":
            weights = 1.0 / clicks.item_clicks()[clicks.matrix.indices]
        else:
            with np.errstate(over="ignore"):  # long ago by a tiny half-life is no weight at all
                weights = 0.5 ** (_days_before_last(clicks) / self.half_life)
        users = clicks.click_users()
        sums = np.bincount(users, weights, minlength=clicks.n_users)
        return (weights / sums[users]).astype(np.float32)

    @property
    def is_used(self) -> bool:
        """Whether there are anchors."""
        return settled("anchors.weight", self.weight) > 0

    @property
    def reads_times(self) -> bool:
        """Whether the weights of clicks come from their times."""
        return self.is_used and self.weighting == "recency"

    def features(self, items: Items | None) -> csr_array | None:
        """What anchors begin from where that is metadata, (n_items, n_features). Raises ParameterError."""
        if self.init != "metadata":
            return None
        if items is None:
            raise ParameterError('anchors.init="metadata" needs an item table: fit(clicks, items)')
        return all_features(items)

    def initial(self, clicks: UserItems, features: csr_array | None, width: int, seed: int) -> Float32:
        """Anchors to begin with, (n_items, width) float32 of root mean square ``scale``."""
        n_items = clicks.shape[1]
        if self.init == "random":
            start = stream(seed, "anchors").standard_normal((n_items, width))
        elif features is not None:
            start = _unit_rms(_singular_vectors(features, width, seed, 0.0))
        else:
            start = _unit_rms(_singular_vectors(csr_array(clicks.T.tocsr()), width, seed, self.l2))
        with np.errstate(over="ignore"):
            scaled = (self.scale * start).astype(np.float32)
        if not np.isfinite(scaled).all():
            raise ParameterError(f"anchors.scale={self.scale:g} is too large for float32")
        return scaled

    def weight_at(self, epoch: float) -> float:
        """λ_A after so many epochs."""
        return settled("anchors.weight", self.weight) * (
            min(epoch / self.warmup, 1.0) if self.warmup else 1.0
        )


def cold_anchors(anchors: Float32, item_clicks: Int64, items: Items) -> Float32:
    """Anchors whose never-clicked items stand at the mean of the anchors of items like them, by metadata.

    The weights are the positive smoothed similarities (MARec, eq. 3) summed over the fields; an item that
    shares nothing with any clicked item gets the mean of all their anchors.
    """
    warm, cold = np.flatnonzero(item_clicks), np.flatnonzero(item_clicks == 0)
    if not len(cold) or all(missing == 1 for missing in items.missing().values()):
        return anchors
    similarity, encoded = MetadataSimilarity.fit_encode(items, second_order=False)
    index = similarity.index(encoded.take(warm))
    anchors = anchors.copy()
    for first in range(0, len(cold), _ITEMS):
        band = cold[first : first + _ITEMS]
        fields = index.by_field(encoded.take(band))
        similarities = np.maximum(index.mixed(fields, np.ones(len(similarity.terms))), 0)
        similarities[similarities.sum(axis=1) == 0] = 1
        anchors[band] = (similarities / similarities.sum(axis=1, keepdims=True)) @ anchors[warm]
    return anchors


def _singular_vectors(rows: csr_array, width: int, seed: int, l2: float) -> Float64:
    """Left singular vectors times √(σ²/(σ² + l2)), zeros past the rank, (n_items, width)."""
    vectors = np.zeros((rows.shape[0], width))
    if not rows.nnz:  # a table that says nothing
        return vectors
    rank = min(width, min(rows.shape))
    drawn = stream_seed(seed, "singular vectors of the anchors")
    left, sizes, _ = randomized_svd(rows.astype(np.float64), rank, random_state=drawn)
    vectors[:, :rank] = left * np.sqrt(sizes**2 / np.maximum(sizes**2 + l2, 1e-12))
    return vectors


def _unit_rms(vectors: Float64) -> Float64:
    """Scaled to a root mean square of 1, or all zeros."""
    return vectors / (np.sqrt(np.mean(vectors**2)) or 1.0)


def _days_before_last(clicks: Interactions) -> Float64:
    """Of each click before the last one of its user, (n_clicks,). Raises ParameterError."""
    if clicks.timestamps is None:
        why = f": {clicks.untimed}" if clicks.untimed else ""
        raise ParameterError(f'anchors.weighting="recency" needs timestamps in the click log{why}')
    times = clicks.timestamps
    if times.dtype.is_temporal():
        days = times.cast(pl.Datetime("us")).to_physical().to_numpy() / 86_400e6
    else:
        days = times.to_numpy() / 86_400
    last = np.full(clicks.n_users, -np.inf)
    np.maximum.at(last, clicks.click_users(), days)
    return np.asarray(last[clicks.click_users()] - days)
