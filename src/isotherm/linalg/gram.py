"""The item Gram matrix C = XᵀX, a pass over user blocks.

It takes n_u² / 2 multiply-adds for a user of n_u clicks, as the matrix is symmetric. Each thread has
a band of output rows, so that a row stays in the first-level cache while the users of its item add to it.
"""

from collections.abc import Iterable
from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from isotherm.kernels import kernel
from isotherm.linalg.accelerator import Accelerator, gram_accelerator
from isotherm.linalg.csr import entries_by_column
from isotherm.progress import stage
from isotherm.threads import run_bands
from isotherm.types import Array


def gram(blocks: Iterable[csr_array], n_items: int, dtype: Any = np.float32, n_blocks: int = 1) -> Array:
    """Sum of BᵀB over ``blocks`` (users × items CSR, indices sorted).  n_blocks: their number.

    Returns (n_items, n_items), symmetric, C order. Counts are exact in float32 up to 16.7 million users.
    """
    remaining = iter(blocks)
    first = next(remaining, None)
    if first is not None and (found := gram_accelerator(first, dtype)) is not None:
        return _gram_on(found, chain([first], remaining), n_items, dtype)
    total = np.zeros((n_items, n_items), dtype=dtype)
    with stage("add up the Gram matrix", n_items, "rows") as advance:
        for block in chain(() if first is None else (first,), remaining):
            # where each click stands in the CSR, item by item: behind it lie the columns past the diagonal
            entries = entries_by_column(block)
            run_bands(
                _add_upper_rows, n_items,
                entries.indptr, entries.indices, entries.data, block.indptr, block.indices, block.data, total,
                smallest=16, advance=lambda rows: advance(rows / n_blocks),
            )  # fmt: skip
    mirror_upper(total)
    return total


def _gram_on(found: Accelerator, blocks: Iterable[csr_array], n_items: int, dtype: Any) -> Array:
    total = found.zeros(n_items, dtype)
    with stage(f"add up the Gram matrix on {found.device}"):
        for block in blocks:
            found.add_gram(block, total)
    return found.bring(total)


def mirror_upper(matrix: Array) -> None:
    """Copy the upper triangle of a square matrix onto its lower one, in place."""
    run_bands(_mirror, len(matrix), matrix, smallest=64)


def mirror_lower(matrix: Array) -> None:
    """The same the other way."""
    mirror_upper(matrix.T)


@kernel
def _add_upper_rows(
    first: int,
    last: int,
    item_starts: Array,
    item_users: Array,
    item_entries: Array,
    starts: Array,
    items: Array,
    weights: Array,
    total: Array,
) -> None:
    for i in range(first, last):
        row = total[i]
        for c in range(item_starts[i], item_starts[i + 1]):
            entry = item_entries[c]
            weight = weights[entry]
            for p in range(entry, starts[item_users[c] + 1]):
                row[items[p]] += weight * weights[p]


@kernel
def _mirror(first: int, last: int, matrix: Array) -> None:
    tile = 64
    for i0 in range(first, last, tile):
        i1 = min(i0 + tile, last)
        for j0 in range(0, i1, tile):
            for i in range(i0, i1):
                for j in range(j0, min(j0 + tile, i)):
                    matrix[i, j] = matrix[j, i]
