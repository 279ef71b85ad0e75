"""Pseudo-cold splits: what is hidden is hidden, nothing is lost, and a log too small has none."""

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions
from isotherm.models.cold_start.pseudo_cold import HIDDEN_SHARE, PseudoColdSplit, splits_in_time
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


def timed_log(rng, n_users=80, n_items=60, n_clicks=3000, n_new=12, new_share=0.1):
    """A log in which new items come from 60% of the time on, and have that share of the later clicks.

    Four in five clicks of a user are on items of the user's kind: of the same number modulo four. Popular are
    the old items of low numbers.
    """
    times = np.sort(rng.random(n_clicks))
    n_old = n_items - n_new
    births = np.linspace(0.6, 0.95, n_new)
    users, newest = rng.integers(n_users, size=n_clicks), np.searchsorted(births, times, side="right")
    old = (n_old * rng.random(n_clicks) ** 1.5).astype(int)
    is_new = (newest > 0) & (rng.random(n_clicks) < new_share)
    items = np.where(is_new, n_old + (rng.random(n_clicks) * newest).astype(int), old)
    of_kind = items - items % 4 + users % 4
    born = np.concatenate([np.zeros(n_old), births])
    liked = (rng.random(n_clicks) < 0.8) & (of_kind < n_items) & ((of_kind >= n_old) == is_new)
    liked &= born[np.minimum(of_kind, n_items - 1)] <= times
    items = np.where(liked, of_kind, items)
    frame = pl.DataFrame({"user_id": users, "item_id": items, "timestamp": (times * 1e6).astype(int)})
    return Interactions.from_frame(frame.unique(["user_id", "item_id"], keep="first", maintain_order=True))


def test_a_cut_in_time_hides_what_came_after_it():
    log = timed_log(np.random.default_rng(0), n_clicks=6000, n_new=30, new_share=0.3)
    x, times = log.matrix, log.click_times()
    split = PseudoColdSplit.at_cut(x, times, 0.7, seed=0)
    moment = np.quantile(times, 0.7)
    first = np.array([times[x.indices == item].min() for item in range(log.n_items)])
    np.testing.assert_array_equal(split.hidden_items, np.flatnonzero(first > moment))
    assert split.train.nnz == pytest.approx(0.7 * x.nnz, abs=1)
    together = (split.known + split.targets).toarray()
    np.testing.assert_array_equal(together, x[split.test_users].toarray())
    for row, user in enumerate(split.test_users[:20]):
        entries = slice(x.indptr[user], x.indptr[user + 1])
        when = dict(zip(x.indices[entries], times[entries], strict=True))
        known, targets = split.known[[row]].indices, split.targets[[row]].indices
        assert max(when[i] for i in known) <= min(when[i] for i in targets)
        assert min(when[i] for i in targets) >= moment
        assert len(targets) <= np.ceil(0.3 * len(when))
    on_hidden = np.isin(split.targets.indices, split.hidden_items)
    assert split.new_item_share == pytest.approx(on_hidden.mean())
    assert split.known_hidden.shape == (len(split.test_users), len(split.hidden_items))


def test_cuts_that_say_nothing_are_left_out():
    log = timed_log(np.random.default_rng(0), new_share=0.0)
    assert splits_in_time(log.matrix, log.click_times(), seed=0) == []
    assert splits_in_time(log.matrix, None, seed=0) == []
    log = timed_log(np.random.default_rng(0), n_users=120, n_clicks=9000, n_new=30, new_share=0.5)
    assert len(splits_in_time(log.matrix, log.click_times(), seed=0)) >= 2
    few = splits_in_time(log.matrix, log.click_times(), seed=0, most_users=35)
    assert {len(split.test_users) for split in few} == {35}
