"""The items that nobody has clicked yet, as a fitted model keeps them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.features.encoded_items import EncodedItems
from isotherm.features.field_vectors import FieldForm
from isotherm.state import Dense, Field, Inner, Stateful
from isotherm.types import Float32, ItemIndex


@dataclass(frozen=True, eq=False)
class ColdItems(Stateful):
    """Never-clicked items of a catalogue: those of the fit first, then added ones in the order they came.

    columns: (n_cold,) int64, in the catalogue.
    encoded: their metadata, n_cold items.
    certainty: (n_cold,) float32 in [0, 1], how much of an item its metadata explains; None where the model
    does not say.
    """

    columns: ItemIndex
    encoded: EncodedItems
    certainty: Float32 | None = None

    @classmethod
    def empty(cls, declared: Mapping[str, FieldForm], certainty: bool = False) -> "ColdItems":
        """To be filled with what a saved model holds.

        declared: field -> what its vectors must be.  certainty: whether the model says how sure it is.
        """
        return cls(
            np.empty(0, dtype=np.int64),
            EncodedItems.empty(declared),
            np.empty(0, dtype=np.float32) if certainty else None,
        )

    @property
    def learned(self) -> Iterator[Field]:
        """Columns, metadata and, where there is one, the certainty."""
        yield Dense("columns", np.int64, ("n_cold",), below="n_items", distinct=True)
        yield Inner("encoded", lambda items, _: items.encoded, {"n": "n_cold"})
        if self.certainty is not None:
            yield Dense("certainty", np.float32, ("n_cold",), least=0, most=1)

    def set_learned_value(self, name: str, value: Any) -> None:
        """Fill an ``empty`` object while a saved model is loaded; nothing else ever changes it."""
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.columns)

    def position(self, column: int) -> int | None:
        """Where the item at a column of the catalogue stands among these; None for an item with clicks."""
        found = np.flatnonzero(self.columns == column)
        return int(found[0]) if len(found) else None

    def appended(self, new: "ColdItems") -> "ColdItems":
        """These items and then the ``new`` ones, whose columns are others."""
        certainty = None
        if self.certainty is not None and new.certainty is not None:
            certainty = np.concatenate([self.certainty, new.certainty])
        return ColdItems(
            np.concatenate([self.columns, new.columns]),
            EncodedItems.stacked([self.encoded, new.encoded]),
            certainty,
        )
