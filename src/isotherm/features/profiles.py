"""What items are about: the values of their categories and tags, side by side.

For what is measured on lists: how different their items are, and how they reflect a user's taste. All fields
count the same, however many values per item has in them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, hstack

from isotherm.data.items import Items
from isotherm.data.kinds import FieldType, Kind
from isotherm.errors import ItemsError
from isotherm.features.encoders.categories import CategoryEncoder, TagEncoder
from isotherm.linalg.csr import with_data
from isotherm.types import Float64
from isotherm.untrusted import Choice, Distinct, Each, expect

_ENCODERS: dict[Kind, type[CategoryEncoder]] = {"categories": CategoryEncoder, "tags": TagEncoder}


class ItemProfiles:
    """Fitted encoders of the fields of kind categories and tags.

    A value «a > b» counts as «a», too. A tag counts by its weight, a category as 1.
    """

    def __init__(self, schema: Mapping[str, FieldType], encoders: Mapping[str, CategoryEncoder]) -> None:
        self.schema = dict(schema)
        self._encoders = dict(encoders)

    @classmethod
    def of(cls, items: Items, fields: Sequence[str] | None = None) -> Self:
        """Learn the values of ``fields``, or else of all fields of these kinds; there may be none.

        Raises ItemsError for a field that is not there, or is of another kind.

        >>> import polars as pl
        >>> from isotherm import Items
        >>> from isotherm.features.profiles import ItemProfiles
        >>> items = Items.from_frame(pl.DataFrame({"item_id": [1, 2], "genres": [["a", "b"], ["a"]]}))
        >>> ItemProfiles.of(items).shares(items).toarray()
        array([[0.5, 0.5],
               [1. , 0. ]])
        """
        if fields is None:
            fields = [name for name, kind in items.kinds.items() if kind in _ENCODERS]
        for name in fields:
            items.column(name)
            if items.kinds[name] not in _ENCODERS:
                raise ItemsError(
                    f"field {name!r} is of kind {items.kinds[name]}, where categories or tags are needed; "
                    f"--kind {name}=categories declares it"
                )
        return cls(
            {name: items.schema[name] for name in fields},
            {name: _ENCODERS[items.kinds[name]](min_count=1).fit(items.column(name)) for name in fields},
        )

    @property
    def fields(self) -> list[str]:
        """Their names."""
        return list(self._encoders)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Their kinds."""
        return {name: each.kind for name, each in self.schema.items()}

    def directions(self, items: Items) -> csr_array:
        """(n_items, n_values) CSR float64 rows of unit length, or zero where an item has no value.

        The product of two rows is the mean over the fields of their cosines, where both have all fields.
        """
        return self._stacked(items, _row_lengths)

    def shares(self, items: Items) -> csr_array:
        """The same with rows that sum to 1: the distribution of an item over values, p(g|i) of Steck 2018."""
        return self._stacked(items, _row_sums)

    def _stacked(self, items: Items, size: Callable[[csr_array], Float64]) -> csr_array:
        """Fields side by side, of rows of size 1 each, and then as a whole."""
        fields = [
            _normalized(encoder.transform(items.column(name)).array.astype(np.float64), size)
            for name, encoder in self._encoders.items()
        ]
        if not fields:
            return csr_array((len(items), 0), dtype=np.float64)
        return _normalized(csr_array(hstack(fields, format="csr")), size)

    def state(self) -> dict[str, Any]:
        """Type and values of each field, as plain JSON."""
        return {
            name: {"type": self.schema[name].state(), "values": encoder.values_}
            for name, encoder in self._encoders.items()
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The inverse of ``state``. Raises DamagedError where it is not what ``state`` makes."""
        state = expect(state, Each({"type": dict, "values": Distinct()}), "profiles")
        schema = {name: FieldType.from_state(field["type"], "profiles") for name, field in state.items()}
        for each in schema.values():
            expect(each.kind, Choice(tuple(_ENCODERS)), "profiles")
        encoders = {name: _ENCODERS[schema[name].kind](1, field["values"]) for name, field in state.items()}
        return cls(schema, encoders)

    @property
    def n_values(self) -> int:
        """Of all fields."""
        return sum(encoder.form.width for encoder in self._encoders.values())


def _row_sums(matrix: csr_array) -> Float64:
    """(n_rows,), of entries that are not negative."""
    return np.asarray(matrix.sum(axis=1)).ravel()


def _row_lengths(matrix: csr_array) -> Float64:
    """Euclidean, (n_rows,)."""
    return np.sqrt(_row_sums(matrix.power(2)))


def _normalized(matrix: csr_array, size: Callable[[csr_array], Float64]) -> csr_array:
    """Rows divided by their size; a row without any entry stays so."""
    return with_data(matrix, matrix.data / np.repeat(size(matrix), np.diff(matrix.indptr)))
