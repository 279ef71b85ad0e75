"""Helpers of CSR matrices against what they do to the dense matrix."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from isotherm.linalg.csr import (
    binary,
    column_counts,
    entries_by_column,
    filter_entries,
    groups_of,
    index_pointers,
    move_entries,
    one_row,
    pack,
    ranks_within,
    row_blocks,
    rows_of,
    scale_rows,
    select_columns,
    take_rows,
    widen,
    with_data,
)


@pytest.fixture
def dense():
    rng = np.random.default_rng(0)
    return (rng.uniform(0.5, 2, (9, 7)) * (rng.random((9, 7)) < 0.4)).astype(np.float32)


@pytest.fixture
def matrix(dense):
    return csr_array(dense)


def test_index_pointers_take_64_bits_where_32_are_too_few():
    assert index_pointers(np.array([3, 0, 2])).tolist() == [0, 3, 3, 5]
    assert index_pointers(np.array([2**30, 2**30])).dtype == np.int64
    assert index_pointers(np.array([2**30, 2**30 - 1])).dtype == np.int32


def test_groups_of_entries(matrix):
    assert groups_of(matrix.indptr).tolist() == np.nonzero(matrix.toarray())[0].tolist()
    assert rows_of(matrix).tolist() == groups_of(matrix.indptr).tolist()
    columns = matrix.tocsc()
    assert groups_of(columns.indptr).tolist() == np.sort(matrix.indices).tolist()


def test_ranks_count_within_each_group_by_the_first_key():
    groups = np.array([2, 0, 2, 2, 0, 5])
    first, second = np.array([1, 7, 1, 0, 3, 9]), np.array([5, 0, 4, 9, 0, 0])
    assert ranks_within(groups, first, second).tolist() == [2, 1, 1, 0, 0, 0]


def test_column_counts(matrix, dense):
    assert column_counts(matrix).tolist() == np.count_nonzero(dense, axis=0).tolist()


@pytest.mark.parametrize("rows", [1, 4, 9, 100])
def test_row_blocks_are_the_matrix(matrix, dense, rows):
    blocks = list(row_blocks(matrix, rows))
    np.testing.assert_array_equal(np.concatenate([b.toarray() for b in blocks]), dense)
    assert [b.shape[0] for b in blocks[:-1]] == [rows] * (len(blocks) - 1)


def test_rows_are_taken_with_the_indices_of_their_entries(matrix, dense):
    rows = np.array([4, 0, 8, 4])
    taken, entries = take_rows(matrix, rows)
    np.testing.assert_array_equal(taken.toarray(), dense[rows])
    np.testing.assert_array_equal(taken.data, matrix.data[entries])
    nothing, none = take_rows(matrix, np.empty(0, dtype=np.int64))
    assert nothing.shape == (0, 7)
    assert not len(none)


def test_other_numbers_in_the_same_cells(matrix, dense):
    np.testing.assert_array_equal(with_data(matrix, -matrix.data).toarray(), -dense)
    np.testing.assert_array_equal(binary(matrix).toarray(), dense > 0)
    factors = np.arange(9, dtype=np.float32)
    np.testing.assert_allclose(scale_rows(matrix, factors).toarray(), dense * factors[:, None])


def test_widened_matrices_have_empty_columns_behind(matrix, dense):
    wide = widen(matrix, 11)
    np.testing.assert_array_equal(wide.toarray(), np.pad(dense, ((0, 0), (0, 4))))
    assert np.shares_memory(wide.data, matrix.data)


def test_filtered_entries_leave_the_others_where_they_are(matrix, dense):
    kept = matrix.data > 1
    np.testing.assert_array_equal(filter_entries(matrix, kept).toarray(), np.where(dense > 1, dense, 0))


def test_selected_columns_are_renumbered(matrix, dense):
    columns = np.array([1, 2, 6])
    selected = select_columns(matrix, columns)
    np.testing.assert_array_equal(selected.toarray(), dense[:, columns])
    assert selected.indices.dtype == np.int32
    assert select_columns(matrix, np.arange(7)) is matrix


def test_moved_entries_go_where_they_are_told(matrix, dense):
    column_of = np.array([5, -1, 0, 3, -1, 1, 2])
    expected = np.zeros((9, 8))
    known = column_of >= 0
    expected[:, column_of[known]] = dense[:, known]
    np.testing.assert_array_equal(move_entries(matrix, column_of[matrix.indices], 8).toarray(), expected)


def test_lists_are_packed_where_they_are_kept():
    columns = np.array([[4, 2, -1], [-1, -1, -1], [0, 1, 3]])
    data = np.arange(9, dtype=np.float32).reshape(3, 3)
    packed = pack(columns >= 0, columns, data, 5)
    np.testing.assert_array_equal(packed.toarray(), [[0, 0, 1, 0, 0], [0] * 5, [6, 7, 0, 8, 0]])


def test_entries_by_column_name_the_entries_of_the_rows(matrix):
    entries = entries_by_column(matrix)
    np.testing.assert_array_equal(matrix.data[entries.data], matrix.tocsc().data)
    np.testing.assert_array_equal(entries.indices, matrix.tocsc().indices)


def test_one_row_is_what_scipy_makes_of_its_entries_in_any_order():
    columns, data = np.array([5, 0, 3]), np.array([1, 2, 4], dtype=np.float32)
    row, expected = one_row(columns, data, 7), csr_array((data, columns, [0, 3]), shape=(1, 7))
    expected.sum_duplicates()
    for name in ("data", "indices", "indptr", "shape"):
        np.testing.assert_array_equal(getattr(row, name), getattr(expected, name))
        assert getattr(row, name).__class__ is getattr(expected, name).__class__
    assert (row.data.dtype, row.indices.dtype, row.indptr.dtype) == (np.float32, np.int32, np.int32)
    assert row.has_canonical_format
    assert one_row(columns[:0], data[:0], 7).nnz == 0
    assert row.nnz == 3  # rows share nothing
