"""The scale of cold scores: lists and levels by hand, and a scale that has to be found."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.cold_start.calibration import (
    WarmAndCold,
    common_scale,
    mean_ndcg,
    top_items,
    top_items_by,
    user_ndcgs,
)
from isotherm.ranking.topk import TopK


def lists(columns, scores):
    return TopK(np.array(columns, dtype=np.int32), np.array(scores, dtype=np.float32))


def test_top_items_are_named_by_the_catalogue_and_seen_ones_are_hidden():
    histories = csr_array(np.array([[1, 0, 1]], dtype=np.float32))
    weights = np.array([[9, 1, 0], [0, 9, 9], [0, 1, 9]], dtype=np.float32)
    items = np.array([4, 6, 8])
    top = top_items(histories, weights, items)
    assert (top.columns.tolist(), top.scores.tolist()) == ([[4, 8, 6]], [[9, 9, 2]])
    unseen = top_items(histories, weights, items, hide_seen=True)
    assert (unseen.columns.tolist(), unseen.scores.tolist()) == ([[6, -1, -1]], [[2, -np.inf, -np.inf]])
    by = top_items_by(lambda block: np.asarray(block @ weights, dtype=np.float32), histories, items)
    np.testing.assert_array_equal(by.columns, top.columns)


def test_level_ratio_is_that_of_the_medians_of_users_who_have_both():
    warm = lists([[0], [1], [2], [-1]], [[8], [4], [6], [-np.inf]])
    cold = lists([[5], [5], [5], [5]], [[1], [3], [2], [100]])
    assert WarmAndCold(warm, cold).level_ratio() == 3
    assert WarmAndCold(warm, lists([[-1]] * 4, [[-np.inf]] * 4)).level_ratio() == 1


def test_ndcg_takes_scores_as_they_are():
    targets = csr_array(np.array([[0, 1, 0, 0]], dtype=np.float32))
    warm, cold = lists([[0, 3]], [[2, 1.5]]), lists([[1, 2]], [[1, 0.5]])
    assert WarmAndCold(warm, cold).ndcg(targets) == pytest.approx(1 / np.log2(4))
    assert WarmAndCold(warm, lists([[1, 2]], [[5, 1]])).ndcg(targets) == pytest.approx(1)


def test_ndcg_is_that_of_the_merged_lists():
    """Ties, too, and lists of different lengths that end early."""
    rng, n_users = np.random.default_rng(0), 60
    scores = np.sort(rng.integers(-2, 6, (n_users, 13)).astype(np.float32), axis=1)[:, ::-1]
    columns = rng.permuted(np.arange(26).reshape(1, -1).repeat(n_users, axis=0), axis=1).astype(np.int32)
    warm = TopK(columns[:, :10].copy(), scores[:, :10].copy())
    cold = TopK(columns[:, 10:16].copy(), scores[:, 3:9].copy())
    warm.scores[:9, 4:], warm.columns[:9, 4:] = -np.inf, -1
    targets = csr_array((rng.random((n_users, 26)) < 0.2).astype(np.float32))
    both = WarmAndCold(warm, cold)
    by_user = user_ndcgs(both.merged_columns(), targets)
    assert both.ndcg(targets) == pytest.approx(by_user.sum() / n_users)


def test_best_scale_lifts_cold_items_that_are_clicked_and_lowers_those_that_are_not():
    warm, cold = lists([[0, 3]], [[2, 1.5]]), lists([[1, 2]], [[1, 0.5]])
    lifted = WarmAndCold(warm, cold).best_scale(csr_array(np.array([[0, 1, 0, 0]], dtype=np.float32)))
    assert (lifted.ndcg, lifted.relative > 1) == (pytest.approx(1), True)
    lowered = WarmAndCold(warm, cold).best_scale(csr_array(np.array([[1, 0, 0, 1]], dtype=np.float32)))
    assert (lowered.ndcg, lowered.relative < 0.75) == (pytest.approx(1), True)


def test_a_common_scale_is_best_for_all_draws_together():
    warm, wanted = lists([[0]] * 2, [[1]] * 2), csr_array(np.array([[0, 1, 0], [0, 1, 0]], dtype=np.float32))
    low = WarmAndCold(warm, lists([[1], [2]], [[0.9], [1.1]]))  # lifted a little, it finds one item
    refused = csr_array(np.array([[1, 0, 0], [1, 0, 0]], dtype=np.float32))
    alone = common_scale([(low, wanted)])
    assert alone == low.best_scale(wanted)
    assert common_scale([(low, wanted), (low, wanted)]) == alone
    divided = common_scale([(low, wanted), (low, refused), (low, refused)])
    assert (alone.relative > 1, divided.relative < 1) == (True, True)


def test_best_scale_keeps_off_a_steep_side():
    """Eight users lose below a factor of 1, one above 1.05 and three above 3: 1.02 is best, more is safe."""
    warm = lists([[0, 3]] * 12, [[1, 0.1]] * 8 + [[1.05, 0.1]] + [[3, 0.1]] * 3)
    targets = csr_array(np.eye(4, dtype=np.float32)[[1] * 8 + [0] * 4])
    scale = WarmAndCold(warm, lists([[1, 2]] * 12, [[1, 0.1]] * 12)).best_scale(targets)
    assert 1.3 < scale.relative < 2.5


def test_mean_ndcg_counts_users_with_targets_only():
    scores = np.array([[3, 2, 1], [3, 2, 1], [1, 2, 3]], dtype=np.float32)
    targets = csr_array(np.array([[1, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=np.float32))
    assert mean_ndcg(scores, targets) == pytest.approx((1 + 1 / np.log2(3)) / 2)
    assert mean_ndcg(scores, csr_array((3, 3), dtype=np.float32)) == 0
