"""The routines in place: the same bits as SciPy's wrappers, and other threads run meanwhile."""

import sys
import threading
import time

import numpy as np
import pytest
from scipy.linalg import lapack as wrappers

from isotherm.linalg import lapack


def positive_definite(n, dtype):
    a = np.random.default_rng(n).standard_normal((n, n + 20))
    return (a @ a.T + 10 * np.eye(n)).astype(dtype)


@pytest.fixture(params=["by pointer", "by wrapper"])
def way(request, monkeypatch):
    """Both ways to call a routine; the second is that of a SciPy without pointers."""
    if request.param == "by wrapper":
        monkeypatch.setattr(lapack, "pointer", lambda name: None)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 150])
def test_factor_and_inverse_are_bit_for_bit_those_of_scipy(n, dtype, lower, way):
    matrix = positive_definite(n, dtype)
    potrf, potri = wrappers.get_lapack_funcs(("potrf", "potri"), (matrix,))
    factor, _ = potrf(matrix.T, lower=lower, clean=False)
    inverse, _ = potri(factor, lower=lower)
    assert lapack.potrf(matrix, lower) == 0
    np.testing.assert_array_equal(matrix.T, factor)
    assert lapack.potri(matrix, lower) == 0
    np.testing.assert_array_equal(matrix.T, inverse)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_first_pivot_that_is_not_positive_is_told(dtype, way):
    assert lapack.potrf(np.array([[1, 2, 0], [2, 1, 0], [0, 0, 1]], dtype), lower=True) == 2


def test_matrix_with_gaps_between_its_rows_is_replaced_too(way):
    around = np.zeros((5, 7))
    around[1:4, 2:5] = positive_definite(3, np.float64)
    expected = np.linalg.cholesky(around[1:4, 2:5])
    lapack.potrf(around[1:4, 2:5], lower=False)
    np.testing.assert_allclose(np.tril(around[1:4, 2:5]), expected)
    assert not around[0].any()
    assert not around[:, 5:].any()


@pytest.mark.parametrize("name", ["spotrf", "dpotrf", "spotri", "dpotri"])
def test_pointers_are_there(name):
    assert lapack.pointer(name) is not None


@pytest.mark.parametrize("name", ["dgetrf", "nothing"])
def test_routine_of_another_signature_is_not_called(name):
    assert lapack.pointer(name) is None


def test_other_threads_run_during_a_call():
    matrix, gate, passed = positive_definite(1_500, np.float32), threading.Lock(), []
    waiting = threading.Thread(target=lambda: passed.append(gate.acquire()))
    interval = sys.getswitchinterval()
    gate.acquire()
    waiting.start()
    time.sleep(0.1)  # until it waits
    sys.setswitchinterval(60)  # this thread keeps the lock unless it gives it away
    try:
        gate.release()
        lapack.potrf(matrix, lower=True)
        has_run = bool(passed)
    finally:
        sys.setswitchinterval(interval)
        waiting.join()
    assert has_run
