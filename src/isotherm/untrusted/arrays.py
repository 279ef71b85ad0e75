"""What the numbers of an array, or of a CSR matrix, must be."""

import numpy as np
from scipy.sparse import csr_array

from isotherm.types import Array
from isotherm.untrusted.schemas import DamagedError

_BLOCK = 1 << 22  # entries that are looked at together


def check_finite(array: Array, name: str, missing: bool = False) -> None:
    """That no number is NaN (unless it may be ``missing``) or infinite; one look where all are fine."""
    if array.dtype.kind != "f" or not array.size:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):  # a sum of finite numbers may still be too large
            return
    rows = max(_BLOCK // max(array[:1].size, 1), 1)
    for first in range(0, len(array), rows):
        block = array[first : first + rows]
        if not (np.isfinite(block) | np.isnan(block) if missing else np.isfinite(block)).all():
            raise DamagedError(f"{name} holds a number that is not finite")


def check_range(array: Array, name: str, least: float | None = None, most: float | None = None) -> None:
    """That all numbers lie from ``least`` to ``most``; NaN lies nowhere."""
    if array.size and least is not None and not array.min() >= least:
        raise DamagedError(f"{name} holds {array.min()}, which is below {least:g}")
    if array.size and most is not None and not array.max() <= most:
        raise DamagedError(f"{name} holds {array.max()}, which is above {most:g}")


def check_ascending(array: Array, name: str) -> None:
    """That each number is above the one before it."""
    if not (array[1:] > array[:-1]).all():
        raise DamagedError(f"{name} is not ascending")


def check_csr(data: Array, indices: Array, indptr: Array, n_columns: int, name: str) -> None:
    """That three arrays are a CSR matrix: rows one after the other, columns in range, ascending in a row.

    A block at a time, so that memory-mapped arrays stay on disk. The numbers themselves are not looked at.
    """
    n = len(indices)
    if len(data) != n or not len(indptr) or indptr[0] != 0 or indptr[-1] != n:
        raise DamagedError(f"{name}: indptr does not go from 0 to the number of entries")
    for first in range(0, len(indptr), _BLOCK):
        starts = indptr[first : first + _BLOCK + 1]
        if (starts[1:] < starts[:-1]).any():
            raise DamagedError(f"{name}: indptr goes down")
    for first in range(0, n, _BLOCK):
        columns = indices[first : first + _BLOCK + 1]
        if columns.min() < 0 or columns.max() >= n_columns:
            wrong = columns.min() if columns.min() < 0 else columns.max()
            raise DamagedError(f"{name}: an index of {wrong} where there are {n_columns:,} columns")
        ascends = columns[1:] > columns[:-1]
        left, right = np.searchsorted(indptr, [first + 1, first + len(columns)])
        ascends[indptr[left:right] - first - 1] = True  # where a row begins
        if not ascends.all():
            raise DamagedError(f"{name}: the indices of a row do not ascend")


def csr(data: Array, indices: Array, indptr: Array, shape: tuple[int, int]) -> csr_array:
    """A checked CSR matrix on these arrays."""
    return csr_array((data, indices, indptr), shape=shape, copy=False)
