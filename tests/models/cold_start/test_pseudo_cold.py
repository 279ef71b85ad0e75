"""Pseudo-cold splits: what is hidden is hidden, nothing is lost, and a log too small has none."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.cold_start.pseudo_cold import HIDDEN_SHARE, PseudoColdSplit
from tests.conftest import random_clicks


@pytest.fixture
def clicks():
    return csr_array(random_clicks(np.random.default_rng(0), 40, 20).astype(np.float32))


def test_every_click_is_either_left_or_hidden(clicks):
    split = PseudoColdSplit.draw(clicks, 3)
    assert len(split.hidden_items) == HIDDEN_SHARE * 20
    assert not split.train[:, split.hidden_items].nnz
    together = (split.train[split.test_users] + split.targets).toarray()
    np.testing.assert_array_equal(together, clicks[split.test_users].toarray())
    assert (np.diff(split.targets.indptr) > 0).all()
    assert (np.diff(split.train[split.test_users].indptr) > 0).all()


def test_kept_items_still_have_a_click(clicks):
    split = PseudoColdSplit.draw(clicks, 3)
    assert not np.isin(split.hidden_items, split.kept_items).any()
    assert (split.kept_clicks.sum(axis=0) > 0).all()
    np.testing.assert_array_equal(split.histories.toarray(), split.kept_clicks.toarray()[split.test_users])


def test_the_same_seed_is_the_same_draw_and_users_are_a_sample_of_many(clicks):
    first, again, other = (PseudoColdSplit.draw(clicks, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train.toarray(), again.train.toarray())
    assert first.hidden_items.tolist() != other.hidden_items.tolist()
    few = PseudoColdSplit.draw(clicks, 1, most_users=7)
    assert len(few.test_users) == few.targets.shape[0] == 7
    assert np.isin(few.test_users, first.test_users).all()


def test_none_where_no_user_can_be_tested():
    assert PseudoColdSplit.draw(csr_array(np.eye(6, dtype=np.float32)), 0) is None
