"""Items that the same people click are near, and new ones stand where their metadata say."""

import numpy as np
import polars as pl
import pytest

from isotherm import EASE, ContentKNN, Interactions, Items
from isotherm.serving.browsing.item_map import click_embedding, coordinates
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.live.model import LiveModel


def two_groups(n_cold=2):
    """12 items that two groups of users click, and new ones of each group's genre."""
    rng = np.random.default_rng(0)
    x = np.zeros((60, 12 + n_cold), dtype=np.float32)
    x[:30, :6] = rng.random((30, 6)) < 0.7
    x[30:, 6:12] = rng.random((30, 6)) < 0.7
    x[:, 5] = x[:, 6] = 1
    genres = [["a"]] * 6 + [["b"]] * 6 + [["a"], ["b"]][:n_cold]
    table = pl.DataFrame({"item_id": range(len(genres)), "genres": genres})
    return Interactions.from_csr(x), Items.from_frame(table)


def places(live):
    snapshot = live.snapshot
    return coordinates(snapshot, click_embedding(snapshot.fitted.model))


@pytest.fixture(scope="module")
def knn():
    return ContentKNN().fit(*two_groups())


def gap(plane, one, others):
    return np.linalg.norm(plane[one] - plane[others].mean(axis=0))


def test_groups_are_apart_and_new_items_stand_with_theirs(knn):
    plane = places(LiveModel(knn))
    first, second = slice(0, 5), slice(7, 12)
    assert gap(plane, 12, first) < gap(plane, 12, second)
    assert gap(plane, 13, second) < gap(plane, 13, first)
    assert gap(plane, 0, first) < gap(plane, 0, second)


def test_an_added_item_stands_with_its_like_and_nobody_else_moves(knn):
    live = LiveModel(knn)
    before = places(live)
    live.put_items([LiveItem(99, {"genres": ["b"]})])
    after = places(live)
    assert np.allclose(before, after[:-1])
    assert gap(after, 14, slice(7, 12)) < gap(after, 14, slice(0, 5))


def test_no_two_items_hide_each_other(knn):
    live = LiveModel(knn)
    live.put_items([LiveItem(100 + n, {"genres": ["a"]}) for n in range(30)])
    plane = places(live)
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=2) + np.eye(len(plane))
    assert distances.min() > 0
    assert np.median(distances.min(axis=0)) > 5e-3
    assert np.abs(plane).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (2, 2), (5, 3)])
def test_the_smallest_logs_have_a_map(shape):
    model = EASE(l2=1.0).fit(Interactions.from_csr(np.ones(shape, dtype=np.float32)))
    plane = places(LiveModel(model))
    assert plane.shape == (shape[1], 2)
    assert np.isfinite(plane).all()
