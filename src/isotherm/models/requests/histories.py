"""Click histories as a model reads them: a checked CSR block over its catalogue."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from isotherm.errors import InteractionsError
from isotherm.linalg.csr import with_data
from isotherm.types import Array, Float32, UserItems


def checked_block(block: Any, n_items: int) -> UserItems:
    """A block of histories as every model may read it: (n_users, n_items) CSR float32 in canonical form.

    Other sparse formats are turned into CSR, columns are sorted, duplicates added up and stored zeros left
    out, in a copy; a block that needs none of it is passed on as it is. A few looks at each click.
    Raises InteractionsError for what is no sparse matrix, another width, a column outside the catalogue, and
    a weight that is negative or not a finite number.
    """
    block = _as_sparse(block)
    if block.shape[1] != n_items:
        raise InteractionsError(
            f"the block of histories has {block.shape[1]} columns, and the model knows {n_items} items: "
            "give one column per item, in the order of model.items_"
        )
    if block.format == "coo":
        _check_coordinates(block)
    else:
        _check_layout(block)
    data = _weights(block.data)
    if block.format != "csr":
        block = block.astype(np.float32).tocsr()  # COO adds up duplicates here
        data = block.data
    if not _ascends(block) or (len(data) and not data.min() > 0):
        block = csr_array(with_data(block, data), copy=True)
        block.sum_duplicates()
        block.eliminate_zeros()
        data = block.data
    data = _weights(data)  # what was added up may be too large
    if isinstance(block, csr_array) and data is block.data and block.indices.dtype == np.int32:
        return block
    return with_data(block, data)


def _as_sparse(block: Any) -> Any:
    """A sparse matrix that is CSR, CSC or COO."""
    if not issparse(block):
        kind = type(block).__name__
        cure = "its .matrix" if kind == "Interactions" else "scipy.sparse.csr_array(x)"
        raise InteractionsError(f"a block of histories is a scipy.sparse matrix, not {kind}: give {cure}")
    if block.ndim != 2:
        raise InteractionsError(
            f"a block of histories is (n_users, n_items), not {block.ndim}-dimensional: "
            "give one user as x.reshape(1, -1)"
        )
    return block if block.format in ("csr", "csc", "coo") else block.tocoo()


def _weights(data: Array) -> Float32:
    """Weights as float32, finite and not negative after the cast."""
    if data.dtype.kind not in "buif":
        raise InteractionsError(f"the block of histories holds {data.dtype}; weights of clicks are numbers")
    if data.dtype != np.float32:
        with np.errstate(over="ignore"):
            data = data.astype(np.float32)
    if len(data) and not (data.min() >= 0 and data.max() < np.inf):  # a NaN is neither
        bad = data[~((data >= 0) & (data < np.inf))][0]
        raise InteractionsError(
            f"the block of histories holds {bad}; weights of clicks are finite float32 numbers, not negative"
        )
    return data


def _check_coordinates(block: Any) -> None:
    """That a COO matrix has a row and a column inside it for each entry."""
    for name, indices, size in zip(("row", "column"), block.coords, block.shape, strict=True):
        if len(indices) != len(block.data):
            raise InteractionsError(
                f"the block of histories is broken: {len(indices)} {name}s of {len(block.data)}"
            )
        _check_range(name, indices, size)


def _check_layout(block: Any) -> None:
    """That starts and indices of CSR or CSC stay inside the matrix: kernels read memory by them."""
    starts, indices = block.indptr, block.indices
    by_row = block.format == "csr"
    whole = (
        len(starts) == block.shape[0 if by_row else 1] + 1
        and starts[0] == 0
        and starts[-1] == len(indices) == len(block.data)
        and (starts[1:] >= starts[:-1]).all()
    )
    if not whole:
        raise InteractionsError(
            "the block of histories is broken: indptr must rise from 0 to the number of clicks"
        )
    _check_range("column" if by_row else "row", indices, block.shape[1 if by_row else 0])


def _check_range(name: str, indices: Array, size: int) -> None:
    if len(indices) and not 0 <= indices.min() <= indices.max() < size:
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise InteractionsError(f"the block of histories holds {name} {wrong}; {name}s are 0 to {size - 1}")


def _ascends(block: Any) -> bool:
    """Whether columns ascend within each row, none twice; the flags that SciPy keeps may be stale."""
    falls = block.indices[1:] <= block.indices[:-1]
    edges = block.indptr[1:-1]
    falls[edges[(edges > 0) & (edges < len(block.indices))] - 1] = False
    return not falls.any()
