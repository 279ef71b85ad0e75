"""What all families of backbones have in common."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import isotherm
from isotherm import (
    EASE,
    IALS,
    SLIM,
    Items,
    MARec,
    Training,
)
from isotherm.data import splits
from isotherm.linalg.csr import widen
from isotherm.models.marec.backbones.base import Alignment, CatalogueColumns
from isotherm.parameters import build
from tests.conftest import random_clicks


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


def test_the_natural_beta_gives_predicted_columns_as_many_clicks_as_the_others():
    x = csr_array(random_clicks(np.random.default_rng(0), 30, 8).astype(np.float32))
    similarities = np.random.default_rng(1).uniform(0, 1, (3, 8)).astype(np.float32)
    alignment = Alignment.of_new_items(x, similarities)
    predicted = alignment.natural_beta() * (x @ similarities.T)
    assert predicted.sum(axis=0).mean() == pytest.approx(x.sum(axis=0).mean(), rel=1e-5)
    assert alignment.columns.tolist() == [8, 9, 10]
    assert Alignment.of_new_items(x, 0 * similarities).natural_beta() == 1.0


def test_scores_and_vectors_go_to_their_columns():
    columns = CatalogueColumns(5, np.array([1, 4]), np.array([0])).appended(7, np.array([6, 5]))
    scores = columns.joined(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0, 5.0]]))
    np.testing.assert_array_equal(scores, [[3, 1, 0, 0, 2, 5, 4]])
    table = columns.table(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0], [5.0]]))
    np.testing.assert_array_equal(table[:, 0], scores[0])


@pytest.mark.parametrize("backbone", [EASE(l2=5.0), EASE(l2=5.0, collective=1.0), SLIM(), IALS(factors=4)])
def test_an_extended_backbone_leaves_the_one_it_comes_from_as_it_was(clicks, items, item_frame, backbone):
    """A copy of a model that takes new items does not change the model."""
    model = MARec(backbone=backbone, beta=1.0).fit(clicks, items)
    aligned, before = model.aligned_, model.score(model.histories_of(np.arange(9)))
    new = item_frame.tail(2).with_columns(item_id=pl.Series(["n0", "n1"]))
    model.add_items(Items.from_frame(new, kinds={"plot": "text"}))
    histories = csr_array(model.clicks_[:9])
    np.testing.assert_array_equal(aligned.scores(widen(histories, 30)), before)
    assert model.aligned_.scores(widen(histories, 32)).shape == (9, 32)
