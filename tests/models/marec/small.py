"""What the tests of MARec share: small random catalogues, and the model as literal matrices."""

import numpy as np
import polars as pl
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm import Items
from tests.conftest import random_clicks
from tests.reference import marec as reference

GENRES = ["a", "b", "c", "d"]


def random_items(rng, n, missing=0.1):
    """Items with categories, a number and a vector; the encoded vectors, as the reference wants them."""
    hot = (rng.random((n, len(GENRES))) < 0.4).astype(float)
    hot[:2] = 1  # each value is seen twice, so none is left out
    year = np.where(rng.random(n) < missing, np.nan, rng.integers(1950, 2020, n).astype(float))
    year[:2] = [1950.0, 2019.0]
    vectors = rng.standard_normal((n, 3)).astype(np.float32)
    frame = pl.DataFrame(
        {
            "item_id": np.arange(n),
            "genres": [[g for g, on in zip(GENRES, row, strict=True) if on] for row in hot],
            "year": pl.Series(year).fill_nan(None),
            "clip": vectors.tolist(),
        },
        schema_overrides={"genres": pl.List(pl.String), "clip": pl.List(pl.Float32)},
    )
    return Items.from_frame(frame), (hot, year, vectors.astype(float))


def dense_weights(model):
    """score of each single-item history: the weight matrix."""
    return model.score(csr_array(np.eye(model.n_items, dtype=np.float32)))


def mixed_similarity(model, hot, year, vectors):
    """G of eq. 5 with the model's own μ."""
    by_field = [
        reference.eq3_smoothed_cosine(hot, model.shrinkage),
        reference.closeness(year),
        reference.eq3_smoothed_cosine(vectors, model.shrinkage),
    ]
    terms = reference.eq5_terms(by_field, model.second_order)
    return sum(m * t for m, t in zip(model.field_weights_, terms, strict=True))


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n_items, cold = draw(st.integers(8, 20)), draw(st.integers(0, 4))
    x = random_clicks(rng, 50, n_items, draw(st.sampled_from([0.08, 0.3])), cold)
    options = {
        "alpha": draw(st.sampled_from([0.5, 1.0])),
        "beta": draw(st.sampled_from([0.5, 3.0])),
        "click_threshold": draw(st.sampled_from([None, 3.0, 8.0])),
    }
    return x, *random_items(rng, n_items), options
