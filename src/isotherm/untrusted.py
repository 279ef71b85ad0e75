"""Reads what may be damaged, or made to harm: JSON, safetensors, CSR arrays, each checked before use.

Everything here raises DamagedError with a short reason; the caller names the file and the cure.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import csr_array

from isotherm.errors import brief
from isotherm.types import Array

MOST_JSON = 64 * 2**20  #: bytes of a JSON file that is read
_MOST_DIGITS = 300  # of a whole number: more than float64 can hold
_BLOCK = 1 << 22  # entries that are looked at together
_DTYPES = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "U8": np.uint8}
_SIZES = {"F64": 8, "F32": 4, "I64": 8, "I32": 4, "U8": 1, "BF16": 2}  # bytes a number


class DamagedError(ValueError):
    """Content that is not what it must be: the reason, a few words whatever the content is."""


# JSON


def read_json(file: Path) -> Any:
    """Plain JSON: UTF-8, finite numbers, no name twice, at most 64 MiB. OSError where it cannot be read."""
    size = file.stat().st_size
    if size > MOST_JSON:
        raise DamagedError(f"{size:,} bytes; at most {MOST_JSON:,} are read")
    return parse_json(file.read_bytes())


def parse_json(content: bytes) -> Any:
    """The same from the bytes themselves."""
    try:
        found = json.loads(
            content.decode("utf-8"),
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_duplicates,
        )
        if b"\\ud" in content.lower():  # half of a surrogate pair is no text
            json.dumps(found, ensure_ascii=False).encode("utf-8")
    except RecursionError as cause:
        raise DamagedError("it is nested too deeply") from cause
    except UnicodeError as cause:
        raise DamagedError("it is no UTF-8 text") from cause
    except json.JSONDecodeError as cause:
        raise DamagedError(f"no JSON: {cause}") from cause
    return found


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise DamagedError(f"a number of {len(text):,} digits")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise DamagedError(f"{brief(text)} is not a finite number")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise DamagedError(f"{text} is not a finite number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise DamagedError(f"{brief(next(n for n in names if names.count(n) > 1))} is there twice")
    return found


@dataclass(frozen=True)
class Number:
    """Schema of a finite number >= ``least``, or above ``above``, and <= ``most``."""

    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf


@dataclass(frozen=True)
class Whole:
    """Schema of a whole number from ``least`` to ``most``."""

    least: int = 0
    most: int = 2**63 - 1


@dataclass(frozen=True)
class Choice:
    """Schema of one of some values."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Distinct:
    """Schema of a list of texts, none twice."""


@dataclass(frozen=True)
class Digest:
    """Schema of a SHA-256 in hexadecimal."""


@dataclass(frozen=True)
class Each:
    """Schema of an object with any names, whose values are all of one schema."""

    schema: Any


@dataclass(frozen=True)
class Or:
    """Schema of null, or of what ``schema`` says."""

    schema: Any


def numbers(record: type[Any], schema: Number) -> dict[str, Number]:
    """Schema of a dataclass whose fields are all numbers."""
    return dict.fromkeys((each.name for each in fields(record)), schema)


def expect(value: Any, schema: Any, name: str) -> Any:
    """``value`` as the schema has it, or DamagedError that begins with its dotted ``name``.

    A schema is str, bool, dict (any object), Number, Whole, Choice, Or, Each, a list of one schema (any
    length), a tuple of schemas (a list of that length), or an object of schemas (exactly these names).
    """
    match schema:
        case type():
            if type(value) is not schema:
                _refuse(value, schema.__name__, name)
        case Whole():
            if type(value) is not int or not schema.least <= value <= schema.most:
                _refuse(value, f"a whole number from {schema.least} to {schema.most}", name)
        case Number():
            if type(value) not in (int, float) or not schema.least <= value <= schema.most:
                _refuse(value, f"a number from {schema.least:g} to {schema.most:g}", name)
            if not value > schema.above:
                _refuse(value, f"a number above {schema.above:g}", name)
            return float(value)
        case Choice():
            if not any(type(value) is type(one) and value == one for one in schema.values):
                _refuse(value, f"one of {', '.join(map(repr, schema.values))}", name)
        case Distinct():
            expect(value, [str], name)
            if len(set(value)) < len(value):
                raise DamagedError(f"{name[:80]} holds a text twice")
        case Digest():
            if type(value) is not str or not re.fullmatch("[0-9a-f]{64}", value):
                _refuse(value, "a SHA-256 in hexadecimal", name)
        case Or():
            return None if value is None else expect(value, schema.schema, name)
        case Each():
            expect(value, dict, name)
            return {key: expect(inner, schema.schema, f"{name}.{brief(key)}") for key, inner in value.items()}
        case [inner] if isinstance(schema, list):
            expect(value, list, name)
            return [expect(one, inner, f"{name}[{place}]") for place, one in enumerate(value)]
        case tuple():
            expect(value, list, name)
            if len(value) != len(schema):
                _refuse(value, f"a list of {len(schema)}", name)
            return [expect(v, s, f"{name}[{i}]") for i, (v, s) in enumerate(zip(value, schema, strict=True))]
        case dict():
            expect(value, dict, name)
            same_names(value, schema, name)
            return {key: expect(value[key], inner, f"{name}.{key}") for key, inner in schema.items()}
        case _:
            raise TypeError(f"no schema: {schema!r}")
    return value


