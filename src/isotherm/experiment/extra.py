"""The packages of the extra "experiment", imported where they are needed."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isotherm.errors import MissingPackageError

if TYPE_CHECKING:
    from types import ModuleType


def tea_tasting() -> Any:
    """The package tea-tasting. Raises MissingPackageError."""
    package = _imported("tea_tasting", "tea-tasting")
    _imported("tea_tasting.aggr", "tea-tasting")
    return package


def duckdb() -> Any:
    """The package DuckDB. Raises MissingPackageError."""
    return _imported("duckdb", "duckdb")


def check_packages() -> None:
    """Raises MissingPackageError where one is missing, before anything else is done."""
    duckdb()
    tea_tasting()


def _imported(module: str, name: str) -> "ModuleType":
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackageError(
            f"experiments need {name}; install it with: pip install 'isotherm[experiment]'"
        ) from error
