"""A click log as a folder of arrays that are read where they lie: training on more than memory holds.

indptr, indices and data of the CSR matrix as .npy, ids (and timestamps) as Parquet, a manifest written last.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data.ids import IdMap
from isotherm.errors import InteractionsError
from isotherm.files import write_atomically

MANIFEST = "clicks.json"
_PARTS = ("indptr", "indices", "data")


def is_stored(path: Any) -> bool:
    """Whether ``path`` is a folder that ``store`` wrote."""
    return isinstance(path, str | os.PathLike) and (Path(path) / MANIFEST).is_file()


def store(
    path: str | os.PathLike[str], users: IdMap, items: IdMap, matrix: csr_array, times: pl.Series | None
) -> None:
    """Write a log to the folder ``path``; the manifest comes last, so a half-written folder is none."""
    folder = Path(path)
    (folder / MANIFEST).unlink(missing_ok=True)
    index = np.int32 if matrix.nnz < 2**31 else np.int64  # one type for both, or opening would make a copy
    for part, values in zip(_PARTS, (matrix.indptr, matrix.indices, matrix.data), strict=True):
        _array(folder / f"{part}.npy", values if part == "data" else values.astype(index, copy=False))
    for name, ids in (("users", users), ("items", items)):
        _frame(folder / f"{name}.parquet", ids.values.to_frame("id"))
    if times is not None:
        _frame(folder / "timestamps.parquet", times.to_frame("timestamp"))
    facts = {"shape": list(matrix.shape), "timestamps": times is not None}
    write_atomically(folder / MANIFEST, lambda file: file.write_text(json.dumps(facts), encoding="utf-8"))


def opened(path: str | os.PathLike[str]) -> tuple[IdMap, IdMap, csr_array, pl.Series | None]:
    """Users, items, the memory-mapped matrix, timestamps. Raises InteractionsError for a damaged folder."""
    folder = Path(path)
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        indptr, indices, data = (np.load(folder / f"{part}.npy", mmap_mode="r") for part in _PARTS)
        matrix = csr_array((data, indices, indptr), shape=tuple(facts["shape"]), copy=False)
        users, items = (
            IdMap(pl.read_parquet(folder / f"{name}.parquet")["id"]) for name in ("users", "items")
        )
        times = pl.read_parquet(folder / "timestamps.parquet")["timestamp"] if facts["timestamps"] else None
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as cause:
        raise InteractionsError(f"{folder}: is no whole stored log ({cause}); store it again") from cause
    if matrix.shape != (len(users), len(items)) or matrix.indptr[-1] != len(data):
        raise InteractionsError(f"{folder}: the arrays of the stored click log do not fit; store it again")
    return users, items, matrix, times


def _array(file: Path, values: Any) -> None:
    def write(target: Path) -> None:
        with open(target, "wb") as stream:
            np.save(stream, values)

    write_atomically(file, write)


def _frame(file: Path, frame: pl.DataFrame) -> None:
    write_atomically(file, frame.write_parquet)
