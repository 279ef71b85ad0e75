"""Masked distances of inputs: their law, and the bounds of theory."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import binom

from isotherm.geometry.contraction import measure_contraction
from tests.conftest import random_clicks


def test_masked_distances_follow_their_law():
    """With one ρ the distance is Bin(only one, ρ) + Bin(both, 2ρ(1 − ρ)): its exact law."""
    rho, only, both = 0.6, 5, 30
    x = np.zeros((2, only + both), np.float32)
    x[0], x[1, only:] = 1, 1
    keep = np.full(only + both, rho, np.float32)
    found = measure_contraction(csr_array(x), keep, np.array([0]), np.array([1]), draws=20_000).pairs.row(
        0, named=True
    )
    law = np.convolve(
        binom.pmf(range(only + 1), only, rho), binom.pmf(range(both + 1), both, 2 * rho * (1 - rho))
    )
    assert (found["l1"], found["shared"]) == (only, both)
    assert found["mean"] == pytest.approx((law * np.arange(len(law))).sum(), rel=1e-5)
    assert found["measured"] == pytest.approx(found["mean"], rel=0.01)
    assert found["contracts"] == pytest.approx(law[:only].sum(), abs=0.01)
    assert found["expands"] == pytest.approx(law[only + 1 :].sum(), abs=0.01)
    assert found["contracts_low"] == 0  # the mean is above the clean distance: nothing is promised
    assert 0.5 < found["expands_low"] <= law[only + 1 :].sum()


def test_the_bounds_hold_for_any_mask():
    x = csr_array(random_clicks(np.random.default_rng(0), 60, 80, density=0.3).astype(np.float32))
    keep = np.random.default_rng(1).uniform(0.2, 1, 80).astype(np.float32)
    u, v = np.repeat(np.arange(30), 20), np.tile(np.arange(30, 50), 30)
    found = measure_contraction(x, keep, u, v, draws=400)
    assert found.within_bounds == 1
    assert found.pairs["contracts_low"].max() > 0.5
    np.testing.assert_allclose(found.pairs["measured"], found.pairs["mean"], atol=1.5)
    whole = measure_contraction(x, np.ones(80, np.float32), u, v, draws=5).pairs
    assert (whole["contracts"] + whole["expands"]).max() == 0
