"""Compiles the loops that no library has, and keeps what was compiled for the next process.

A kernel is compiled at its first call and cached on disk: beside the source where that can be written, as
numba does by itself, else in the user's cache folder, else in a temporary folder of this user alone.
"""

import contextlib
import functools
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    UserProvidedCacheLocator,
)
from numpy.typing import NDArray

from isotherm.files import cache_folder

P = ParamSpec("P")
R = TypeVar("R")

Array = NDArray[Any]  #: what a kernel reads or fills


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` at its first call, to run without the interpreter's lock; keep it on disk.

    A kernel must not call itself: what numba reads back of such a one crashes.
    """
    return cast(Callable[P, R], _kept(njit(nogil=True)(function)))


def reordering_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel whose sums may be taken in any order; a division by zero is infinite."""
    options: dict[str, Any] = {"error_model": "numpy", "fastmath": {"nsz", "arcp", "contract", "reassoc"}}
    return cast(Callable[P, R], _kept(njit(nogil=True, **options)(function)))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A step of kernels, compiled as a part of each that calls it."""
    return cast(Callable[P, R], njit(nogil=True, inline="always")(function))


def _kept(dispatcher: Any) -> Any:
    dispatcher._cache = _Cache(dispatcher.py_func)  # what numba's enable_caching does, with files of ours
    return dispatcher


@functools.cache
def kernel_cache() -> Path:
    """The folder for compiled kernels: the first that can be written.

    NUMBA_CACHE_DIR, the package's own __pycache__, isotherm's cache folder, and last a fresh temporary
    folder, which only this user can enter: what lies in a cache is run.
    """
    for folder in _wanted():
        if _can_write(folder):
            return folder
    folder = Path(tempfile.mkdtemp(prefix="isotherm-kernels-"))
    print(f"note: no folder to keep compiled kernels in; they go to {folder}", file=sys.stderr)
    return folder


def _wanted() -> list[Path]:
    named = os.environ.get("NUMBA_CACHE_DIR")
    folders = [Path(named)] if named else []
    folders.append(Path(__file__).parent / "__pycache__")
    with contextlib.suppress(OSError, RuntimeError):  # no home
        folders.append(cache_folder() / "kernels")
    return folders


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


class _Locator(UserProvidedCacheLocator):
    """Where a kernel is kept: a folder for each folder of source files."""

    def __init__(self, function: Any, file: str) -> None:
        self._py_file, self._lineno = file, function.__code__.co_firstlineno
        self._cache_path = str(kernel_cache() / self.get_suitable_cache_subpath(file))

    @classmethod
    def from_function(cls, function: Any, file: str) -> "_Locator":
        return cls(function, file)


class _Files(IndexDataCacheFile):
    """One file for each kernel, signature and processor.

    numba's index of numbered files would be written by every process, and two that first use a kernel at the
    same time could each leave its code under the other's number.
    """

    def load(self, key: Any) -> Any:
        try:
            return self._load_data(self._name(key))
        except Exception:  # not there, cut short, or of another numba: it is compiled anew
            return None

    def save(self, key: Any, data: Any) -> None:
        with contextlib.suppress(OSError):  # a full disk: the next process compiles again
            self._save_data(self._name(key), data)

    def _name(self, key: Any) -> str:
        told = repr((self._version, self._source_stamp, key)).encode()
        return f"{self._index_name.removesuffix('.nbi')}.{hashlib.sha256(told).hexdigest()[:16]}.nbc"


class _Implementation(CompileResultCacheImpl):
    def __init__(self, function: Any) -> None:
        self._locator_classes = [_Locator]
        super().__init__(function)


class _Cache(FunctionCache):
    _impl_class = _Implementation

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, locator.get_source_stamp())
