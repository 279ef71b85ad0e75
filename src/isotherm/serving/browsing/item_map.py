"""A map of the items on a plane: items that the same people click, and that share metadata, are near.

Clicked items have a place by their clicks: the bipartite graph of users and items, spectral embedding
(Dhillon 2001). An item nobody has clicked is placed by its metadata, at the mean of the items that share it.
"""

import numpy as np
from scipy.sparse import csr_array

from isotherm.linalg.cosine import unit_rows
from isotherm.linalg.csr import binary
from isotherm.models.base import Recommender
from isotherm.models.scorer import evenly
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.types import Array, Float64, ItemFeatures, UserItems

_WIDTH = 16  # dimensions of the embedding before it is laid on a plane
_MOST_USERS = 4000
_SMOOTHING = 3  # clicks, or items of a value, that pull towards the middle
_METADATA = 0.8  # weight of the place by metadata beside that by clicks
_STEP = 0.012  # between items that would lie on one another
_WIDEST = 0.06  # radius of many items around one place
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def click_embedding(model: Recommender) -> Float64:
    """(n_items, width) rows of unit length, or zero where an item has no clicks; of 4,000 users at most.

    width: 16, or less where there are fewer users or items.
    """
    from sklearn.utils.extmath import randomized_svd  # takes a second to import: not at every start

    rows = evenly(np.arange(len(model.users_)), _MOST_USERS)
    clicks = binary(model.histories_of(rows)).astype(np.float64)
    counts = np.bincount(clicks.indices, minlength=clicks.shape[1])
    width = min(_WIDTH, min(clicks.shape) - 2)
    if width < 1 or not clicks.nnz:
        return np.zeros((clicks.shape[1], 0))
    _, values, vectors = randomized_svd(_normalised(clicks, counts), width + 1, n_iter=4, random_state=0)
    # The first pair says only how much each item is clicked.
    return unit_rows(vectors[1:].T * values[1:] / np.sqrt(counts + _SMOOTHING)[:, None])


def _normalised(clicks: UserItems, counts: Array) -> csr_array:
    lengths = np.diff(clicks.indptr)
    per_user = np.repeat(1 / np.sqrt(np.maximum(lengths, 1)), lengths)
    data = clicks.data * per_user / np.sqrt(counts + _SMOOTHING)[clicks.indices]
    return csr_array((data, clicks.indices, clicks.indptr), shape=clicks.shape)


def coordinates(snapshot: Snapshot, embedding: Float64) -> Float64:
    """(n_items, 2) in [-1, 1].  embedding: that of the clicks of the snapshot's model as it was fitted.

    Items that would lie on one another stand beside each other.
    """
    n_fitted, n_items = len(embedding), snapshot.model.n_items
    by_clicks = np.zeros((n_items, embedding.shape[1]))
    by_clicks[:n_fitted] = embedding
    by_metadata = _means_of_sharing(snapshot.directions, by_clicks)
    has_clicks = by_clicks.any(axis=1)
    by_clicks[~has_clicks] = by_metadata[~has_clicks]
    places = np.hstack([by_clicks, _METADATA * by_metadata])
    return _side_by_side(_on_a_plane(places, n_fitted))


def _means_of_sharing(directions: ItemFeatures, by_clicks: Float64) -> Float64:
    """(n_items, width) unit rows: where the clicked items that share an item's values are, on average."""
    clicked = directions[by_clicks.any(axis=1)]
    n_clicked = np.bincount(clicked.indices, minlength=directions.shape[1])
    of_values = (clicked.T @ by_clicks[by_clicks.any(axis=1)]) / (n_clicked + _SMOOTHING)[:, None]
    return unit_rows(np.asarray(directions @ of_values))


def _on_a_plane(places: Float64, n_fitted: int) -> Float64:
    """The two directions in which the fitted items differ most, scaled to [-1, 1]; outliers at the rim."""
    plane = np.zeros((len(places), 2))
    if n_fitted and places.shape[1]:
        centred = places - places[:n_fitted].mean(axis=0)
        _, axes = np.linalg.eigh(centred[:n_fitted].T @ centred[:n_fitted])
        best = axes[:, ::-1][:, :2]
        largest = np.abs(best).argmax(axis=0)
        best = best * np.sign(best[largest, np.arange(best.shape[1])])
        plane[:, : best.shape[1]] = centred @ best
    reach = np.quantile(np.abs(plane[:n_fitted]), 0.995) if n_fitted else 0
    return np.clip(plane / (reach or 1), -1, 1)


def _side_by_side(plane: Float64) -> Float64:
    """Items at one place move apart, on a spiral around it; in the order of their columns."""
    _, place, sizes = np.unique(np.round(plane / _STEP), axis=0, return_inverse=True, return_counts=True)
    place = place.ravel()
    order = np.argsort(place, kind="stable")
    nth = np.empty(len(plane), dtype=np.int64)
    nth[order] = np.arange(len(plane)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    step = np.minimum(0.8 * _STEP, _WIDEST / np.sqrt(sizes))[place]
    angle, radius = nth * _GOLDEN_ANGLE, step * np.sqrt(nth)
    moved = plane + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    placed: Float64 = np.clip(moved, -1, 1)
    return placed
