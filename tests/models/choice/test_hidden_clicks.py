"""Hidden clicks: whose they are, what is left, and how well scores rank them."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.choice.hidden_clicks import HiddenClicks
from tests.conftest import random_clicks


def clicks_of(n_users=50, n_items=12):
    return csr_array(random_clicks(np.random.default_rng(0), n_users, n_items).astype(np.float32))


def test_each_user_keeps_and_hides_a_click():
    clicks = csr_array(random_clicks(np.random.default_rng(0), 50, 12).astype(np.float32))
    clicks = clicks[np.flatnonzero(np.diff(clicks.indptr) > 1)]
    drawn = HiddenClicks.draw(clicks, 0.2, np.random.default_rng(0))
    assert np.diff(drawn.kept.indptr).min() >= 1
    assert np.diff(drawn.hidden.indptr).min() >= 1
    np.testing.assert_array_equal((drawn.kept + drawn.hidden).toarray(), clicks.toarray())


def test_what_is_left_and_what_is_hidden_are_the_clicks():
    clicks = clicks_of()
    drawn = HiddenClicks.of_some_users(clicks, np.random.default_rng(1))
    hidden = np.zeros(clicks.shape)
    hidden[drawn.users] = drawn.hidden.toarray()
    np.testing.assert_array_equal(drawn.without(clicks).toarray() + hidden, clicks.toarray())
    assert hidden.sum() == drawn.hidden.nnz > 0


def test_nobody_with_two_clicks_hides_none():
    assert (
        HiddenClicks.of_some_users(csr_array(np.eye(4, dtype=np.float32)), np.random.default_rng(0)) is None
    )


def test_ndcg_by_hand():
    """One user; of two hidden clicks one is first and one is third of what is not kept."""
    kept, hidden = csr_array(np.float32([[1, 0, 0, 0, 0]])), csr_array(np.float32([[0, 1, 0, 1, 0]]))
    drawn = HiddenClicks(np.array([0]), kept, hidden)
    ndcg = drawn.ndcg_of(np.float32([[9, 5, 4, 3, 2]]))
    assert ndcg == pytest.approx((1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3)))
