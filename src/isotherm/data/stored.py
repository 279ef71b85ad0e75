"""A click log as a folder of arrays that are read where they lie: training on more than memory holds.

indptr, indices and data of the CSR matrix as .npy, ids (and timestamps) as Parquet, each named by its
content, and a manifest that lists them.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl

from isotherm.data.id_files import read_ids, read_times
from isotherm.data.ids import IdMap
from isotherm.errors import InteractionsError, brief
from isotherm.files import streamed
from isotherm.folders import STORED_LOG, read_whole, saving
from isotherm.types import Array, UserItems
from isotherm.untrusted import (
    DamagedError,
    Each,
    Whole,
    check_csr,
    check_finite,
    check_range,
    csr,
    expect,
    read_json,
    same_names,
)
from isotherm.version import __version__

MANIFEST = STORED_LOG.manifest
FORMAT = 1
_PARTS = ("indptr", "indices", "data")
_FACTS = {
    "format": Whole(1),
    "isotherm": str,
    "shape": (Whole(1), Whole(1)),
    "files": Each(str),
    "untimed": str,
}
_LONGEST_REASON = 500
#: what NumPy raises for bytes that are no header of an array
_NO_HEADER = (ValueError, TypeError, EOFError, SyntaxError, RecursionError, MemoryError, OverflowError)


def is_stored(path: Any) -> bool:
    """Whether ``path`` is a folder that ``store`` wrote."""
    return isinstance(path, str | os.PathLike) and (Path(path) / MANIFEST).is_file()


@dataclass(frozen=True)
class StoredLog:
    """What a folder holds of a log."""

    users: IdMap
    items: IdMap
    matrix: UserItems
    timestamps: pl.Series | None = None
    untimed: str = ""  #: why there are no timestamps although there was a column of them


def store(path: str | os.PathLike[str], log: StoredLog) -> None:
    """Write a log to the folder ``path``, whole or not at all; an older log there is replaced.

    Raises InteractionsError where ``path`` is a file or a folder of anything else, OutputError where it
    cannot be written.
    """
    matrix = log.matrix
    index = np.int32 if matrix.nnz < 2**31 else np.int64  # one type for both, or opening would make a copy
    arrays = {
        "indptr": matrix.indptr.astype(index, copy=False),
        "indices": matrix.indices.astype(index, copy=False),
        "data": matrix.data.astype(np.float32, copy=False),
    }
    frames = {"users": log.users.values.to_frame("id"), "items": log.items.values.to_frame("id")}
    if log.timestamps is not None:
        frames["timestamps"] = log.timestamps.to_frame("timestamp")
    with saving(path, STORED_LOG) as folder:
        files = {role: folder.by_content(role, ".npy", _array(values)) for role, values in arrays.items()}
        for role, frame in frames.items():
            files[role] = folder.by_content(role, ".parquet", streamed(frame.write_parquet))
        facts = {"format": FORMAT, "isotherm": __version__, "shape": list(matrix.shape), "files": files}
        folder.commit(facts | ({"untimed": log.untimed} if log.untimed else {}))


def open_stored(path: str | os.PathLike[str]) -> StoredLog:
    """The log of a folder, its matrix memory-mapped.

    The arrays stay on disk, but each click is looked at once, as a wrong index would let whoever reads by it
    crash: about five seconds for a billion clicks, and the time to read them.
    Raises InteractionsError for a folder that is damaged or holds no stored log.
    """
    return read_whole(path, STORED_LOG, _opened)


def _opened(folder: Path) -> StoredLog:
    with _blamed(folder / MANIFEST):
        facts = expect({"untimed": ""} | expect(read_json(folder / MANIFEST), dict, "it"), _FACTS, "it")
        if facts["format"] != FORMAT:
            raise DamagedError(f"format {facts['format']}, where this isotherm reads {FORMAT}")
        files = {role: folder / _file_name(facts["files"], role) for role in facts["files"]}
        same_names(files, dict.fromkeys(set(STORED_LOG.roles) - {"timestamps"} | set(files)), "files")
    n_users, n_items = facts["shape"]
    for file in files.values():
        if not file.is_file():
            raise InteractionsError(f"{file}: this file of the stored log is missing; store it again")
    with _blamed(files["data"]):
        data = _mapped(files["data"], (np.float32,), None)
    with _blamed(files["indptr"]):
        indptr = _mapped(files["indptr"], (np.int32, np.int64), n_users + 1)
    with _blamed(files["indices"]):
        indices = _mapped(files["indices"], (indptr.dtype,), len(data))
    with _blamed(files["data"]):
        check_finite(data, "data")
        check_range(data, "data", least=0)
    with _blamed(files["indices"]):
        check_csr(data, indices, indptr, n_items, "clicks")
    with _blamed(files["users"]):
        users = read_ids(files["users"], n_users)
    with _blamed(files["items"]):
        items = read_ids(files["items"], n_items)
    times = None
    if "timestamps" in files:
        with _blamed(files["timestamps"]):
            times = read_times(files["timestamps"], len(data))
    untimed = " ".join(facts["untimed"].split())[:_LONGEST_REASON]
    return StoredLog(users, items, csr(data, indices, indptr, (n_users, n_items)), times, untimed)


@contextmanager
def _blamed(file: Path) -> Iterator[None]:
    """What is wrong with the content of a file, as an error that names it and the cure."""
    try:
        yield
    except OSError as cause:
        raise InteractionsError(f"{file}: cannot be read ({cause.strerror or cause}); mend that") from cause
    except DamagedError as cause:
        raise InteractionsError(f"{file}: is no whole stored log ({cause}); store it again") from cause


def _file_name(files: dict[str, str], role: str) -> str:
    """Name of the file of a role: made of the role and its content, so that it lies in the folder."""
    if not STORED_LOG.digests({"files": {role: files[role]}}):
        raise DamagedError(f"files.{brief(role)} is {brief(files[role])}, which is no such file")
    return files[role]


def _mapped(file: Path, dtypes: tuple[Any, ...], n: int | None) -> Array:
    """The one-dimensional array of a .npy file, left where it lies; n: its length, None for any."""
    size = file.stat().st_size
    with open(file, "rb") as stream:
        try:
            if np.lib.format.read_magic(stream) != (1, 0):
                raise DamagedError("it is no array")
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        except _NO_HEADER as cause:
            raise DamagedError("it is no array") from cause
        offset = stream.tell()
    length = shape[0] if len(shape) == 1 else -1
    if dtype not in dtypes or length < 0 or n not in (None, length):
        wanted = " or ".join(np.dtype(one).name for one in dtypes)
        raise DamagedError(f"{brief(shape)} of {brief(dtype.name)}, where {n or 'many'} {wanted} are needed")
    if size - offset != length * dtype.itemsize:
        raise DamagedError(f"{size:,} bytes, which is not the size of {length:,} numbers")
    if not length:
        return np.empty(0, dtype)
    return np.memmap(file, dtype, "r", offset, (length,))


def _array(values: Any) -> Callable[[Path], object]:
    """Writes an array as .npy through a plain stream: NumPy's own way of writing hides why it failed."""
    return streamed(lambda stream: np.lib.format.write_array(_Plain(stream), values, allow_pickle=False))


class _Plain:
    """A stream that NumPy does not take for a file of the system."""

    def __init__(self, stream: BinaryIO) -> None:
        self.write = stream.write
