"""What the regressions learn from: rare items do not, and log-clicks are centred over those that do."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.kernel_ridge.training_data import TrainingData, history_lengths, random_rows


@pytest.fixture
def clicks():
    """Four items of 3, 30, 60 and 90 clicks by a hundred users."""
    x = np.zeros((100, 4), dtype=np.float32)
    for item, n in enumerate((3, 30, 60, 90)):
        x[:n, item] = 1
    return csr_array(x)


def test_rare_items_are_no_training_items(clicks):
    assert TrainingData.of(clicks).items.tolist() == [1, 2, 3]
    assert TrainingData.of(clicks[:, [0]]).items.tolist() == [0]


def test_log_clicks_are_centred_over_the_training_items(clicks):
    logs = np.log(np.array([3, 30, 60, 90]) + 0.1 * 60)
    np.testing.assert_allclose(TrainingData.of(clicks).log_clicks, logs - logs[1:].mean(), rtol=1e-6)


def test_mean_length_counts_users_with_a_history(clicks):
    assert TrainingData.of(clicks).mean_length == pytest.approx(183 / 90)
    assert history_lengths(clicks)[[0, 99], 0].tolist() == [4, 0]


def test_random_rows_are_ascending_and_no_more_than_there_are():
    rows = random_rows(50, 8, np.random.default_rng(0))
    assert len(set(rows)) == 8
    assert (np.diff(rows) > 0).all()
    assert random_rows(3, 8, np.random.default_rng(0)).tolist() == [0, 1, 2]
