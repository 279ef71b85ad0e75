"""A DuckDB database in a temporary folder, with bounds: memory, threads, and the files that it may read."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from isotherm.experiment.extra import duckdb
from isotherm.experiment.log.sources import escaped
from isotherm.memory import memory_limit
from isotherm.threads import thread_count

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

GIB = 2**30
_MOST = 8 * GIB  # bytes that reading takes where no more is given


def reading_memory() -> int:
    """Bytes that reading a log may take: 8 GiB, or half of what there is where that is less."""
    return int(min(_MOST, memory_limit() / 2))


@contextmanager
def workspace(files: Sequence[Path], memory: int) -> Iterator["DuckDBPyConnection"]:
    """A connection whose tables and spilled rows lie in a temporary folder, which is removed at the end.

    files: what may be read; nothing else can be, no extension is loaded, and no network is used.
    memory: bytes; half is for DuckDB, the other half for the arrays made of its answers.
    Raises MissingPackageError without DuckDB.
    """
    package = duckdb()
    with tempfile.TemporaryDirectory(prefix="isotherm-experiment-", ignore_cleanup_errors=True) as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": f"{max(memory // 2, 64 * 2**20) // 2**20}MiB",
            "threads": thread_count(),
            "temp_directory": str(Path(folder) / "spilled"),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
        }
        connection = package.connect(str(Path(folder) / "tables.duckdb"), config=settings)
        try:
            connection.execute("SET TimeZone = 'UTC'")  # of times without a zone, wherever this machine is
            connection.execute("SET allowed_directories = $1", [[folder]])
            names = {os.path.abspath(file) for file in files} | set(escaped(files))
            connection.execute("SET allowed_paths = $1", [sorted(names)])
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            yield connection
        finally:
            connection.close()
