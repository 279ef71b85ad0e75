"""Blocks of histories: what is passed on, what is put in order, and what is refused."""

import re

import numpy as np
import pytest
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix

from isotherm.errors import InteractionsError
from isotherm.models.requests.histories import checked_block

X = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 4]], dtype=np.float32)
FORMATS = ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"]


def test_a_block_in_order_is_passed_on_as_it_is():
    block = csr_array(X)
    assert checked_block(block, 4) is block


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float32, np.float64, np.longdouble])
@pytest.mark.parametrize("shape", FORMATS)
def test_any_sparse_matrix_of_numbers_is_read(kind, dtype, shape):
    block = kind(X.astype(dtype) if dtype is not np.longdouble else X).asformat(shape)
    found = checked_block(block, 4)
    assert isinstance(found, csr_array)
    assert found.data.dtype == np.float32
    assert found.indices.dtype == np.int32
    np.testing.assert_array_equal(found.toarray(), X.astype(dtype).astype(np.float32))


@pytest.mark.parametrize("kind", [csr_array, csr_matrix])
def test_unsorted_columns_duplicates_zeros_and_wide_indices_are_put_in_order_in_a_copy(kind):
    indices, starts = np.array([3, 1, 1, 2, 0]), np.array([0, 4, 4, 5])
    block = kind((np.array([2.0, 0.5, 0.5, 0, 3]), indices.astype(np.int64), starts), shape=(3, 4))
    block.has_sorted_indices = block.has_canonical_format = True  # what a careless caller may have left
    before = [array.copy() for array in (block.data, block.indices, block.indptr)]
    found = checked_block(block, 4)
    np.testing.assert_array_equal(found.toarray(), [[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0]])
    np.testing.assert_array_equal(found.indptr, [0, 2, 2, 3])
    assert (found.data > 0).all()
    for array, old in zip((block.data, block.indices, block.indptr), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_small_integers_are_added_up_as_float32():
    twice = coo_array((np.array([100, 100], np.int8), ([0, 0], [1, 1])), shape=(1, 4))
    assert checked_block(twice, 4)[0, 1] == 200


def test_no_rows_are_a_block_too():
    assert checked_block(csr_array((0, 4)), 4).shape == (0, 4)


def raw(data=(1.0, 1.0), indices=(0, 1), starts=(0, 1, 2), kind=csr_array, dtype=np.float32):
    """A matrix of two rows and four columns that SciPy would not have let pass."""
    block = kind((2, 4), dtype=dtype)
    block.data = np.array(data, dtype=dtype)
    block.indices, block.indptr = np.array(indices, np.int32), np.array(starts, np.int32)
    return block


def outside():
    """A COO matrix with a column that it does not have."""
    block = coo_array((np.ones(1), ([0], [1])), shape=(2, 4))
    block.coords = (np.array([0]), np.array([9]))
    return block


REFUSED = {
    "dense": (X, "not ndarray: give scipy.sparse.csr_array"),
    "a list": ([[1, 0, 0, 0]], "not list"),
    "nothing": (None, "not NoneType"),
    "wider": (csr_array((3, 5)), "5 columns, and the model knows 4 items"),
    "narrower": (csr_array((3, 3)), "3 columns, and the model knows 4 items"),
    "transposed": (csr_array(X.T), "3 columns"),
    "one-dimensional": (coo_array(X[0]), "not 1-dimensional"),
    "complex": (csr_array(X.astype(complex)), "holds complex128"),
    "negative": (raw([1, -1]), "holds -1.0"),
    "NaN": (raw([np.nan, 1]), "holds nan"),
    "infinite": (raw([np.inf, 1]), "holds inf"),
    "too large for float32": (raw([1e39, 1], dtype=np.float64), "holds inf"),
    "too large together": (raw([3e38, 3e38], indices=[1, 1], starts=[0, 2, 2]), "holds inf"),
    "column past the end": (raw(indices=[0, 4]), "holds column 4; columns are 0 to 3"),
    "column far past the end": (raw(indices=[0, 10**8]), "holds column 100000000"),
    "negative column": (raw(indices=[-1, 0]), "holds column -1"),
    "falling indptr": (raw(starts=[0, 3, 2]), "indptr must rise"),
    "indptr past the end": (raw(starts=[0, 1, 10**8]), "indptr must rise"),
    "indptr that starts late": (raw(starts=[1, 1, 2]), "indptr must rise"),
    "indptr too short": (raw(starts=[0, 2]), "indptr must rise"),
    "fewer weights than columns": (raw(data=[1.0]), "indptr must rise"),
    "CSC row past the end": (raw(indices=[0, 7], starts=[0, 1, 2, 2, 2], kind=csc_array), "holds row 7"),
    "COO column past the end": (outside(), "holds column 9"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_block_that_does_not_fit_is_refused_by_name(case):
    block, says = REFUSED[case]
    with pytest.raises(InteractionsError, match=re.escape(says)) as raised:
        checked_block(block, 4)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300
