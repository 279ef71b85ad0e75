"""The top-k kernel against a full sort."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from isotherm.ranking.topk import _keep_best, _sort, hide, top_k


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 400),
    st.integers(1, 30),
    st.sampled_from([2, 20, 10**6]),
    st.booleans(),
)
def test_top_k_equals_a_stable_sort(seed, n_items, k, values, some):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, values, size=(30, n_items)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    candidates = rng.random(n_items) < 0.5 if some else None
    shown = scores if candidates is None else np.where(candidates, scores, -np.inf)
    order = np.argsort(-shown, axis=1, kind="stable")[:, :k]
    order = np.pad(order, ((0, 0), (0, k - order.shape[1])), constant_values=0)
    best = np.take_along_axis(shown, order, axis=1)
    best[:, n_items:] = -np.inf
    columns, found = top_k(scores, k, candidates)
    np.testing.assert_array_equal(found, best)
    np.testing.assert_array_equal(columns, np.where(np.isfinite(best), order, -1))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=300), st.integers(1, 300), st.booleans())
def test_the_best_codes_are_kept_and_sorted_lower_columns_first(values, k, shaped):
    k = min(k, len(values))
    codes = np.array(values, dtype=np.uint64) << np.uint64(32)
    if shaped:  # rises, then falls: what a pivot in the middle finds hardest
        codes = np.concatenate([np.sort(codes)[::2], np.sort(codes)[1::2][::-1]])
    columns = np.arange(len(codes), dtype=np.int32)
    expected = np.argsort(codes, kind="stable")[:k]
    found, kept = columns.copy(), codes.copy()
    _keep_best(found, kept, np.empty_like(codes), len(codes), k)
    np.testing.assert_array_equal(found[:k], np.sort(expected))
    _sort(found, kept, np.empty(64, np.int64), k)
    np.testing.assert_array_equal(found[:k], expected)
    np.testing.assert_array_equal(kept[:k], codes[expected])


def test_lots_change_ties_only_and_favour_no_column():
    rng = np.random.default_rng(0)
    scores = np.zeros((4000, 200), dtype=np.float32)
    scores[:, 150] = 1
    seeds = rng.integers(2**63, size=4000, dtype=np.uint64)
    columns, best = top_k(scores, 11, None, seeds)
    assert (columns[:, 0] == 150).all()
    assert (best[:, 1:] == 0).all()
    counts = np.delete(np.bincount(columns[:, 1:].ravel(), minlength=200), 150)
    expected = 4000 * 10 / 199
    assert ((counts - expected) ** 2 / expected).sum() < 280  # chi-square, 198 degrees of freedom, p < 1e-4
    np.testing.assert_array_equal(top_k(scores, 11, None, seeds)[0], columns)


def test_negative_scores_are_ranked_too():
    columns, best = top_k(np.array([[-3.0, -1.0, -2.0]], dtype=np.float32), 2)
    assert columns.tolist() == [[1, 2]]
    assert best.tolist() == [[-1.0, -2.0]]


@pytest.mark.parametrize("n_users", [1, 300])
def test_hidden_items_never_show(n_users):
    rng = np.random.default_rng(1)
    scores = rng.random((n_users, 40)).astype(np.float32)
    seen = csr_array((rng.random((n_users, 40)) < 0.3).astype(np.float32))
    hide(scores, seen)
    assert np.isneginf(scores[seen.toarray() > 0]).all()
    assert np.isfinite(scores[seen.toarray() == 0]).all()