def same_names(found: Mapping[str, Any], wanted: Mapping[str, Any], where: str) -> None:
    """Refuse names that are missing, and those that nobody declared."""
    for text, names in (
        ("is missing", [n for n in wanted if n not in found]),
        ("is unknown", [n for n in found if n not in wanted]),
    ):
        if names:
            more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
            raise DamagedError(f"{where}: {brief(names[0])}{more} {text}")


def _refuse(value: Any, wanted: str, name: str) -> NoReturn:
    raise DamagedError(f"{name[:80]} is {brief(value)[:80]} and must be {wanted[:200]}")


# safetensors


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
        arrays = {}
        for name, header in self.headers.items():
            dtype = np.dtype(_DTYPES[header.dtype])
            count = math.prod(header.shape)
            arrays[name] = np.frombuffer(content, dtype, count, header.begin if count else 0).reshape(
                header.shape
            )
        return arrays, digest.hexdigest()


def _headers(content: bytes, n_bytes: int) -> dict[str, Header]:
    document = expect(parse_json(content), dict, "its header")
    document.pop("__metadata__", None)
    entry = {"dtype": Choice(tuple(_SIZES)), "shape": [Whole()], "data_offsets": (Whole(), Whole())}
    headers, pieces = {}, []
    for name, described in document.items():
        found = expect(described, entry, f"array {brief(name)}")
        (begin, end), width = found["data_offsets"], _SIZES[found["dtype"]]
        if end - begin != math.prod(found["shape"]) * width or begin % width:
            raise DamagedError(f"array {brief(name)} of shape {brief(found['shape'])} does not fit its bytes")
        headers[name] = Header(found["dtype"], tuple(found["shape"]), begin)
        pieces.append((begin, end))
    pieces.sort()
    ends = [0, *(end for _, end in pieces)]
    if [begin for begin, _ in pieces] != ends[:-1] or ends[-1] != n_bytes:
        raise DamagedError("its arrays do not fill the file; it was cut off or holds something else")
    return headers


# numbers


def check_finite(array: Array, name: str, missing: bool = False) -> None:
    """That no number is NaN (unless it may be ``missing``) or infinite; one look where all are fine."""
    if array.dtype.kind != "f" or not array.size:
        return
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum()):  # a sum of finite numbers may still be too large
            return
    for first in range(0, len(array), max(_BLOCK // max(array[:1].size, 1), 1)):
        block = array[first : first + max(_BLOCK // max(array[:1].size, 1), 1)]
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
        part = indptr[first : first + _BLOCK + 1]
        if (part[1:] < part[:-1]).any():
            raise DamagedError(f"{name}: indptr goes down")
    for first in range(0, n, _BLOCK):
        part = indices[first : first + _BLOCK + 1]
        if part.min() < 0 or part.max() >= n_columns:
            wrong = part.min() if part.min() < 0 else part.max()
            raise DamagedError(f"{name}: an index of {wrong} where there are {n_columns:,} columns")
        rises = part[1:] > part[:-1]
        left, right = np.searchsorted(indptr, [first + 1, first + len(part)])
        rises[indptr[left:right] - first - 1] = True  # where a row begins
        if not rises.all():
            raise DamagedError(f"{name}: the indices of a row do not ascend")


def csr(data: Array, indices: Array, indptr: Array, shape: tuple[int, int]) -> csr_array:
    """A checked CSR matrix on these arrays."""
    return csr_array((data, indices, indptr), shape=shape, copy=False)
