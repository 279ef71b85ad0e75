"""Metrics against cases worked by hand and against two independent libraries."""

import numpy as np
import pytest
from irspack.evaluation import Evaluator
from scipy.sparse import csr_array
from sklearn.metrics import ndcg_score

from isotherm.ranking import metrics
from isotherm.ranking.topk import top_k

# ranks 1 and 3 of five hit; the user has three targets
HITS, TARGETS = np.array([[True, False, True, False, False]]), np.array([3])


@pytest.mark.parametrize(
    ("metric", "k", "value"),
    [
        (metrics.capped_recall, 5, 2 / 3),
        (metrics.capped_recall, 2, 1 / 2),
        (metrics.capped_recall, 1, 1.0),
        (metrics.hit_rate, 5, 1.0),
        (metrics.recall, 5, 2 / 3),
        (metrics.recall, 2, 1 / 3),
        (metrics.ndcg, 5, (1 + 1 / 2) / (1 + 1 / np.log2(3) + 1 / 2)),
        (metrics.ndcg, 2, 1 / (1 + 1 / np.log2(3))),
        (metrics.reciprocal_rank, 5, 1.0),
        (metrics.average_precision, 5, (1 + 2 / 3) / 3),
        (metrics.average_precision, 2, 1 / 2),
    ],
)
def test_values_worked_by_hand(metric, k, value):
    assert metric(HITS, TARGETS, k)[0] == pytest.approx(value)


def test_hit_rate_of_a_late_hit_and_of_none():
    hits = np.array([[False, False, True], [False, False, False]])
    assert metrics.hit_rate(hits, np.array([1, 4]), 3).tolist() == [1, 0]
    assert metrics.hit_rate(hits, np.array([1, 4]), 2).tolist() == [0, 0]


def test_share_in_lists_counts_what_is_shown():
    columns = np.array([[0, 3], [3, -1], [1, 2], [-1, -1]], dtype=np.int32)
    new = np.array([False, False, True, True])  # the last item is what -1 would index
    assert metrics.share_in_lists(columns, new).tolist() == [0.5, 1, 0.5, 0]


def test_reciprocal_rank_of_a_late_hit_and_of_none():
    hits = np.array([[False, False, True], [False, False, False]])
    np.testing.assert_allclose(metrics.reciprocal_rank(hits, np.array([1, 1]), 3), [1 / 3, 0])
    np.testing.assert_allclose(metrics.reciprocal_rank(hits, np.array([1, 1]), 2), [0, 0])


@pytest.mark.parametrize("k", [1, 5, 20])
def test_agreement_with_irspack_and_scikit_learn(k):
    rng = np.random.default_rng(k)
    scores = rng.random((150, 60))
    truth = (rng.random((150, 60)) < 0.08).astype(float)
    truth[np.arange(150), rng.integers(60, size=150)] = 1
    columns, _ = top_k(scores.astype(np.float32), k)
    hits, n_targets = metrics.rank_hits(columns, csr_array(truth)), truth.sum(axis=1).astype(int)

    evaluator = Evaluator(csr_array(truth), recall_with_cutoff=False)
    cut = Evaluator(csr_array(truth), recall_with_cutoff=True)
    theirs = evaluator.core.get_metrics_f64(scores, k, 0, 1, False).as_dict()
    capped = cut.core.get_metrics_f64(scores, k, 0, 1, True).as_dict()
    assert metrics.recall(hits, n_targets, k).mean() == pytest.approx(theirs["recall"])
    assert metrics.hit_rate(hits, n_targets, k).mean() == pytest.approx(theirs["hit"])
    assert metrics.capped_recall(hits, n_targets, k).mean() == pytest.approx(capped["recall"])
    assert metrics.ndcg(hits, n_targets, k).mean() == pytest.approx(theirs["ndcg"])
    assert metrics.ndcg(hits, n_targets, k).mean() == pytest.approx(ndcg_score(truth, scores, k=k))
    over_all = metrics.average_precision(hits, n_targets, k) * np.minimum(k, n_targets) / n_targets
    assert over_all.mean() == pytest.approx(
        theirs["map"]
    )  # theirs divides by all targets, ours by min(k, targets)
    exposure = metrics.exposure(columns, 60)
    assert metrics.gini(exposure) == pytest.approx(theirs["gini_index"])
    assert metrics.coverage(exposure) * 60 == pytest.approx(theirs["appeared_item"])


def test_lists_worked_by_hand():
    columns = np.array([[0, 1], [0, 2], [0, -1]], dtype=np.int32)
    counts = metrics.exposure(columns, 4)
    assert counts.tolist() == [3, 1, 1, 0]
    assert metrics.coverage(counts) == 0.75
    assert metrics.gini(counts) == pytest.approx((-3 * 0 - 1 * 1 + 1 * 1 + 3 * 3) / (4 * 5))
    assert metrics.gini(np.zeros(4, dtype=int)) == 0.0
    information = metrics.self_information(np.array([3, 1, 0, 0]), 3)
    np.testing.assert_allclose(information, [0, 1, 2, 2])
    np.testing.assert_allclose(metrics.novelty(columns, information), [0.5, 1.0, 0.0])
