"""Arrays in safetensors files that may be damaged: headers are checked before memory is taken for them."""

import hashlib
import math
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isotherm.errors import brief
from isotherm.types import Array
from isotherm.untrusted.json_files import MOST_JSON, parse_json
from isotherm.untrusted.schemas import Choice, DamagedError, Whole, expect

_DTYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "U8": np.uint8}
_LARGEST = 8  # bytes of a number
_SIZES = {"F64": 8, "F32": 4, "I64": 8, "I32": 4, "U8": 1, "BF16": 2}  # bytes per number


@dataclass(frozen=True)
class Header:
    """What a file says of one of its arrays: dtype ("F32", …), shape, and where its bytes lie."""

    dtype: str
    shape: tuple[int, ...]
    begin: int = 0

    @classmethod
    def of(cls, array: Array) -> "Header":
        """Of an array in memory."""
        names = [name for name, dtype in _DTYPES.items() if array.dtype == dtype]
        return cls(names[0] if names else str(array.dtype), array.shape)


class ArraysFile:
    """A safetensors file whose headers are read and checked before any array is.

    headers: name -> Header. They cover the file without a gap, so that reading allocates the size of the file
    and not what it claims.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        size = file.stat().st_size
        with open(file, "rb") as stream:
            self._head = stream.read(8)
            length = int.from_bytes(self._head, "little")
            if size < 8 or length > min(size - 8, MOST_JSON):
                raise DamagedError("its header is longer than the file")
            self._head += stream.read(length)
        self.headers = _headers(self._head[8:], size - 8 - length)
        self._n_bytes = size - 8 - length

    def read(self) -> tuple[dict[str, Array], str]:
        """The arrays, all in one piece of memory, and the SHA-256 of the file, from one look at it."""
        content = np.empty(self._n_bytes, dtype=np.uint8)
        with open(self._file, "rb") as stream:
            again = stream.read(len(self._head))
            if again != self._head or stream.readinto(content.data) != self._n_bytes:
                raise DamagedError("it was changed while it was read")
        digest = hashlib.sha256(self._head)
        digest.update(content.data)
        return self._arrays(content, 0), digest.hexdigest()

    def mapped(self, with_digest: bool) -> tuple[dict[str, Array], str | None]:
        """The arrays, those of float32 and float64 on the pages of the file, the others as copies.

        Whole numbers are copied since kernels read memory by them: what was looked at must stay. Writing to a
        mapped array changes this process' copy of its pages and never the file.
        with_digest: whether the SHA-256 of the file comes, too, for which all of it is read.
        """
        first = len(self._head)
        if first % _LARGEST:
            raise DamagedError("its arrays do not lie at multiples of 8 bytes, as mapping needs it")
        with open(self._file, "rb") as stream:
            if os.fstat(stream.fileno()).st_size != first + self._n_bytes:
                raise DamagedError("it was changed while it was read")
            pages = mmap.mmap(stream.fileno(), first + self._n_bytes, access=mmap.ACCESS_COPY)
        if pages[:first] != self._head:
            raise DamagedError("it was changed while it was read")
        arrays = self._arrays(pages, first)
        stay = {name: array if array.dtype.kind == "f" else array.copy() for name, array in arrays.items()}
        return stay, hashlib.sha256(pages).hexdigest() if with_digest else None

    def _arrays(self, content: Any, first: int) -> dict[str, Array]:
        """The arrays in a buffer, in which the first of them begins at byte ``first``."""
        arrays = {}
        for name, header in self.headers.items():
            dtype = np.dtype(_DTYPES[header.dtype])
            count = math.prod(header.shape)
            numbers = np.frombuffer(content, dtype, count, first + header.begin if count else 0)
            arrays[name] = numbers.reshape(header.shape)
        return arrays


def _headers(content: bytes, n_bytes: int) -> dict[str, Header]:
    document = expect(parse_json(content), dict, "its header")
    document.pop("__metadata__", None)
    schema = {"dtype": Choice(tuple(_SIZES)), "shape": [Whole()], "data_offsets": (Whole(), Whole())}
    headers, ranges = {}, []
    for name, described in document.items():
        entry = expect(described, schema, f"array {brief(name)}")
        (begin, end), width = entry["data_offsets"], _SIZES[entry["dtype"]]
        if end - begin != math.prod(entry["shape"]) * width or begin % width:
            raise DamagedError(f"array {brief(name)} of shape {brief(entry['shape'])} does not fit its bytes")
        headers[name] = Header(entry["dtype"], tuple(entry["shape"]), begin)
        ranges.append((begin, end))
    ranges.sort()
    ends = [0, *(end for _, end in ranges)]
    if [begin for begin, _ in ranges] != ends[:-1] or ends[-1] != n_bytes:
        raise DamagedError("its arrays do not fill the file; it was cut off or holds something else")
    return headers
