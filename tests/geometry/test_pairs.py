"""Who is paired with whom, and what the pairs share."""

import numpy as np
from scipy.sparse import csr_array

from isotherm.geometry.distances import nearest_users
from isotherm.geometry.pairs import COPY_SHARES, draw_pairs, shared_clicks, subsample_histories
from isotherm.geometry.posteriors import Posteriors
from tests.conftest import random_clicks


def posteriors(n):
    rng = np.random.default_rng(0)
    return Posteriors(rng.standard_normal((n, 3)).astype(np.float32), np.ones((n, 3), np.float32))


def test_partners_are_random_users_and_the_nearest_ones():
    users = posteriors(80)
    pairs = draw_pairs(users, 600, seed=1)
    assert len(pairs.probes) == 30
    assert (pairs.partners != pairs.probes[:, None]).all()
    np.testing.assert_array_equal(
        pairs.partners[:, pairs.kinds == "near"], nearest_users(users, 5, pairs.probes).rows
    )
    drawn = np.sort(pairs.partners[:, pairs.kinds == "random"], axis=1)
    assert (np.diff(drawn, axis=1) > 0).all()
    assert len(np.unique(drawn)) > 70
    np.testing.assert_array_equal(pairs.partners, draw_pairs(users, 600, seed=1).partners)
    assert len(draw_pairs(users, 10**6).probes) == 80


def test_a_few_users_have_fewer_partners():
    pairs = draw_pairs(posteriors(4), 100)
    assert sorted(pairs.partners[0]) != sorted(pairs.partners[1])
    assert pairs.partners.shape == (4, 3)


def test_copies_are_their_probe_with_fewer_clicks():
    x = csr_array(random_clicks(np.random.default_rng(1), 9, 200, density=0.3).astype(np.float32))
    probes = np.array([1, 5, 8])
    found = subsample_histories(x, probes, seed=0)
    lengths = np.diff(x.indptr)[np.repeat(probes, len(COPY_SHARES))]
    np.testing.assert_array_equal(np.diff(found.indptr), np.rint(np.tile(COPY_SHARES, 3) * lengths))
    inside = found.multiply(x[np.repeat(probes, len(COPY_SHARES))])
    assert inside.nnz == found.nnz
    lonely = csr_array(np.array([[1, 0], [1, 1]], np.float32))
    assert (np.diff(subsample_histories(lonely, np.array([0]), 0).indptr) == 1).all()


def test_shared_clicks():
    x = csr_array(np.array([[2, 1, 0, 1], [1, 1, 1, 0], [0, 0, 3, 0]], np.float32))
    found = shared_clicks(x, np.array([0, 0, 1]), np.array([1, 2, 2]))
    np.testing.assert_array_equal(found, [2, 0, 1])
