"""Writes files whole or not at all, and tells whether they still are."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

DIGITS = 16  # of a file's SHA-256, in its name


def write_atomically(path: str | os.PathLike[str], write: Callable[[Path], object]) -> Path:
    """Let ``write`` fill a temporary file beside ``path``, then put it in place in one step.

    The old file stays whole until the new one is on disk; an error in ``write`` leaves nothing behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_json(path: str | os.PathLike[str], document: Any) -> Path:
    """Write plain JSON, whole or not at all. Raises ValueError where a number is not finite."""
    text = json.dumps(document, indent=1, allow_nan=False)
    return write_atomically(path, lambda file: file.write_text(text + "\n", encoding="utf-8"))


def sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, in hexadecimal."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def named_by_content(folder: Path, name: str, suffix: str, write: Callable[[Path], object]) -> str:
    """Let ``write`` fill a file in ``folder``, named by its content: NAME-<16 digits of SHA-256>SUFFIX."""
    fresh = write_atomically(folder / f"{name}.new{suffix}", write)
    final = f"{name}-{sha256(fresh)[:DIGITS]}{suffix}"
    os.replace(fresh, folder / final)
    return final


def remove_others(folder: Path, patterns: Iterable[str], kept: set[str]) -> None:
    """Remove what older or interrupted writes left: files of these patterns whose names are not ``kept``."""
    for pattern in patterns:
        for file in folder.glob(pattern):
            if file.name not in kept:
                file.unlink(missing_ok=True)


def is_whole(file: Path) -> bool:
    """Whether the content of a file that ``named_by_content`` wrote is still what its name says."""
    return file.is_file() and file.stem.endswith(f"-{sha256(file)[:DIGITS]}")


def cache_folder() -> Path:
    """ISOTHERM_CACHE, else XDG_CACHE_HOME/isotherm, else ~/.cache/isotherm."""
    if "ISOTHERM_CACHE" in os.environ:
        return Path(os.environ["ISOTHERM_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "isotherm"
