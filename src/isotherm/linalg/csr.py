"""Rows, columns and entries of CSR matrices. Nothing here sorts, and nothing changes its argument."""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

from isotherm.types import Array, Bools, Int64


def row_blocks(matrix: csr_array, rows: int) -> Iterator[csr_array]:
    """A CSR matrix as blocks of at most ``rows`` rows, in order, without a copy."""
    for first in range(0, matrix.shape[0], rows):
        starts = matrix.indptr[first : first + rows + 1]
        entries = slice(starts[0], starts[-1])
        yield csr_array(
            (matrix.data[entries], matrix.indices[entries], starts - starts[0]),
            shape=(len(starts) - 1, matrix.shape[1]),
        )


def rows_of(matrix: csr_array) -> Int64:
    """Row of each stored entry, (nnz,)."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def binary(matrix: csr_array) -> csr_array:
    """A CSR matrix with the same stored entries, each 1 (float32)."""
    return csr_array((np.ones(matrix.nnz, np.float32), matrix.indices, matrix.indptr), shape=matrix.shape)


def filter_entries(matrix: csr_array, kept: Bools) -> csr_array:
    """A CSR matrix of the same shape with only the stored entries where ``kept`` (one flag each) is true."""
    starts = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr].astype(matrix.indptr.dtype)
    return csr_array((matrix.data[kept], matrix.indices[kept], starts), shape=matrix.shape)


def index_pointers(lengths: Array) -> Array:
    """``indptr`` of rows of these lengths: 32 bits where they are enough."""
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return starts.astype(np.int32) if starts[-1] < 2**31 else starts


def select_columns(user_items: csr_array, columns: Array) -> csr_array:
    """Only ``columns`` (ascending) of a CSR matrix, renumbered from 0."""
    if len(columns) == user_items.shape[1]:
        return user_items
    place = np.full(user_items.shape[1], -1, dtype=np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    kept = filter_entries(user_items, place[user_items.indices] >= 0)
    return csr_array((kept.data, place[kept.indices], kept.indptr), shape=(kept.shape[0], len(columns)))
