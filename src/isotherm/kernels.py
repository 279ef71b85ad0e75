"""Compiles the loops that no library has, and keeps what was compiled for the next process.

A kernel is compiled at its first call, and kept on disk: in the package where that can be written, else in
the user's cache folder, else in a temporary folder of this user alone.
"""

import functools
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import __version__ as numba_version
from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.compiler import CompileResult

from isotherm.files import DIGITS, cache_folder, private_folder, sha256
from isotherm.progress import note

P = ParamSpec("P")
R = TypeVar("R")


_PACKAGE = Path(__file__).parent / "__pycache__" / "kernels"


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` at its first call, to run without the interpreter's lock; keep it on disk.

    A kernel must not call itself: what numba reads back of such a one crashes.
    """
    return cast(Callable[P, R], _cached(njit(nogil=True)(function)))


def reordering_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel whose sums may be taken in any order; a division by zero is infinite."""
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": {"nsz", "arcp", "contract", "reassoc"}}
    return cast(Callable[P, R], _cached(njit(nogil=True, **options)(function)))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A step of kernels, compiled into each that calls it."""
    return cast(Callable[P, R], njit(nogil=True, inline="always")(function))


def _cached(dispatcher: Any) -> Any:
    dispatcher._cache = _Cache(dispatcher.py_func)  # what numba's enable_caching does, with files of ours
    return dispatcher


@functools.cache
def kernel_folder() -> Path | None:
    """The folder for compiled kernels: the first that can be written, None where none can.

    NUMBA_CACHE_DIR, the package's own __pycache__, isotherm's cache folder, and last a temporary folder. The
    last two must be this user's alone, as what lies there is run.
    """
    numba_folder = os.environ.get("NUMBA_CACHE_DIR")
    for folder in ([Path(numba_folder)] if numba_folder else []) + [_PACKAGE]:
        if _can_write(folder):
            return folder
    for find in (cache_folder, private_folder):
        with suppress(OSError):
            folder = find() / "kernels"
            if _can_write(folder) and _is_private(folder):
                return folder
    return None


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _when_compiled() -> str:
    """How often kernels are compiled on this machine, for the note at the first compilation."""
    folder = kernel_folder()
    if folder is None:
        return "in each process, as no folder can be written; ISOTHERM_CACHE names one"
    chosen = folder == _PACKAGE or "NUMBA_CACHE_DIR" in os.environ
    if folder.is_relative_to(tempfile.gettempdir()) and not chosen:
        return f"kept in {folder}, as no other folder can be written"
    return "once per machine"


def _is_private(folder: Path) -> bool:
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & stat.S_IWOTH


class _Cache(FunctionCache):
    """What numba asks for the code of one kernel: a file for each signature and processor.

    numba's own index of numbered files is written by every process, and two that first use a kernel at the
    same time could each leave its code under the other's number. No file is looked for before the first call.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._py_func = function

    def load_overload(self, signature: Any, context: Any) -> Any:
        """The code, from the folder to write to or from the package; None where it must be compiled."""
        context.refresh()
        name = self._file_name(signature, context.codegen())
        for folder in (kernel_folder(), _PACKAGE):
            if folder is not None:
                try:
                    return CompileResult._rebuild(context, *_files(folder)._load_data(name))
                except Exception:  # not there, or cut short: it is compiled anew
                    continue
        _note_once(f"compiling kernels, {_when_compiled()} …")
        return None

    def save_overload(self, signature: Any, code: Any) -> None:
        folder = kernel_folder()
        if folder is None:
            return
        try:
            _files(folder)._save_data(self._file_name(signature, code.codegen), code._reduce())
        except OSError as error:  # a full disk must not stop what needs none
            _note_once(f"compiled kernels cannot be kept in {folder}: {error.strerror}")

    def _file_name(self, signature: Any, codegen: Any) -> str:
        function = self._py_func
        compiled_for = repr(
            (numba_version, _digest_of(function.__code__.co_filename), self._index_key(signature, codegen))
        )
        digits = hashlib.sha256(compiled_for.encode()).hexdigest()[:DIGITS]
        version = f"py{sys.version_info[0]}{sys.version_info[1]}"
        return f"{function.__module__}.{function.__qualname__}.{version}.{digits}.nbc"


@functools.cache
def _digest_of(file: str) -> str:
    return sha256(file)


def _files(folder: Path) -> IndexDataCacheFile:
    return IndexDataCacheFile(str(folder), "", None)  # reads and writes one file in one step


@functools.cache
def _note_once(text: str) -> None:
    note(text)
