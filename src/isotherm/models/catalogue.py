"""Helpers for models that keep a catalogue: growing it, narrowing to its clicked part, saving its parts."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data import IdMap, Items
from isotherm.data.interactions import with_entries
from isotherm.data.wording import listed
from isotherm.errors import ItemsError
from isotherm.models.requests import check_data

Array = TypeVar("Array")


def grown(catalogue: IdMap, items: Items) -> IdMap:
    """The catalogue and then the new items. Raises ItemsError for items that it holds already."""
    check_data("new items", items, Items)
    twice = catalogue.known(items.ids.values).to_list()
    if twice:
        raise ItemsError(f"the model knows {len(twice)} of these items already: {listed(twice)}")
    return catalogue.appended(items.ids)


def narrowed(user_items: csr_array, columns: NDArray[Any]) -> csr_array:
    """Only ``columns`` (ascending) of a CSR matrix, renumbered from 0."""
    if len(columns) == user_items.shape[1]:
        return user_items
    place = np.full(user_items.shape[1], -1, dtype=np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    kept = with_entries(user_items, place[user_items.indices] >= 0)
    return csr_array((kept.data, place[kept.indices], kept.indptr), shape=(kept.shape[0], len(columns)))


def part(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin with ``prefix``, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
