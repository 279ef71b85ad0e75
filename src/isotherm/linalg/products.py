"""The passes that score users: histories times dense or sparse weights, vectors of users times an item table.

What a user gets never depends on who is asked for beside him, to the last bit: BLAS rounds by the shape of
the whole product, these kernels take each user in one order of additions.
"""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel, reordering_kernel
from isotherm.threads import run_bands, thread_count
from isotherm.types import Array, Float32, Int32, ItemIndex, UserItems

_MANY = 64  # users, who are shared out among threads
_TILE = 256  # columns: a tile of the weights stays in the shared cache while many users read it
_WIDE_TILE = 1 << 15  # columns for few users: long reads, which the processor fetches ahead
_BAND_BYTES = 1 << 23  # read by one thread at least: to hand work over costs as much as reading a part of it
_TABLE_TILE = 64  # rows of a table that stay in the cache while users read them
_SHARED_TILES = 16  # of a table, from which each thread gets some of them


def products(user_items: UserItems, weights: Float32) -> Float32:
    """user_items · weights, (n_users, n_columns) float32.

    user_items: (n_users, n_rows) CSR.  weights: (n_rows, n_columns) float32.
    """
    n_rows, n_columns = weights.shape
    out = np.zeros((user_items.shape[0], n_columns), dtype=np.float32)
    row_of = np.arange(n_rows, dtype=np.int32)
    fill_products(user_items, row_of, np.ascontiguousarray(weights), np.arange(n_columns), out)
    return out


def fill_products(
    user_items: UserItems,
    row_of: Int32,
    weights: Float32,
    columns: ItemIndex,
    out: Float32,
) -> None:
    """out[:, columns] = user_items · weights, where the weights' row of item i is row_of[i] (-1: none).

    Bandwidth is the floor: each click reads one row of the weights, a tile of columns at a time.
    """
    n_users = user_items.shape[0]
    arguments = (user_items.indptr, user_items.indices, user_items.data, row_of, weights, columns, out)
    if n_users >= _MANY:
        run_bands(_product_rows, n_users, *arguments, smallest=8)
        return
    n_bands = _worth_threads(4 * len(user_items.indices) * len(columns), len(columns))
    edges = np.arange(n_bands + 1) * len(columns) // n_bands  # few users: share out the columns
    run_bands(_product_columns, n_bands, edges, *arguments)


def sparse_products(user_items: UserItems, weights: csr_array) -> Float32:
    """user_items · weights of sparse weights, (n_users, n_columns) float32, dense.

    user_items: (n_users, n_rows) CSR.  weights: (n_rows, n_columns) CSR, float32.

    >>> from scipy.sparse import csr_array
    >>> from isotherm.linalg.products import sparse_products
    >>> sparse_products(csr_array([[1.0, 2.0]]), csr_array([[0, 3], [4, 5]], dtype="float32"))
    array([[ 8., 13.]], dtype=float32)
    """
    out = np.zeros((user_items.shape[0], weights.shape[1]), dtype=np.float32)
    clicks = (user_items.indptr, user_items.indices, user_items.data.astype(np.float32, copy=False))
    run_bands(_sparse_rows, len(out), *clicks, weights.indptr, weights.indices, weights.data, out, smallest=8)
    return out


def table_products(rows: Float32, table: Float32) -> Float32:
    """rows · tableᵀ, (n_rows, n_items) float32.

    rows: (n_rows, width) float32, such as factors of users.  table: (n_items, width) float32.

    >>> import numpy as np
    >>> from isotherm.linalg.products import table_products
    >>> table_products(np.float32([[1, 2]]), np.float32([[3, 4], [5, 6], [0, 1]]))
    array([[11., 17.,  2.]], dtype=float32)
    """
    out = np.empty((len(rows), len(table)), dtype=np.float32)
    fill_table_products(rows, table, np.arange(len(table)), out)
    return out


