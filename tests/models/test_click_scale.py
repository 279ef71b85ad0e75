"""Clicks that all weigh so many times as much give the same lists, where settings are learned."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm import EASE, IALS, SLIM, Interactions, ItemKNN, KernelRidge, MARec
from isotherm.models.kernel_ridge.training_data import TrainingData
from tests.conftest import random_clicks

FACTORS = {"factors": 6, "iterations": 5}
MODELS = {
    "ease": EASE,
    "slim": SLIM,
    "item-knn": ItemKNN,
    "ials": lambda: IALS(**FACTORS),
    "ials, ν = 0.5": lambda: IALS(**FACTORS, exponent=0.5),
    "marec": MARec,
    "marec on ials": lambda: MARec(backbone=IALS(**FACTORS)),
    "kernel-ridge": lambda: KernelRidge(steps=3),
}


def weighted(scale):
    """Sixty users and 25 items, weights of some octaves around ``scale``."""
    rng = np.random.default_rng(7)
    x = random_clicks(rng, 60, 25) * 2.0 ** rng.uniform(-1, 1, (60, 25))
    ids = [f"i{n:02}" for n in range(25)]
    return Interactions.from_csr(csr_array(x.astype(np.float32) * np.float32(scale)), None, ids)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("octaves", [-40, -8, 8, 40])
def test_lists_do_not_change_with_the_unit_of_the_weights(name, octaves, items):
    lists = []
    for scale in (1.0, 2.0**octaves):
        model = MODELS[name]().fit(weighted(scale), items)
        lists.append(model.recommend(k=8).select("user_id", "item_id", "rank"))
    assert lists[0].equals(lists[1])


def test_what_an_item_of_kernel_ridge_counts_is_clicks_and_not_their_weight():
    one, many = (TrainingData.of(weighted(scale).matrix) for scale in (1.0, 1000.0))
    np.testing.assert_array_equal(one.items, many.items)
    np.testing.assert_allclose(one.log_clicks, many.log_clicks, atol=1e-6)
    assert one.mean_length == many.mean_length == np.diff(weighted(1.0).matrix.indptr).mean()
