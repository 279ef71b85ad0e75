"""Blends of two scores, ranked as whole arrays of scores are."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm.models.cold_start.blends import Blends, blend_ndcgs
from isotherm.models.cold_start.calibration import user_ndcgs
from isotherm.ranking.topk import hide, top_k


def drawn(rng, shape, density):
    return csr_array((rng.random(shape) < density).astype(np.float32))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_blends_are_ranked_as_whole_arrays(seed, n_items):
    """Ties, too: scores are whole numbers."""
    rng, n_users, n_blends = np.random.default_rng(seed), 7, 3
    first, second = rng.integers(-3, 4, (2, n_users, n_items)).astype(np.float32)
    factors = rng.integers(0, 3, (3, n_blends, n_items)).astype(np.float32)
    factors[2, 0, : n_items // 2] = -np.inf
    targets, seen = drawn(rng, first.shape, 0.3), drawn(rng, first.shape, 0.2)
    clicks = rng.integers(1, 5, n_users).astype(np.float32)
    found = blend_ndcgs(first, second, Blends(*factors), targets, seen, clicks)
    for ndcgs, f, g, h in zip(found, *factors, strict=True):
        scores = first * f + second * g + h * clicks[:, None]
        hide(scores, seen)
        expected = user_ndcgs(top_k(scores, min(10, n_items)).columns, targets)
        np.testing.assert_allclose(ndcgs, expected, atol=1e-12)


def test_without_clicks_there_is_no_level():
    first, second = np.float32([[2, 1]]), np.float32([[0, 0]])
    one = np.ones((1, 2), dtype=np.float32)
    wanted, nothing = csr_array(np.float32([[1, 0]])), csr_array((1, 2), dtype=np.float32)
    level = np.float32([[0, 9]])
    assert blend_ndcgs(first, second, Blends(one, one, level), wanted, nothing).tolist() == [[1.0]]
    by_level = blend_ndcgs(first, second, Blends(one, one, level), wanted, nothing, np.float32([1]))
    assert by_level[0, 0] < 1
