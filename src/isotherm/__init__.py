"""Recommend brand-new items as well as well-known ones, from clicks and item metadata."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from isotherm.version import __version__

if TYPE_CHECKING:
    from isotherm.data import Columns as Columns
    from isotherm.data import Interactions as Interactions
    from isotherm.data import Items as Items
    from isotherm.evaluation import evaluate as evaluate
    from isotherm.models.content_knn import ContentKNN as ContentKNN
    from isotherm.models.ease import EASE as EASE
    from isotherm.models.item_knn import ItemKNN as ItemKNN
    from isotherm.models.marec import MARec as MARec
    from isotherm.models.persistence import load as load
    from isotherm.models.popularity import Popularity as Popularity

# Read on first use, so that ``import isotherm`` costs nothing.
_EXPORTS = {
    "Columns": "isotherm.data",
    "Interactions": "isotherm.data",
    "Items": "isotherm.data",
    "evaluate": "isotherm.evaluation",
    "ContentKNN": "isotherm.models.content_knn",
    "EASE": "isotherm.models.ease",
    "ItemKNN": "isotherm.models.item_knn",
    "MARec": "isotherm.models.marec",
    "Popularity": "isotherm.models.popularity",
    "load": "isotherm.models.persistence",
}

__all__ = ["__version__", *_EXPORTS]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'isotherm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
