"""A click log as a folder of arrays that are read where they lie: training on more than memory holds.

indptr, indices and data of the CSR matrix as .npy, ids (and timestamps) as Parquet, each named by its
content, and a manifest that lists them.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data.ids import IdMap
from isotherm.errors import InteractionsError
from isotherm.files import streamed
from isotherm.folders import STORED_LOG, saving
from isotherm.version import __version__

MANIFEST = STORED_LOG.manifest
FORMAT = 1
_PARTS = ("indptr", "indices", "data")


def is_stored(path: Any) -> bool:
    """Whether ``path`` is a folder that ``store`` wrote."""
    return isinstance(path, str | os.PathLike) and (Path(path) / MANIFEST).is_file()


def store(
    path: str | os.PathLike[str], users: IdMap, items: IdMap, matrix: csr_array, times: pl.Series | None
) -> None:
    """Write a log to the folder ``path``, whole or not at all; an older log there is replaced.

    Raises InteractionsError where ``path`` is a file or a folder of anything else, OutputError where it
    cannot be written.
    """
    index = np.int32 if matrix.nnz < 2**31 else np.int64  # one type for both, or opening would make a copy
    arrays = {
        "indptr": matrix.indptr.astype(index, copy=False),
        "indices": matrix.indices.astype(index, copy=False),
        "data": matrix.data,
    }
    frames = {"users": users.values.to_frame("id"), "items": items.values.to_frame("id")}
    if times is not None:
        frames["timestamps"] = times.to_frame("timestamp")
    with saving(path, STORED_LOG) as folder:
        files = {role: folder.by_content(role, ".npy", _array(values)) for role, values in arrays.items()}
        for role, frame in frames.items():
            files[role] = folder.by_content(role, ".parquet", streamed(frame.write_parquet))
        folder.commit(
            {"format": FORMAT, "isotherm": __version__, "shape": list(matrix.shape), "files": files}
        )


def opened(path: str | os.PathLike[str]) -> tuple[IdMap, IdMap, csr_array, pl.Series | None]:
    """Users, items, the memory-mapped matrix, timestamps. Raises InteractionsError for a damaged folder."""
    folder = Path(path)
    try:
        facts = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = {role: folder / name for role, name in facts["files"].items()}
        indptr, indices, data = (np.load(files[part], mmap_mode="r") for part in _PARTS)
        matrix = csr_array((data, indices, indptr), shape=tuple(facts["shape"]), copy=False)
        users, items = (IdMap(pl.read_parquet(files[name])["id"]) for name in ("users", "items"))
        times = pl.read_parquet(files["timestamps"])["timestamp"] if "timestamps" in files else None
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as cause:
        raise InteractionsError(f"{folder}: is no whole stored log ({cause}); store it again") from cause
    if matrix.shape != (len(users), len(items)) or matrix.indptr[-1] != len(data):
        raise InteractionsError(f"{folder}: the arrays of the stored click log do not fit; store it again")
    return users, items, matrix, times


def _array(values: Any) -> Callable[[Path], object]:
    """Writes an array as .npy through a plain stream: NumPy's own way of writing hides why it failed."""
    return streamed(lambda stream: np.lib.format.write_array(_Plain(stream), values, allow_pickle=False))


class _Plain:
    """A stream that NumPy does not take for a file of the system."""

    def __init__(self, stream: BinaryIO) -> None:
        self.write = stream.write
