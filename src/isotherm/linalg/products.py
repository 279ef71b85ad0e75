"""Products of histories with dense weights: user_items · weights, the pass that scores users."""

import numpy as np

from isotherm.kernels import kernel
from isotherm.threads import run_bands, thread_count
from isotherm.types import Array, Float32, Int32, ItemIndex, UserItems

_TILE = 256  # columns: a tile of the weights stays in the shared cache while a block of users reads it


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
    tiles = -(-len(columns) // _TILE)
    n_users = user_items.shape[0]
    bands = 1 if n_users >= 64 else min(tiles, 4 * thread_count())  # few users: share out the columns
    edges = [tiles * b // bands * _TILE for b in range(bands)] + [len(columns)]
    arguments = (user_items.indptr, user_items.indices, user_items.data, row_of, weights, columns, out)
    if bands == 1:
        run_bands(_product_rows, n_users, 0, len(columns), *arguments, smallest=8)
        return
    run_bands(_product_columns, bands, np.array(edges), *arguments)


@kernel
def _product_rows(
    first: int,
    last: int,
    left: int,
    right: int,
    starts: Array,
    items: Array,
    values: Array,
    row_of: Array,
    weights: Array,
    columns: Array,
    out: Array,
) -> None:
    sums = np.empty(_TILE, np.float32)
    for start in range(left, right, _TILE):
        width = min(_TILE, right - start)
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
    for band in range(first, last):
        _product_rows(
            0, len(starts) - 1, edges[band], edges[band + 1],
            starts, items, values, row_of, weights, columns, out,
        )  # fmt: skip
