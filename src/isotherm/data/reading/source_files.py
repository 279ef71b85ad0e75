"""The files that a source names: one, a folder's, or those of a pattern."""

import glob
import io
import json
import os
import stat
from pathlib import Path
from typing import IO

from isotherm.errors import IsothermError, shown_path

Source = str | os.PathLike[str]
_EXPORTED = "events.json"  #: the manifest of a folder that ``isotherm events export`` wrote


def files_of(source: Source, error: type[IsothermError]) -> list[Path]:
    """The file ``source``, the Parquet files below a folder, or the files of a pattern, in order.

    Of a folder that ``isotherm events export`` wrote, the events alone; its other tables lie below it.
    Raises ``error`` where there is none, or one is no regular file or is empty.
    """
    if not isinstance(source, str | os.PathLike):
        kind = f"{type(source).__module__}.{type(source).__name__}"
        raise TypeError(f"a path is needed, not {kind}; from_frame takes polars, pandas and Arrow frames")
    path, name = Path(source), shown_path(source)
    try:
        files = _named(path, name, error)
        for file in files:
            _check_file(file, error)
    except (OSError, ValueError) as cause:
        if isinstance(cause, IsothermError):
            raise
        raise error(f"{name}: {getattr(cause, 'strerror', None) or cause}") from cause
    return files


def readable(path: Path) -> Path | IO[bytes]:
    """The path, or its bytes where its name is no UTF-8, which polars needs."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return io.BytesIO(path.read_bytes())
    return path


def _named(path: Path, name: str, error: type[IsothermError]) -> list[Path]:
    """The files that a path names, sorted. Raises ``error`` where there is none."""
    if path.is_dir() and _is_export(path):
        files = sorted(path.glob("events-*.parquet"))
        if not files:
            raise error(
                f"{name}: this export holds no event yet; export again once the server was told of some"
            )
        return files
    if path.is_dir():
        files = sorted(_parquet_below(path))
        if not files:
            raise error(
                f"{name}: this folder holds no .parquet file; name other files with a pattern, as '*.csv'"
            )
        return files
    if path.exists():
        return [path]
    if path.is_symlink():
        raise error(f"{name}: is a link to {shown_path(os.readlink(path))}, which is not there")
    if any(letter in str(path) for letter in "*?["):
        matching = [Path(match) for match in glob.glob(str(path), recursive=True)]
        files = sorted(match for match in matching if not match.is_dir())
        if not files:
            raise error(f"{name}: no file matches this pattern")
        return files
    raise error(f"{name}: no such file or folder")


def _is_export(folder: Path) -> bool:
    """Whether the manifest of an export is in a folder."""
    try:
        told = json.loads((folder / _EXPORTED).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and {"database", "ids"} <= told.keys()


def _parquet_below(folder: Path) -> list[Path]:
    """Files that end in .parquet, through links, too; names with «.» or «_» in front are hidden."""
    parquet, visited = [], set()
    for place, folders, files in os.walk(folder, followlinks=True):
        here = os.path.realpath(place)
        if here in visited:  # a link that leads back
            folders.clear()
            continue
        visited.add(here)
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        parquet += [Path(place, name) for name in files if name.endswith(".parquet") and name[0] not in "._"]
    return parquet


def _check_file(file: Path, error: type[IsothermError]) -> None:
    name = shown_path(file)
    if file.is_symlink() and not file.exists():
        raise error(f"{name}: is a link to {shown_path(os.readlink(file))}, which is not there")
    mode = file.stat()
    if not stat.S_ISREG(mode.st_mode):
        kind = "a pipe" if stat.S_ISFIFO(mode.st_mode) else "a device or socket"
        raise error(f"{name}: is {kind}, not a file; write what it gives to a file first")
    if not mode.st_size:
        raise error(f"{name}: the file is empty (0 bytes)")
