"""GMRES for many systems against direct solves."""

import numpy as np

from isotherm.linalg.gmres import gmres


def test_rows_are_solved_each_to_the_tolerance():
    rng = np.random.default_rng(2)
    matrices = np.eye(40) + 0.05 * rng.standard_normal((5, 40, 40))
    right = rng.standard_normal((5, 40)).astype(np.float32)
    right[3] = 0
    seen = []

    def times(rows, which):
        seen.append(which.copy())
        return np.einsum("rij,rj->ri", matrices[which], rows).astype(np.float32)

    found = gmres(times, right, 1e-5, 40)
    np.testing.assert_allclose(np.einsum("rij,rj->ri", matrices, found), right, atol=1e-4)
    assert not found[3].any()
    assert all(3 not in which for which in seen)
    assert len(seen) < 40  # far fewer steps than unknowns


def test_steps_end_at_the_most_allowed():
    rng = np.random.default_rng(3)
    matrix = np.eye(30) + 0.5 * rng.standard_normal((30, 30))
    right = rng.standard_normal((1, 30)).astype(np.float32)
    steps = []

    def times(rows, which):
        steps.append(which)
        return (rows @ matrix.T).astype(np.float32)

    rough, exact = gmres(times, right, 1e-6, 3), gmres(times, right, 1e-6, 30)
    left = [np.linalg.norm(found @ matrix.T - right) for found in (rough, exact)]
    assert steps[3:]
    assert left[1] < 1e-3 * left[0] < np.linalg.norm(right)


def test_nothing_to_solve():
    assert gmres(lambda rows, which: rows, np.zeros((2, 4), np.float32), 1e-3, 5).tolist() == [[0] * 4] * 2
    assert gmres(lambda rows, which: rows, np.zeros((0, 4), np.float32), 1e-3, 5).shape == (0, 4)
