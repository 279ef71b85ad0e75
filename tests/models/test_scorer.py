"""What a model of one's own has to write, and what it may beyond."""

import numpy as np
import polars as pl
import pytest

from isotherm import Interactions, Items
from isotherm.errors import UnsupportedError
from isotherm.models.base import Recommender
from isotherm.models.registry import REGISTRY, model_class
from isotherm.models.scorer import AddsItems, ComparesItems, Contributions, Explains, WeighsMetadata
from isotherm.state import Dense
from isotherm.types import Float32


class Heaviest(Recommender):
    """Scores each item by the sum of its click weights."""

    name = "heaviest"
    weights_: Float32
    learned = (Dense("weights_", np.float32, ("n_items",)),)

    def _fit(self, clicks, items, options):
        self.weights_ = np.asarray(clicks.matrix.sum(axis=0), dtype=np.float32)

    def _score(self, user_items):
        return np.tile(self.weights_, (user_items.shape[0], 1))


class Able(Heaviest, ComparesItems, Explains, AddsItems):
    """The same with all that a model may do beyond."""

    def item_similarities(self, column):
        return np.arange(self.n_items, dtype=np.float32)

    def contributions(self, history, column):
        by_click = np.full(history.nnz, self.weights_[column] / history.nnz, dtype=np.float32)
        return Contributions(by_click, certainty=0.5)

    def append_items(self, items, n_items):
        self.weights_ = np.append(self.weights_, np.float32([7.0] * (n_items - self.n_items)))


@pytest.fixture
def clicks():
    return Interactions.from_csr(np.float32([[1, 2, 0], [0, 1, 1]]), ["ann", "bob"], ["tea", "cup", "pot"])


def test_learning_and_scoring_are_enough_to_recommend(clicks):
    lists = Heaviest().fit(clicks).recommend(["ann"], exclude_seen=False)
    assert lists.rows() == [("ann", "cup", 3.0, 1), ("ann", "tea", 1.0, 2), ("ann", "pot", 1.0, 3)]


def test_what_a_model_does_not_write_is_refused_by_its_name(clicks):
    model = Heaviest().fit(clicks)
    for ask, words in (
        (lambda: model.similar_items("tea"), "heaviest knows no similarity between items"),
        (lambda: model.explain("ann", "tea"), "heaviest has no exact explanation"),
        (lambda: model.add_items(None), "heaviest cannot add items without a refit"),
    ):
        with pytest.raises(UnsupportedError, match=words):
            ask()


def test_what_a_model_writes_is_answered_in_ids(clicks):
    model = Able().fit(clicks)
    assert model.similar_items("cup")["item_id"].to_list() == ["pot"]
    why = model.explain("ann", "cup")
    assert (why.score, why.certainty, why.answered_by) == (3.0, 0.5, "model")
    assert why.by_item.rows() == [("tea", None, 1.5, 50.0), ("cup", None, 1.5, 50.0)]
    model.add_items(Items.from_frame(pl.DataFrame({"item_id": ["mug"], "year": [1.0]})))
    assert model.items_.values.to_list() == ["tea", "cup", "pot", "mug"]
    assert model.recommend(["bob"], k=1)["item_id"].to_list() == ["mug"]


def test_classes_say_what_they_can():
    able = {
        kind: {name for name in REGISTRY if issubclass(model_class(name), kind)}
        for kind in (ComparesItems, Explains, AddsItems, WeighsMetadata)
    }
    assert able[AddsItems] == {"content-knn", "marec", "kernel-ridge", "mmr"}
    assert able[WeighsMetadata] == {"marec", "kernel-ridge"}
    assert able[ComparesItems] == set(REGISTRY) - {"popularity", "mmr"}  # mmr asks the model that it wraps
    assert able[Explains] == able[ComparesItems] - {"multvae", "multdae", "recvae"}
