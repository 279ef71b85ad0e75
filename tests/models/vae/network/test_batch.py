"""Batches are rows of the click matrix, also item by item."""

import numpy as np
import torch
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.linalg.csr import take_rows
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.network.batch import Batch
from isotherm.models.vae.network.layers import normalised
from isotherm.models.vae.training.settings import Training
from tests.conftest import random_clicks
from tests.models.vae.network.tables import N_ITEMS
from tests.models.vae.small import SMALL, tastes


def test_batches_are_the_rows_of_the_matrix(x):
    matrix = csr_array(x.numpy())
    rows = np.array([5, 0, 16, 5])
    gathered_rows, entries = take_rows(matrix, rows)
    np.testing.assert_array_equal(gathered_rows.toarray(), x.numpy()[rows])
    np.testing.assert_array_equal(matrix.data[entries], gathered_rows.data)
    batch = Batch.of(gathered_rows)
    kept = batch.only(batch.items % 2 == 0)
    expected = x.numpy()[rows] * (np.arange(N_ITEMS) % 2 == 0)
    dense = np.zeros_like(expected)
    dense[kept.rows.numpy(), kept.items.numpy()] = kept.values.numpy()
    np.testing.assert_array_equal(dense, expected)
    two = batch.users(1, 3)
    assert two.items.tolist() == gathered_rows[1:3].indices.tolist()
    torch.testing.assert_close(batch.totals, torch.from_numpy(x.numpy()[rows].sum(1)))


def test_a_batch_of_random_clicks_keeps_its_order():
    batch = Batch.of(Interactions.from_csr(random_clicks(np.random.default_rng(0), 9, 12)).matrix)
    starts, users, _ = batch.by_item
    assert set(np.flatnonzero(np.diff(starts))) == set(batch.items.tolist())
    pairs = [(i, int(u)) for i in range(batch.n_items) for u in users[starts[i] : starts[i + 1]]]
    assert pairs == sorted(pairs)
    assert set(pairs) == set(zip(batch.items.tolist(), batch.rows.tolist(), strict=True))


def test_click_weights_of_any_size_are_normalised():
    def unit(size):
        return normalised(Batch.of(tastes().matrix * np.float32(size))).values

    for size in (1e-44, 1e-30, 1e30, 1e38):
        torch.testing.assert_close(unit(size), unit(1.0))
    for size in (1e-14, 1e14):
        weighted = Interactions.from_csr(tastes().matrix * np.float32(size))
        model = MultVAE(**SMALL, training=Training(epochs=2)).fit(weighted)
        assert np.isfinite(model.score(weighted.matrix)).all()
