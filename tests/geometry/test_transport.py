"""Optimal transport between points lies between the bounds of W₁, and at most at W₂ of the points."""

import numpy as np
import polars as pl

from isotherm.geometry.posteriors import Posteriors
from isotherm.geometry.transport import measure_transport


def test_sampled_distances_lie_between_their_bounds():
    rng = np.random.default_rng(0)
    users = Posteriors(
        rng.standard_normal((20, 4)).astype(np.float32), rng.uniform(0.2, 2, (20, 4)).astype(np.float32)
    )
    u, v = rng.integers(20, size=(2, 300))
    kinds = np.where(np.arange(300) < 200, "random", "copy")
    pairs = pl.DataFrame({"u": u, "v": np.where(kinds == "copy", 99, v), "kind": kinds})
    found = measure_transport(users, pairs, seed=3)  # copies, whose posteriors are not here, are left out
    assert found.pairs.height == 100
    assert found.at_most_w2 == 1
    assert (found.pairs["low"] <= found.pairs["sampled"] * (1 + 1e-5) + 1e-6).all()
    assert (found.pairs["sampled"] <= found.pairs["w2_points"] * (1 + 1e-5)).all()
    assert found.pairs.equals(measure_transport(users, pairs, seed=3).pairs)
