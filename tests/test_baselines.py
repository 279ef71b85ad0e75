"""The baselines of the benchmarks keep the model contract, and know new items of a known taste."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions, Items
from isotherm.linalg.csr import row_blocks

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
from baselines.clcrec import CLCRec
from baselines.dropoutnet import DropoutNet
from baselines.factorization_machine import FactorizationMachine
from baselines.wide_deep import WideDeep

KINDS = [FactorizationMachine, CLCRec, DropoutNet, WideDeep]


@pytest.fixture(scope="module")
def two_tastes():
    """Even users click even items, odd users odd ones; the last four items are new."""
    x = np.equal.outer(np.arange(60) % 2, np.arange(24) % 2).astype(np.float32)
    x[:, 20:] = 0
    x[np.random.default_rng(0).random(x.shape) < 0.2] = 0
    x[np.arange(60), np.arange(60) % 20] = 0
    x[np.arange(60), np.arange(60) % 2] = 1
    kinds = [["even"] if item % 2 == 0 else ["odd"] for item in range(24)]
    items = Items.from_frame(pl.DataFrame({"item_id": np.arange(24), "parity": kinds}))
    return Interactions.from_csr(csr_array(x)), items


@pytest.mark.parametrize("kind", KINDS)
def test_new_items_of_the_users_taste_come_first(kind, two_tastes):
    clicks, items = two_tastes
    model = kind(epochs=150, learning_rate=1e-2).fit(clicks, items)
    first = model.recommend(k=1, candidates=[20, 21, 22, 23])
    right = (first["item_id"] % 2) == (first["user_id"] % 2)
    assert right.mean() > 0.9
    assert model.recommend(k=30)["score"].is_finite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind, two_tastes, tmp_path):
    clicks, items = two_tastes
    model = kind(epochs=2).fit(clicks, items)
    again = kind(epochs=2).fit(clicks, items)
    assert again.recommend(k=5).equals(model.recommend(k=5))
    block = model.histories_of(np.arange(60))
    scores = model.score(block)
    assert scores.shape == (60, 24)
    parts = np.concatenate([model.score(part) for part in row_blocks(block, 7)])
    np.testing.assert_allclose(parts, scores, rtol=1e-4, atol=1e-5)
    unknown = model.recommend_for([[0, 2], [1]], k=3)  # histories of nobody
    assert unknown["score"].is_finite().all()
    restored = kind(epochs=2)
    restored.users_, restored.items_, restored.clicks_ = model.users_, model.items_, model.clicks_
    restored.restore(*model.state())
    np.testing.assert_allclose(restored.score(block), scores, rtol=1e-5, atol=1e-6)
