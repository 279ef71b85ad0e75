"""The clicks of a catalogue without the items that have none."""

import numpy as np

from isotherm import Interactions
from isotherm.models.marec.warm_clicks import WarmClicks


def test_items_without_clicks_are_left_out():
    x = np.array([[1.0, 0.0, 2.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]])
    warm = WarmClicks.of(Interactions.from_csr(x))
    assert warm.n_items == 4
    assert (warm.columns.tolist(), warm.cold.tolist(), warm.counts.tolist()) == ([0, 2], [1, 3], [2, 2])
    np.testing.assert_array_equal(warm.user_items.toarray(), x[:, [0, 2]])
    np.testing.assert_array_equal(warm.gram, x[:, [0, 2]].T @ x[:, [0, 2]])
