"""The neighbours that are kept, and the weights made of them."""

import numpy as np
from scipy.sparse import csr_array

from isotherm.models.neighbours.top_neighbours import k_nearest, neighbour_weights


def test_only_the_largest_positive_similarities_are_kept_in_the_order_of_columns():
    similarities = np.array([[0.2, 0.9, 0.5, 0.7], [-1, 0, 0.3, -2], [0, 0, 0, 0]], dtype=np.float32)
    kept = k_nearest(similarities, 2)
    np.testing.assert_array_equal(
        kept.toarray(), np.array([[0, 0.9, 0, 0.7], [0, 0, 0.3, 0], [0, 0, 0, 0]], np.float32)
    )
    assert kept.has_sorted_indices
    assert k_nearest(similarities, 100).nnz == 5


def test_an_item_is_scored_by_its_row_of_neighbours():
    bands = [k_nearest(np.array(rows, dtype=np.float32), 2) for rows in ([[0, 0.5], [0.2, 0]], [[0.3, 0.1]])]
    weights = neighbour_weights(bands).matrix
    np.testing.assert_array_equal(weights.toarray(), np.array([[0, 0.2, 0.3], [0.5, 0, 0.1]], np.float32))
    assert isinstance(weights, csr_array)
