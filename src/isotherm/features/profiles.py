"""What items are about: the values of their categories and tags, side by side.

Made for what is measured on lists (how unlike their items are, how they reflect a user's taste), where every
field is worth the same, however many values an item has in it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from scipy.sparse import csr_array, hstack

from isotherm.data.items import Items, Kind
from isotherm.errors import ItemsError
from isotherm.features.encoders import ENCODERS, CategoryEncoder
from isotherm.linalg.csr import with_data
from isotherm.untrusted import Choice, Distinct, Each, expect

_KINDS: tuple[Kind, ...] = ("categories", "tags")


class ItemProfiles:
    """Encoders of the fields of kind categories and tags.

    A value «a > b» counts as «a», too. A tag counts by its weight, a category as 1.
    """

    def __init__(self, encoders: Mapping[str, CategoryEncoder]) -> None:
        self._encoders = dict(encoders)

    @classmethod
    def of(cls, items: Items, fields: Sequence[str] | None = None) -> Self:
        """Learn the values of ``fields``, or else of all fields of these kinds; there may be none.

        Raises ItemsError for a field that is not there, or is of another kind.
        """
        if fields is None:
            fields = [name for name, kind in items.kinds.items() if kind in _KINDS]
        for name in fields:
            items.column(name)
            if items.kinds[name] not in _KINDS:
                raise ItemsError(
                    f"field {name!r} is of kind {items.kinds[name]}, where categories or tags are needed; "
                    f"--kind {name}=categories declares it"
                )
        return cls(
            {name: ENCODERS[items.kinds[name]](min_count=1).fit(items.column(name)) for name in fields}
        )

    @property
    def fields(self) -> list[str]:
        """Their names."""
        return list(self._encoders)

    @property
    def kinds(self) -> dict[str, Kind]:
        """Their kinds."""
        return {name: kind for name in self.fields for kind in _KINDS
                if type(self._encoders[name]) is ENCODERS[kind]}  # fmt: skip

    def directions(self, items: Items) -> csr_array:
        """(n_items, n_values) CSR float64 rows of unit length, or zero where an item has no value.

        The product of two rows is the mean over the fields of their cosines, where both have all fields.
        """
        return self._stacked(items, "l2")

    def directions_of_new(self, items: Items) -> csr_array:
        """``directions`` of items of another table. Raises ItemsError where a field is missing there."""
        for name in self.fields:
            if name not in items.kinds:
                raise ItemsError(
                    f"field {name!r} is missing from the items; the model was fitted with "
                    f"{', '.join(self.fields)} (a field may be empty, but it must be there)"
                )
            if items.kinds[name] != self.kinds[name]:
                raise ItemsError(
                    f"field {name!r} was {self.kinds[name]} when the model was fitted and is "
                    f"{items.kinds[name]} now; declare its kind: {name}={self.kinds[name]}"
                )
        return self.directions(items)

    def shares(self, items: Items) -> csr_array:
        """The same with rows that sum to 1: the distribution of an item over values, p(g|i) of Steck 2018."""
        return self._stacked(items, "l1")

    def _stacked(self, items: Items, norm: Literal["l1", "l2"]) -> csr_array:
        parts = [
            _normalized(encoder.transform(items.column(name)).astype(np.float64), norm)
            for name, encoder in self._encoders.items()
        ]
        if not parts:
            return csr_array((len(items), 0), dtype=np.float64)
        return _normalized(csr_array(hstack(parts, format="csr")), norm)

    def state(self) -> dict[str, Any]:
        """Kind and values of each field, as plain JSON."""
        return {
            name: {"kind": self.kinds[name], "values": encoder.values_}
            for name, encoder in self._encoders.items()
        }

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """The inverse of ``state``. Raises DamagedError where it is not what ``state`` makes."""
        told = expect(state, Each({"kind": Choice(_KINDS), "values": Distinct()}), "profiles")
        return cls({name: ENCODERS[field["kind"]](1, field["values"]) for name, field in told.items()})

    @property
    def n_values(self) -> int:
        """Of all fields."""
        return sum(encoder.encoded.width for encoder in self._encoders.values())


def _normalized(matrix: csr_array, norm: Literal["l1", "l2"]) -> csr_array:
    """Rows of non-negative entries that sum to 1, or are of unit length; a row without any stays so."""
    powers = matrix.data if norm == "l1" else matrix.data**2
    sums = with_data(matrix, powers).sum(axis=1)
    sizes = np.asarray(sums).ravel() if norm == "l1" else np.sqrt(np.asarray(sums).ravel())
    return with_data(matrix, matrix.data / np.repeat(sizes, np.diff(matrix.indptr)))
