"""Tables and logs that hold next to nothing: a model answers, or says in one line what is missing."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions, Items
from isotherm.errors import ItemsError
from isotherm.models.marec.embedding import Siamese
from isotherm.models.registry import model_class
from tests.conftest import random_clicks

LISTS, VECTORS = pl.List(pl.String), pl.List(pl.Float32)


def tables(n):
    """Fields that say little, or nothing, of n items."""
    genres = pl.Series([[str(i % 3)] for i in range(n)])
    return {
        "one category for all": {"g": pl.Series([["a"]] * n)},
        "one text for all": {"t": ["river robot garden"] * n},
        "one number for all": {"y": [5.0] * n},
        "zeros": {"y": [0.0] * n},
        "one vector for all": {"v": pl.Series([[1.0, 2.0]] * n, dtype=VECTORS)},
        "zero vectors": {"v": pl.Series([[0.0, 0.0]] * n, dtype=VECTORS)},
        "collinear vectors": {"v": pl.Series([[i, 2.0 * i] for i in range(n)], dtype=VECTORS)},
        "tiny vectors": {"v": pl.Series([[1e-30 * i, 1e-30] for i in range(n)], dtype=VECTORS)},
        "the widest range": {"y": [1e308 * (-1) ** i for i in range(n)]},
        "one outlier": {"y": [1e300, *map(float, range(1, n))]},
        "the narrowest range": {"y": [5.0 + 1e-15, *[5.0] * (n - 1)]},
        "a field without a value": {"y": pl.Series([None] * n, dtype=pl.Float64), "g": genres},
        "punctuation": {"t": ["... !!! ???"] * n},
        "stop words": {"t": ["the of and to a"] * n},
        "unique categories": {"g": pl.Series([[f"c{i}"] for i in range(n)])},
        "unique words": {"t": [f"word{i}xx" for i in range(n)]},
        "one number known": {"y": [1.0] + [None] * (n - 1)},
        "one text known": {"t": ["river robot"] + [None] * (n - 1)},
        "one vector known": {"v": pl.Series([[1.0, 2.0]] + [None] * (n - 1), dtype=VECTORS)},
        "twins": {"g": pl.Series([["a", "b"]] * n), "y": [1.0] * n, "t": ["river robot"] * n},
    }


def logs():
    """Few clicks, few users, few items, or no difference between them."""
    plain = random_clicks(np.random.default_rng(0), 30, 12, 0.3, cold=3)
    twins = plain.copy()
    twins[:, 1] = twins[:, 0]
    one_item, one_click = np.zeros((20, 12)), np.zeros((1, 12))
    one_item[:, 3] = one_click[0, 0] = 1
    return {
        "plain": plain, "twin columns": twins, "all cold but one": one_item, "one click": one_click,
        "two items": np.array([[1.0, 0], [0, 1], [1, 0]]), "one item": np.ones((4, 1)),
        "one user": plain[:1], "all clicked": np.ones((10, 12)),
    }  # fmt: skip


def made(name):
    """«marec on slim»: marec with that backbone."""
    outer, _, backbone = name.partition(" on ")
    if backbone == "collective":
        return model_class(outer)(backbone=model_class("ease")(collective=1.0))
    settings = {"factors": 4} if backbone == "ials" else {}
    return model_class(outer)(**({"backbone": model_class(backbone)(**settings)} if backbone else {}))


@pytest.mark.parametrize("log", logs())
@pytest.mark.parametrize(
    "name", ["content-knn", "kernel-ridge", "marec", "marec on slim", "marec on ials", "marec on collective"]
)
def test_degenerate_tables_and_logs_are_answered(name, log):
    x = logs()[log]
    fields = tables(x.shape[1])
    if log != "plain":  # every table with the plain log, a few with the others
        fields = {
            what: fields[what] for what in ("one vector for all", "stop words", "unique words", "twins")
        }
    for what, columns in fields.items():
        frame = pl.DataFrame({"item_id": np.arange(x.shape[1]), **columns})
        items = Items.from_frame(frame, kinds={"t": "text"} if "t" in columns else {})
        model = made(name).fit(Interactions.from_csr(csr_array(x)), items)
        assert np.isfinite(model.score(csr_array(x.astype(np.float32)))).all(), what
        assert model.recommend(k=12)["score"].is_finite().all(), what
        if name != "content-knn":
            shares = model.importance().select(pl.col(pl.Float64)).to_numpy()
            assert np.isfinite(shares).all(), what


def test_what_says_nothing_leaves_kernel_ridge_with_popularity():
    x = logs()["plain"]
    items = Items.from_frame(pl.DataFrame({"item_id": np.arange(12), "year": [5.0] * 12}))
    model = model_class("kernel-ridge")().fit(Interactions.from_csr(csr_array(x)), items)
    new = model.add_items(Items.from_frame(pl.DataFrame({"item_id": [20, 21], "year": [5.0, None]})))
    assert new.recommend(k=2, candidates=[20, 21])["score"].is_finite().all()


@pytest.mark.parametrize("value", [1e16, -3e38])
def test_a_vector_too_large_to_square_is_named(value):
    x, vectors = logs()["plain"], [[1.0, 2.0]] * 12
    vectors[4] = [0.5, value]
    items = Items.from_frame(
        pl.DataFrame({"item_id": np.arange(12), "clip": vectors}, schema_overrides={"clip": VECTORS})
    )
    with pytest.raises(ItemsError, match=r"field 'clip', row 5: a vector with a number beyond 1e\+15; scale"):
        model_class("content-knn")().fit(Interactions.from_csr(csr_array(x)), items)


@pytest.mark.parametrize(
    "what", ["stop words", "unique categories", "one vector for all", "one number known"]
)
def test_a_learned_embedding_of_next_to_nothing(what):
    x, columns = logs()["plain"], tables(12)[what]
    kinds = {"t": "text"} if "t" in columns else {}
    items = Items.from_frame(pl.DataFrame({"item_id": np.arange(12), **columns}), kinds=kinds)
    model = model_class("marec")(embedding=Siamese(width=8, heads=2, epochs=1))
    assert model.fit(Interactions.from_csr(csr_array(x)), items).recommend(k=3)["score"].is_finite().all()
