"""Rows, columns and entries of CSR matrices. Nothing here changes its argument.

An entry is a stored number; its index counts entries in the order of ``matrix.data``.
"""

from collections.abc import Iterator
from copy import copy
from functools import lru_cache

import numpy as np
from scipy.sparse import csc_array, csr_array

from isotherm.types import Array, Bools, Float64, Int64, ItemIndex


def index_pointers(lengths: Array) -> Array:
    """``indptr`` of rows of these lengths: 32 bits where they are enough.

    >>> import numpy as np
    >>> from isotherm.linalg.csr import index_pointers
    >>> index_pointers(np.array([2, 0, 1]))
    array([0, 2, 2, 3], dtype=int32)
    """
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts.astype(np.int32) if starts[-1] < 2**31 else starts


def groups_of(indptr: Array) -> Int64:
    """Group of each entry, (nnz,), from the index pointers of the groups: rows of CSR, columns of CSC.

    >>> import numpy as np
    >>> from isotherm.linalg.csr import groups_of
    >>> groups_of(np.array([0, 2, 2, 3]))
    array([0, 0, 2])
    """
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def rows_of(matrix: csr_array) -> Int64:
    """Row of each entry, (nnz,)."""
    return groups_of(matrix.indptr)


def ranks_within(groups: Array, *keys: Array) -> Int64:
    """Rank of each entry, from 0, among those of its group (n,): by the first key, ties by the next.

    >>> import numpy as np
    >>> from isotherm.linalg.csr import ranks_within
    >>> ranks_within(np.array([0, 1, 0, 0]), np.array([3.0, 9.0, 1.0, 2.0]))
    array([2, 0, 0, 1])
    """
    order = np.lexsort([*reversed(keys), groups])
    starts = index_pointers(np.bincount(groups))
    ranks = np.empty(len(groups), dtype=np.int64)
    ranks[order] = np.arange(len(groups)) - starts[groups[order]]
    return ranks


def column_counts(matrix: csr_array) -> Int64:
    """Number of entries of each column, (n_columns,)."""
    return np.bincount(matrix.indices, minlength=matrix.shape[1])


def row_blocks(matrix: csr_array, rows: int) -> Iterator[csr_array]:
    """A CSR matrix as blocks of at most ``rows`` rows, in order; itself where one block is enough."""
    if 0 < matrix.shape[0] <= rows:
        yield matrix
        return
    for first in range(0, matrix.shape[0], rows):
        starts = matrix.indptr[first : first + rows + 1]
        entries = slice(starts[0], starts[-1])
        yield csr_array(
            (matrix.data[entries], matrix.indices[entries], starts - starts[0]),
            shape=(len(starts) - 1, matrix.shape[1]),
        )


def take_rows(matrix: csr_array, rows: Array) -> tuple[csr_array, Int64]:
    """Some rows of a CSR matrix, in memory or memory-mapped, and the indices of their entries in it."""
    begins = matrix.indptr[rows].astype(np.int64)
    lengths = matrix.indptr[rows + 1] - begins
    starts = index_pointers(lengths)
    entries = np.repeat(begins - starts[:-1], lengths) + np.arange(starts[-1])
    taken = (matrix.data[entries], matrix.indices[entries], starts)
    return csr_array(taken, shape=(len(rows), matrix.shape[1])), entries


def one_row(columns: Array, data: Array, n_columns: int) -> csr_array:
    """(1, n_columns) CSR of a few entries in different columns, without the checks that SciPy makes.

    >>> import numpy as np
    >>> from isotherm.linalg.csr import one_row
    >>> row = one_row(np.array([2, 0]), np.array([1.0, 3.0]), 4)
    >>> row.indices, row.toarray()
    (array([0, 2], dtype=int32), array([[3., 0., 1., 0.]]))
    """
    order = columns.argsort()
    row = copy(_empty_row(n_columns))
    row.data, row.indices = data[order], columns[order].astype(np.int32, copy=False)
    row.indptr = np.array([0, len(columns)], dtype=np.int32)
    return row


@lru_cache(maxsize=16)
def _empty_row(n_columns: int) -> csr_array:
    row = csr_array((1, n_columns), dtype=np.float32)
    row.has_canonical_format = True
    return row


def with_data(matrix: csr_array, data: Array) -> csr_array:
    """A CSR matrix with entries in the same cells, and these numbers (nnz,) in them."""
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def binary(matrix: csr_array) -> csr_array:
    """A CSR matrix with entries in the same cells, each 1 (float32)."""
    return with_data(matrix, np.ones(matrix.nnz, np.float32))


def scale_rows(matrix: csr_array, factors: Float64 | Array) -> csr_array:
    """A CSR matrix with each row times its factor, (n_rows,)."""
    return with_data(matrix, matrix.data * np.repeat(factors, np.diff(matrix.indptr)))


def widen(matrix: csr_array, n_columns: int) -> csr_array:
    """The same matrix with empty columns behind its own, ``n_columns`` in all, without a copy."""
    return csr_array((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], n_columns))


def filter_entries(matrix: csr_array, kept: Bools) -> csr_array:
    """A CSR matrix of the same shape with only the entries where ``kept`` (nnz,) is true."""
    starts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr].astype(matrix.indptr.dtype)
    return csr_array((matrix.data[kept], matrix.indices[kept], starts), shape=matrix.shape)


def move_entries(matrix: csr_array, columns: Array, n_columns: int) -> csr_array:
    """Each entry in the column that ``columns`` (nnz,) gives for it, without those of column -1.

    Columns keep the order they are given in: neither sorted nor added up.
    """
    kept = filter_entries(matrix, columns >= 0)
    moved = columns[columns >= 0].astype(np.int32, copy=False)
    return csr_array((kept.data, moved, kept.indptr), shape=(matrix.shape[0], n_columns))


def select_columns(matrix: csr_array, columns: ItemIndex) -> csr_array:
    """Only ``columns`` (ascending) of a CSR matrix, renumbered from 0."""
    if len(columns) == matrix.shape[1]:
        return matrix
    column_of = np.full(matrix.shape[1], -1, dtype=np.int32)
    column_of[columns] = np.arange(len(columns), dtype=np.int32)
    return move_entries(matrix, column_of[matrix.indices], len(columns))


def pack(kept: Bools, columns: Array, data: Array, n_columns: int) -> csr_array:
    """CSR of dense lists of entries: of row r, each data[r, j] at columns[r, j] where kept[r, j].

    All three (n_rows, width).
    """
    starts = index_pointers(np.count_nonzero(kept, axis=1))
    return csr_array((data[kept], columns[kept], starts), shape=(len(kept), n_columns))


def entries_by_column(matrix: csr_array) -> csc_array:
    """CSC of the same shape whose data are the indices of the entries in the CSR matrix."""
    return with_data(matrix, np.arange(matrix.nnz)).tocsc()
