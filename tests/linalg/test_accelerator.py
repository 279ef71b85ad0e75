"""The path of a device, run by torch on the processor, beside LAPACK and the sparse pass."""

import numpy as np
import pytest
from scipy.sparse import csr_array, random_array

from isotherm.errors import ParameterError
from isotherm.linalg import accelerator
from isotherm.linalg.accelerator import Accelerator, closed_forms_on, computing_on, dense_product
from isotherm.linalg.cholesky import NotPositiveDefiniteError, factorize_in_place, invert_in_place
from isotherm.linalg.gram import gram


@pytest.fixture
def device():
    pytest.importorskip("torch")
    return Accelerator("cpu")


@pytest.fixture
def used(device, monkeypatch):
    """Names of the passes that ran on the device."""
    names = []

    def noted(name):
        work = getattr(Accelerator, name)
        monkeypatch.setattr(Accelerator, name, lambda *asked: names.append(name) or work(*asked))

    for name in ("factorize", "invert", "product", "add_gram"):
        noted(name)
    return names


def definite(n, dtype):
    a = np.random.default_rng(0).standard_normal((n, n + 9))
    return (a @ a.T + 10 * np.eye(n)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("in_place", "expected"), [(invert_in_place, np.linalg.inv), (factorize_in_place, np.linalg.cholesky)]
)
def test_matrices_are_solved_in_place(device, used, dtype, in_place, expected):
    matrix = definite(40, dtype)
    wanted = expected(matrix.astype(np.float64))
    with computing_on(device):
        in_place(matrix)
    np.testing.assert_allclose(matrix, wanted, atol=2e-5 if dtype == np.float32 else 1e-11)
    assert len(used) == 1


@pytest.mark.parametrize("in_place", [invert_in_place, factorize_in_place])
def test_an_indefinite_matrix_is_refused_and_left(device, in_place):
    matrix = np.array([[1.0, 2.0], [2.0, 1.0]])
    with computing_on(device), pytest.raises(NotPositiveDefiniteError, match="pivot 2 of 2"):
        in_place(matrix)
    np.testing.assert_array_equal(matrix, [[1, 2], [2, 1]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
def test_gram_over_blocks_and_parts_of_them(device, used, monkeypatch, dtype, weighted):
    x = csr_array(random_array((90, 17), density=0.2, rng=0, format="csr", dtype=np.float32))
    if not weighted:
        x.data[:] = 1
    x.sort_indices()
    monkeypatch.setattr(accelerator, "_DENSE_BYTES", 17 * 8 * 7)  # seven users at a time, or fourteen
    with computing_on(device):
        found = gram([x[:50], x[50:]], 17, dtype)
    expected = (x.astype(np.float64).T @ x.astype(np.float64)).toarray()
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, rtol=1e-6 if weighted else 0)
    assert used == ["add_gram", "add_gram"]


def test_a_narrow_product_of_many_flops_is_sent(device, used, monkeypatch):
    monkeypatch.setattr(accelerator, "_cuda", lambda: device)
    monkeypatch.setattr(accelerator, "_SMALLEST", 40)
    left, right = np.ones((100, 100), np.float32), np.ones((100, 6), np.float32)
    np.testing.assert_array_equal(dense_product(left, right), 100)
    assert not used
    dense_product(left, np.ones((100, 7), np.float32))
    assert used == ["product"]


def test_a_product_and_no_blocks(device, used):
    rng = np.random.default_rng(1)
    left, right = rng.standard_normal((5, 7)), rng.standard_normal((7, 3))
    with computing_on(device):
        np.testing.assert_allclose(dense_product(left, right), left @ right)
        np.testing.assert_array_equal(gram([], 3), np.zeros((3, 3)))
    assert used == ["product"]


def test_only_numbers_that_a_tensor_core_reads_whole_are_sent_to_one(device, monkeypatch):
    asked = []
    tensor_cores = Accelerator._tensor_cores
    monkeypatch.setattr(
        Accelerator, "_tensor_cores", lambda self, exact: asked.append(exact) or tensor_cores(self, exact)
    )
    for value in (1.0, 0.5, 1 + 2**-10, 1 + 2**-11, 0.1):
        gram_of_one = device.zeros(1, np.float32)
        device.add_gram(csr_array(np.float32([[value]])), gram_of_one)
        assert device.bring(gram_of_one)[0, 0] == np.float32(value) ** 2
    assert asked == [True, True, True, False, False]


def test_a_choice_for_a_call_is_over_afterwards(device, used):
    matrix = definite(5, np.float64)
    with computing_on(device):
        with closed_forms_on("cpu"):
            invert_in_place(matrix)
            with closed_forms_on(None):
                invert_in_place(matrix)
        assert not used
        invert_in_place(matrix)
        assert used == ["invert"]


def test_small_matrices_and_full_devices_stay_here(device, monkeypatch):
    monkeypatch.setattr(accelerator, "_cuda", lambda: device)
    monkeypatch.setattr(Accelerator, "free_bytes", lambda self: 1e9)
    assert accelerator.accelerator(1e9, 2_000) is device
    assert accelerator.accelerator(1e9, 1_999) is None
    assert accelerator.accelerator(1.1e9, 40_000) is None
    with closed_forms_on("cuda"), pytest.raises(ParameterError, match=r"order 40,000 takes 1\.0 GiB there"):
        accelerator.accelerator(1.1e9, 40_000)


def test_a_sparse_log_is_added_up_here(device, monkeypatch):
    monkeypatch.setattr(accelerator, "_cuda", lambda: device)
    users = np.arange(4_000)
    dense = csr_array(
        (np.ones(4_000_000, np.float32), np.tile(np.arange(1_000), 4_000), 1_000 * np.arange(4_001))
    )
    sparse = csr_array((np.ones(4_000, np.float32), users % 3_000, np.arange(4_001)), shape=(4_000, 3_000))
    dense.resize((4_000, 3_000))
    assert accelerator.gram_accelerator(dense, np.float32) is device
    assert accelerator.gram_accelerator(sparse, np.float32) is None
