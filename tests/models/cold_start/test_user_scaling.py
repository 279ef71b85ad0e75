"""The scaling of new items' scores for each user: by the length of a history and by the user's own scores."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.models.cold_start.user_scaling import LEAST_NEW_ITEMS, UserScaling, own_ratios


def test_clicks_on_new_items_make_no_history_longer():
    scaling = UserScaling(exponent=1.0, mean_clicks=2.0)
    histories = csr_array(np.array([[1, 1, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1]], dtype=np.float32))
    assert scaling.of(np.ones((3, 4), dtype=np.float32), histories, np.array([3])).tolist() == [1, 1, 2]


N_KNOWN, N_NEW = 20, LEAST_NEW_ITEMS
N_ITEMS = N_KNOWN + N_NEW
COLD = np.arange(N_KNOWN, N_ITEMS)
SCALING = UserScaling(own=1.0, typical=0.5, n_items=N_ITEMS)


def scores_of(n_users):
    """20 to 1 of known items, then 8, 7, 6 and lower ones of new items."""
    row = np.concatenate([np.arange(N_KNOWN, 0, -1), 8 - np.arange(N_NEW) / 3])
    return np.tile(row.astype(np.float32), (n_users, 1))


def histories(*clicked):
    rows = np.repeat(np.arange(len(clicked)), [len(columns) for columns in clicked])
    columns = np.concatenate([np.array(columns, dtype=np.int64) for columns in clicked])
    return csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=(len(clicked), N_ITEMS))


def test_the_own_ratio_is_of_the_tenth_best_known_and_the_best_new_item_not_clicked():
    seen = histories([], [0, 1], [N_KNOWN], range(15))
    scores, before = scores_of(4), scores_of(4)
    expected = [11 / 8 / 0.5, 9 / 8 / 0.5, 11 / (8 - 1 / 3) / 0.5, 1]  # five known ones left: no tenth
    assert SCALING.of(scores, seen, COLD) == pytest.approx(expected)
    np.testing.assert_array_equal(scores, before)
    assert SCALING.scale(scores, seen, COLD)[0, N_KNOWN] == pytest.approx(11 / 0.5)
    np.testing.assert_array_equal(scores[:, :N_KNOWN], before[:, :N_KNOWN])


def test_items_that_are_added_after_the_fit_change_no_other_score():
    seen = histories([0, 1], [])
    wide = csr_array((seen.data, seen.indices, seen.indptr), shape=(2, N_ITEMS + 1))
    added = np.concatenate([scores_of(2), np.full((2, 1), 50, np.float32)], axis=1)
    np.testing.assert_array_equal(
        SCALING.scale(added, wide, np.append(COLD, N_ITEMS))[:, :N_ITEMS],
        SCALING.scale(scores_of(2), seen, COLD),
    )


def test_the_ratio_is_the_same_wherever_the_items_stand():
    """Against sorting: known and new items of a large catalogue in any order, alone and among other users."""
    rng = np.random.default_rng(0)
    order = rng.permutation(300)
    cold, known = order[:40], np.sort(order[40:])
    cold = cold[np.argsort(cold >= 290, kind="stable")]  # those from 290 on came after the fit
    scores = rng.normal(size=(7, 300)).astype(np.float32)
    seen = csr_array((rng.random((7, 300)) < 0.2).astype(np.float32))
    scaling = UserScaling(exponent=0.5, mean_clicks=30.0, own=0.5, typical=2.0, n_items=290)
    hidden = np.where(seen.toarray() > 0, -np.inf, scores)
    tenth, best = np.sort(hidden[:, known])[:, -10], hidden[:, cold[cold < 290]].max(axis=1)
    lengths = np.count_nonzero(seen.toarray()[:, known], axis=1)
    factors = scaling.of(scores, seen, cold)
    np.testing.assert_array_equal(factors, scaling.factors(lengths, tenth.astype(np.float64) / best))
    alone = [scaling.of(scores[[u]], seen[[u]], cold)[0] for u in range(7)]
    assert factors.tolist() == alone


def test_few_new_items_have_no_ratio():
    few = SCALING.at(N_ITEMS - 1)
    assert few.of(scores_of(2), histories([0, 1], []), COLD).tolist() == [1, 1]


def test_a_factor_of_all_users_is_no_change_of_ratios():
    ratios, lengths = np.array([1.0, 2.0, 4.0]), np.array([5, 5, 5])
    scaling = UserScaling(own=0.75, typical=2.0)
    later = scaling.after(10.0).factors(lengths, ratios / 10)
    np.testing.assert_allclose(later, scaling.factors(lengths, ratios), rtol=1e-6)


def test_there_is_no_ratio_where_a_score_is_not_above_zero():
    known = np.array([4, -1, 2, -np.inf, np.inf, np.nan, 1], dtype=np.float32)
    new = np.array([2, 1, 0, 1, 1, 1, np.inf], dtype=np.float32)
    np.testing.assert_array_equal(own_ratios(known, new), [2] + 6 * [np.nan])
    assert UserScaling(own=0.5).factors(np.ones(2, np.int64), np.array([np.nan, 4.0])).tolist() == [1, 2]


def test_without_a_scaling_nothing_changes():
    scores = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert UserScaling().changes_nothing
    scaled = UserScaling().scale(scores.copy(), csr_array((2, 3), dtype=np.float32), np.array([2]))
    np.testing.assert_array_equal(scaled, scores)
