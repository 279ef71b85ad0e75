"""The Siamese embedding: what it learns, and that it keeps."""

import numpy as np
import polars as pl
import pytest

from isotherm import Items
from isotherm.errors import ParameterError
from isotherm.features.metadata_similarity import MetadataSimilarity
from isotherm.features.siamese.embedding import SiameseEmbedding
from isotherm.models.marec.embedding import Siamese
from isotherm.state import restore, saved


def two_tastes(n=40):
    """Items of two tastes, told apart by a word and a genre among noise; the Gram matrix of their clicks."""
    rng = np.random.default_rng(0)
    taste = np.arange(n) % 2
    words = ["river", "robot", "garden", "winter"]
    table = pl.DataFrame(
        {
            "item_id": np.arange(n),
            "plot": [f"{('calm', 'loud')[t]} {rng.choice(words)} {rng.choice(words)}" for t in taste],
            "genres": [[("quiet", "noisy")[t], rng.choice(["x", "y", "z"])] for t in taste],
            "year": rng.uniform(1950, 2020, n),
        }
    )
    items = Items.from_frame(table, kinds={"plot": "text"})
    gram = 40 * np.equal.outer(taste, taste) + rng.random((n, n))
    gram = ((gram + gram.T) / 2 + 10 * np.eye(n)).astype(np.float32)
    return items, gram, taste


@pytest.fixture
def trained():
    items, gram, taste = two_tastes()
    encoded = MetadataSimilarity.fitted(items).encode(items)
    shape = Siamese(width=8, heads=2, neighbours=5, epochs=60, learning_rate=1e-2)
    kept = np.arange(30)
    embedding = SiameseEmbedding.fitted(encoded.take(kept), gram[:30, :30], shape, ["plot"])
    return embedding, encoded, taste


def test_items_it_never_met_lie_with_their_taste(trained):
    embedding, encoded, taste = trained
    vectors = embedding.embed(encoded)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    cosines = vectors[30:] @ vectors[:30].T
    alike = np.equal.outer(taste[30:], taste[:30])
    assert cosines[alike].mean() > cosines[~alike].mean() + 0.5


def test_saved_arrays_answer_alike(trained):
    embedding, encoded, _ = trained
    again = SiameseEmbedding.empty(embedding.settings, embedding.content_fields, encoded.forms)
    restore(again, *saved(embedding, {}), {})
    np.testing.assert_array_equal(again.embed(encoded), embedding.embed(encoded))


def test_seed_decides_everything(trained):
    embedding, encoded, _ = trained
    _, gram, _ = two_tastes()
    again = SiameseEmbedding.fitted(encoded.take(np.arange(30)), gram[:30, :30], embedding.settings, ["plot"])
    np.testing.assert_array_equal(again.embed(encoded), embedding.embed(encoded))


def test_an_item_without_any_metadata_is_similar_to_nothing(trained):
    embedding, _, _ = trained
    items, _, _ = two_tastes()
    nothing = pl.DataFrame(
        {"item_id": ["n"], "plot": [None], "genres": [[]], "year": [None]},
        schema={"item_id": pl.String, "plot": pl.String, "genres": pl.List(pl.String), "year": pl.Float64},
    )
    encoded = MetadataSimilarity.fitted(items).encode(Items.from_frame(nothing, kinds={"plot": "text"}))
    assert not embedding.embed(encoded).any()


def test_heads_must_divide_the_width():
    with pytest.raises(ParameterError, match=r"embedding\.heads must divide embedding\.width, 6, not 4"):
        Siamese(width=6, heads=4)
