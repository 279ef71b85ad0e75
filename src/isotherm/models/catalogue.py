"""Helpers for models that keep a catalogue: growing it, narrowing to its clicked part, saving its parts."""

from collections.abc import Mapping
from typing import TypeVar

from isotherm.data import IdMap, Items
from isotherm.data.wording import listed
from isotherm.errors import ItemsError
from isotherm.models.requests import check_data

Array = TypeVar("Array")


def extended_catalogue(catalogue: IdMap, items: Items) -> IdMap:
    """The catalogue and then the new items. Raises ItemsError for items that it holds already."""
    check_data("new items", items, Items)
    twice = catalogue.known(items.ids.values).to_list()
    if twice:
        raise ItemsError(f"the model knows {len(twice)} of these items already: {listed(twice)}")
    return catalogue.appended(items.ids)


def part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