def fill_table_products(rows: Float32, table: Float32, columns: ItemIndex, out: Float32) -> None:
    """out[:, columns] = rows · tableᵀ, without an array between.

    rows, table: as for ``table_products``.  columns: (n_items,) of ``out``, which has a row for each row.
    """
    arguments = np.ascontiguousarray(rows), np.ascontiguousarray(table), columns, out
    tiles = -(-len(table) // _TABLE_TILE)
    if tiles < _SHARED_TILES and len(rows) >= _MANY:  # a small table: share out the rows
        run_bands(_table_rows, len(rows), *arguments, smallest=_MANY)
        return
    smallest = max(tiles // _worth_threads(table.nbytes * -(-len(rows) // 8), tiles), 1)
    run_bands(_table_tiles, tiles, *arguments, smallest=smallest)


def _worth_threads(n_bytes: int, most: int) -> int:
    """How many threads a pass over so many bytes is worth, at least 1."""
    return max(min(thread_count(), most, n_bytes // _BAND_BYTES), 1)


@kernel
def _product_rows(
    first: int,
    last: int,
    starts: Array,
    items: Array,
    values: Array,
    row_of: Array,
    weights: Array,
    columns: Array,
    out: Array,
) -> None:
    sums = np.empty(_TILE, np.float32)
    for start in range(0, len(columns), _TILE):
        width = min(_TILE, len(columns) - start)
        for u in range(first, last):
            total = sums[:width]
            total[:] = 0
            for p in range(starts[u], starts[u + 1]):
                r = row_of[items[p]]
                if r >= 0:
                    value, row = values[p], weights[r, start : start + width]
                    for c in range(width):
                        total[c] += value * row[c]
            for c in range(width):
                out[u, columns[start + c]] = total[c]


@kernel
def _sparse_rows(
    first: int,
    last: int,
    starts: Array,
    items: Array,
    values: Array,
    row_starts: Array,
    columns: Array,
    weights: Array,
    out: Array,
) -> None:
    for u in range(first, last):
        total = out[u]
        for p in range(starts[u], starts[u + 1]):
            value = values[p]
            for q in range(row_starts[items[p]], row_starts[items[p] + 1]):
                total[columns[q]] += value * weights[q]


@kernel
def _product_columns(
    first: int,
    last: int,
    edges: Array,
    starts: Array,
    items: Array,
    values: Array,
    row_of: Array,
    weights: Array,
    columns: Array,
    out: Array,
) -> None:
    """The sums of ``_product_rows``, each in the same order, between two of the edges for each band."""
    sums, known = np.empty(_WIDE_TILE, np.float32), np.empty(len(items), np.int64)
    for start in range(edges[first], edges[last], _WIDE_TILE):
        width = min(_WIDE_TILE, edges[last] - start)
        total = sums[:width]
        for u in range(len(starts) - 1):
            n = _keep_known(starts[u], starts[u + 1], items, row_of, known)
            total[:] = 0
            p: Any = np.int64(0)
            while p + 4 <= n:
                _add_four(known[p : p + 4], items, values, row_of, weights, start, total)
                p += 4
            while p < n:
                value, row = values[known[p]], weights[row_of[items[known[p]]], start : start + width]
                for c in range(width):
                    total[c] += value * row[c]
                p += 1
            for c in range(width):
                out[u, columns[start + c]] = total[c]


@kernel
def _keep_known(first: int, last: int, items: Array, row_of: Array, known: Array) -> Any:
    """Put the entries first … last - 1 of items that have a row into ``known``; return how many they are."""
    n: Any = np.int64(0)
    for p in range(first, last):
        if row_of[items[p]] >= 0:
            known[n] = p
            n += 1
    return n


@kernel
def _add_four(
    entries: Array, items: Array, values: Array, row_of: Array, weights: Array, start: int, total: Array
) -> None:
    """Four rows, added one after the other: memory answers slowly, so that four are read at a time."""
    width, (p, q, r, s) = len(total), (entries[0], entries[1], entries[2], entries[3])
    a, b, c, d = values[p], values[q], values[r], values[s]
    one = weights[row_of[items[p]], start : start + width]
    two = weights[row_of[items[q]], start : start + width]
    three = weights[row_of[items[r]], start : start + width]
    four = weights[row_of[items[s]], start : start + width]
    for i in range(width):
        total[i] = (((total[i] + a * one[i]) + b * two[i]) + c * three[i]) + d * four[i]


@kernel
def _table_rows(first: int, last: int, rows: Array, table: Array, columns: Array, out: Array) -> None:
    _table_tiles(0, -(-len(table) // _TABLE_TILE), rows[first:last], table, columns, out[first:last])


@kernel
def _table_tiles(first: int, last: int, rows: Array, table: Array, columns: Array, out: Array) -> None:
    """Tiles of items for two users at a time, an odd last one beside himself: one loop computes all users."""
    n = len(rows)
    for tile in range(first, last):
        inside = slice(tile * _TABLE_TILE, min((tile + 1) * _TABLE_TILE, len(table)))
        for u in range(0, n, 2):
            v = min(u + 1, n - 1)
            _fill_two(rows[u], rows[v], table[inside], columns[inside], out[u], out[v])


@reordering_kernel
def _fill_two(one: Array, two: Array, table: Array, columns: Array, first: Array, second: Array) -> None:
    """Eight dot products at a time, with four items: which four depends on the table alone."""
    i: Any = np.int64(0)
    while i + 4 <= len(table):
        q0, q1, q2, q3 = table[i], table[i + 1], table[i + 2], table[i + 3]
        a0, a1, a2, a3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        b0, b1, b2, b3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for j in range(len(one)):
            a0 += one[j] * q0[j]
            a1 += one[j] * q1[j]
            a2 += one[j] * q2[j]
            a3 += one[j] * q3[j]
            b0 += two[j] * q0[j]
            b1 += two[j] * q1[j]
            b2 += two[j] * q2[j]
            b3 += two[j] * q3[j]
        c0, c1, c2, c3 = columns[i], columns[i + 1], columns[i + 2], columns[i + 3]
        first[c0], first[c1], first[c2], first[c3] = a0, a1, a2, a3
        second[c0], second[c1], second[c2], second[c3] = b0, b1, b2, b3
        i += 4
    while i < len(table):
        only, a, b = table[i], np.float32(0), np.float32(0)
        for j in range(len(one)):
            a += one[j] * only[j]
            b += two[j] * only[j]
        first[columns[i]], second[columns[i]] = a, b
        i += 1
