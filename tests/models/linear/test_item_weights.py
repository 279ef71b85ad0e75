"""Dense weights in blocks and sparse ones against the whole matrix."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.linear.item_weights import DenseWeights, SparseWeights, WeightBlock
from isotherm.state import restore, saved

N_ITEMS, ROWS = 9, np.array([1, 3, 4, 8])


def random(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.fixture
def histories():
    rng = np.random.default_rng(1)
    return csr_array(((rng.random((6, N_ITEMS)) < 0.5) * rng.uniform(1, 2, (6, N_ITEMS))).astype(np.float32))


def whole(weights, n_items=N_ITEMS):
    """All weights, by the columns."""
    return np.stack([weights.column(item) for item in range(n_items)], axis=1)


def expected(columns, block, n_items=N_ITEMS):
    matrix = np.zeros((n_items, n_items), dtype=np.float32)
    matrix[np.ix_(ROWS, columns)] = block
    return matrix


def test_weights_among_items(histories):
    block = random((4, 4))
    weights = DenseWeights.among(N_ITEMS, ROWS, block)
    assert weights.warm is block
    np.testing.assert_array_equal(whole(weights), expected(ROWS, block))
    np.testing.assert_allclose(weights.scores(histories), histories @ whole(weights), atol=1e-5)


def test_appended_columns_extend_the_catalogue_and_small_blocks_merge(histories):
    weights = DenseWeights.among(N_ITEMS, ROWS, random((4, 4)))
    first = random((4, 3), 2)
    weights = weights.appended(N_ITEMS, np.array([0, 2, 5]), first)
    matrix = whole(weights, N_ITEMS)
    np.testing.assert_array_equal(matrix[np.ix_(ROWS, [0, 2, 5])], first)
    added = [random((4, 1), seed) for seed in range(3, 12)]
    for number, columns in enumerate(added):
        weights = weights.appended(N_ITEMS + number + 1, np.array([N_ITEMS + number]), columns)
    assert len(weights.blocks) <= 2 + 4  # of 1, 2, 4, ... columns
    grown = whole(weights, N_ITEMS + 9)
    np.testing.assert_array_equal(grown[:N_ITEMS, :N_ITEMS], matrix)
    np.testing.assert_array_equal(grown[ROWS, N_ITEMS:], np.concatenate(added, axis=1))


@pytest.mark.parametrize("replaced", [[0, 2], [0, 1, 2], [3, 2, 1, 0]])  # of those left, few are copied
def test_replaced_columns_count_and_the_warm_block_keeps_the_old_ones(histories, replaced):
    block, other = random((4, 4)), random((4, len(replaced)), 2)
    weights = DenseWeights.among(N_ITEMS, ROWS, block).replaced(ROWS[replaced], other)
    assert weights.warm is block
    both = block.copy()
    both[:, replaced] = other
    np.testing.assert_array_equal(whole(weights), expected(ROWS, both))
    np.testing.assert_allclose(weights.scores(histories), histories @ whole(weights), atol=1e-5)
    longer = weights.appended(N_ITEMS, np.array([0]), random((4, 1), 3))
    np.testing.assert_allclose(longer.scores(histories), histories @ whole(longer), atol=1e-5)
    beside = longer.scores_beside(longer.warm_scores(histories), histories)
    np.testing.assert_array_equal(beside, longer.scores(histories))


def test_shares_of_a_history_add_up_to_the_score(histories):
    weights = DenseWeights.among(N_ITEMS, ROWS, random((4, 4)))
    for item in (4, 0):
        shares = weights.shares(histories[[2]], item)
        assert len(shares) == histories[[2]].nnz
        np.testing.assert_allclose(shares.sum(), weights.scores(histories)[2, item], atol=1e-5)


def test_blocks_come_back_as_they_were_saved():
    weights = DenseWeights.among(N_ITEMS, ROWS, random((4, 4)))
    weights = weights.appended(N_ITEMS, np.array([0, 7]), random((4, 2), 2))
    sizes = {"n_users": 1, "n_items": N_ITEMS, "n_fitted": N_ITEMS}
    arrays, document = saved(weights, sizes)
    again = DenseWeights.empty(None, sizes)
    restore(again, arrays, document, sizes)
    assert [type(block) for block in again.blocks] == [WeightBlock] * 2
    np.testing.assert_array_equal(whole(again), whole(weights))


def test_sparse_weights_score_and_extend(histories):
    matrix = random((N_ITEMS, N_ITEMS)) * (random((N_ITEMS, N_ITEMS), 2) > 0.5)
    weights = SparseWeights(csr_array(matrix))
    np.testing.assert_array_equal(whole(weights), matrix)
    np.testing.assert_allclose(weights.scores(histories), histories @ matrix, atol=1e-5)
    columns = random((N_ITEMS, 2), 3)
    wider = weights.appended(csr_array(columns)).matrix.toarray()
    np.testing.assert_array_equal(wider[:N_ITEMS], np.concatenate([matrix, columns], axis=1))
    assert not wider[N_ITEMS:].any()
