"""Scores of one model at the level of another's: literal means and deviations, user by user."""

import numpy as np
from scipy.sparse import csr_array

from isotherm.models.kernel_ridge.score_levels import _BEST, ScoreLevels


def best_unseen(row, seen):
    return np.sort(row[~seen].astype(np.float64))[::-1][:_BEST]


def drawn(n_users=9, n=50, density=0.3):
    rng = np.random.default_rng(3)
    seen = rng.random((n_users, n)) < density
    seen[0], seen[1] = False, np.arange(n) > 3  # nothing seen; four items left
    logits = rng.normal(-6, 2, (n_users, n)).astype(np.float32)
    wanted = rng.exponential(0.2, (n_users, n)).astype(np.float32)
    return logits, wanted, seen


def test_the_best_unseen_items_get_mean_and_deviation_of_the_others():
    logits, wanted, seen = drawn()
    levels = ScoreLevels.matching(logits, wanted, csr_array(seen.astype(np.float32)))
    at_level = levels.to_level(logits)
    for user in range(len(logits)):
        found, asked = (best_unseen(each[user], seen[user]) for each in (at_level, wanted))
        np.testing.assert_allclose([found.mean(), found.std()], [asked.mean(), asked.std()], rtol=1e-4)
        assert (np.argsort(at_level[user]) == np.argsort(logits[user])).all()
    np.testing.assert_allclose(levels.back(at_level.copy()), logits, rtol=1e-4, atol=1e-4)


def test_a_user_gets_the_same_level_alone():
    logits, wanted, seen = drawn(n_users=40)
    block = csr_array(seen.astype(np.float32))
    together = ScoreLevels.matching(logits, wanted, block)
    for user in (0, 1, 23):
        rows = slice(user, user + 1)
        alone = ScoreLevels.matching(logits[rows], wanted[rows], block[rows])
        assert (alone.spread[0], alone.shift[0]) == (together.spread[user], together.shift[user])


def test_scores_that_tell_nothing_apart_are_only_shifted():
    logits = np.float32([[1, 2, 3], [5, 5, 5], [1, 2, 3]])
    wanted = np.float32([[4, 4, 4], [1, 2, 3], [1, 2, 3]])
    seen = csr_array(np.float32([[0, 0, 0], [0, 0, 0], [1, 1, 1]]))
    levels = ScoreLevels.matching(logits, wanted, seen)
    np.testing.assert_array_equal(levels.spread, [1, 1, 1])
    np.testing.assert_array_equal(levels.shift, [2, -3, 0])
