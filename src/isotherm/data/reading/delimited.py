"""CSV and TSV, plain or gzipped: every column as text, and one clear error for what spoils such files."""

import csv
import gzip
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, cast

import polars as pl

from isotherm.data.reading.place import SEPARATORS, Place, other_separator, repeated, wrong_separator
from isotherm.data.reading.source_files import readable
from isotherm.data.wording import names
from isotherm.errors import brief

_HEAD = 2**20  # bytes in which a header must end
_GZIP = b"\x1f\x8b"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read_delimited(path: Path, place: Place) -> pl.DataFrame:
    """All columns as text; only an empty field is null. Columns without a name are left out.

    Raises ``place.error`` for another encoding, another separator, a name twice, a row with too many fields.
    """
    columns = _header(path, place)
    try:
        frame = pl.read_csv(
            readable(path), infer_schema=False, null_values=[""], separator=place.separator, glob=False
        )
    except pl.exceptions.NoDataError:
        raise place.error(f"{place.file}: has no rows") from None
    except pl.exceptions.PolarsError as cause:
        other = other_separator(columns, place.separator)
        if other:
            raise place.error(wrong_separator(place.file, place.separator, other)) from cause
        fault = _fault(path, place, len(columns))
        raise place.error(f"{place.file}: {fault or str(cause).splitlines()[0]}") from cause
    if len(frame.columns) != len(columns):
        raise place.error(f"{place.file}: the header cannot be read: {names(columns)}; write plain names")
    frame.columns = [name or f"\0{n}" for n, name in enumerate(columns)]
    return _without_blank_end(frame.select([name for name in frame.columns if name[:1] != "\0"]))


def _header(path: Path, place: Place) -> list[str]:
    """The names in the first line, without blanks around them."""
    with _opened(path) as stream:
        head = stream.read(_HEAD)
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").splitlines(keepends=True) or [b""]
    if head[:2] in _UTF16 or b"\0" in lines[0]:
        kind = "UTF-16" if head[:2] in _UTF16 else "it holds zero bytes"
        raise place.error(
            f"{place.file}: is no UTF-8 text ({kind}); save it as UTF-8 with {SEPARATORS[place.separator]}"
        )
    if b"\r" in head and b"\n" not in head:
        raise place.error(f"{place.file}: its lines end in CR alone; save it with LF or CRLF")
    if fault := _not_utf8(1, lines[0]):
        raise place.error(f"{place.file}: {fault}")
    text = b"".join(lines[:50]).decode(errors="replace")  # a name in quotes may hold a line's end
    try:
        first = next(csv.reader(io.StringIO(text), delimiter=place.separator), [])
    except csv.Error as cause:
        raise place.error(f"{place.file}: the header cannot be read ({cause}); is this a table?") from cause
    columns = [name.strip() for name in first]
    if not any(columns):
        raise place.error(f"{place.file}: has no header; its first line names the columns")
    twice = repeated([name for name in columns if name])
    if twice is not None:
        raise place.error(
            f"{place.file}: column {brief(twice)} stands twice in the header; rename or drop one"
        )
    return columns


def _without_blank_end(frame: pl.DataFrame) -> pl.DataFrame:
    """Without empty lines at the end of the file."""
    if not frame.height or not all(value is None for value in frame.row(-1)):
        return frame
    filled = frame.select(pl.any_horizontal(pl.all().is_not_null())).to_series().arg_true()
    return frame.head(int(filled[-1]) + 1 if len(filled) else 0)


def _fault(path: Path, place: Place, n_columns: int) -> str:
    """What is wrong with the first row that cannot be read; looked for only after reading failed."""
    row = 0
    with _opened(path) as stream:
        for number, line in enumerate(stream, start=1):
            if fault := _not_utf8(number, line):
                return fault
    with _opened(path) as stream, io.TextIOWrapper(stream, "utf-8-sig", newline="") as text:
        marks: list[int] = []
        reader = csv.reader(_counted(text, marks), delimiter=place.separator, strict=True)
        try:
            next(reader)
            marks.clear()
            for row, fields in enumerate(reader, start=1):
                if len(fields) > n_columns:
                    return (
                        f"data row {row} (line {reader.line_num}) has {len(fields)} fields where the header "
                        f"has {n_columns}; put quotes around a value that holds {brief(place.separator)}"
                    )
                if sum(marks) % 2:
                    return (
                        f"data row {row} (line {reader.line_num}) holds a quote mark that is not closed; "
                        'write it twice and put quotes around the value, like "5"" disc"'
                    )
                marks.clear()
        except csv.Error as cause:
            return f"data row {row + 1} (to line {reader.line_num}) cannot be read ({cause}); mend its quotes"
    return ""


def _counted(lines: Iterable[str], marks: list[int]) -> Iterator[str]:
    """The lines, and in ``marks`` the number of quote marks in each."""
    for line in lines:
        marks.append(line.count('"'))
        yield line


def _not_utf8(number: int, line: bytes) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as cause:
        near = line[max(cause.start - 12, 0) : cause.start + 4].decode("latin-1").strip("\r\n")
        return f"line {number} is no UTF-8 text (near {brief(near)}); save the file as UTF-8"
    return ""


def _opened(path: Path) -> IO[bytes]:
    with open(path, "rb") as stream:
        zipped = stream.read(2) == _GZIP
    return cast("IO[bytes]", gzip.open(path, "rb") if zipped else open(path, "rb"))
