"""The packages of the extra "experiment", imported where they are needed."""

from importlib import import_module
from typing import Any

from isotherm.errors import MissingPackageError


def tea_tasting() -> Any:
    """The package tea-tasting. Raises MissingPackageError."""
    try:
        package = import_module("tea_tasting")
        import_module("tea_tasting.aggr")
    except ImportError as error:
        raise MissingPackageError(
            "experiments need tea-tasting; install it with: pip install 'isotherm[experiment]'"
        ) from error
    return package
