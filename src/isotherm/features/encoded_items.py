"""The metadata of some items as vectors, field by field."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from isotherm.features.field_vectors import FieldForm, FieldVectors
from isotherm.state import Field, Stateful
from isotherm.types import Array

Vectors = TypeVar("Vectors", bound=FieldVectors)


class EncodedItems(Stateful):
    """Vectors of n items by encoded field, in the order of the items they came from.

    Saved under numbers and names: a name alone might be another's beginning.
    """

    def __init__(
        self, fields: Mapping[str, FieldVectors], declared: Mapping[str, FieldForm] | None = None
    ) -> None:
        self.fields = dict(fields)
        self._declared = declared

    @classmethod
    def empty(cls, forms: Mapping[str, FieldForm]) -> "EncodedItems":
        """To be filled with what a saved model holds.  forms: what the vectors of each field must be."""
        return cls({}, forms)

    @property
    def forms(self) -> Mapping[str, FieldForm]:
        """What the vectors of each field are."""
        return self._declared or {name: vectors.form for name, vectors in self.fields.items()}

    @property
    def learned(self) -> Iterator[Field]:
        """The vectors of each field, for the same ``n`` items."""
        for number, (name, form) in enumerate(self.forms.items()):
            yield form.declaration(f"{number}:{name}")

    def learned_value(self, name: str) -> Any:
        """The array of a numbered field."""
        return self.fields[name.partition(":")[2]].array

    def set_learned_value(self, name: str, value: Any) -> None:
        """Take the array of a numbered field back."""
        field = name.partition(":")[2]
        self.fields[field] = self.forms[field].type(value)

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def of_type(self, vector_type: type[Vectors]) -> dict[str, Vectors]:
        """The fields whose vectors are of one type."""
        return {name: field for name, field in self.fields.items() if isinstance(field, vector_type)}

    def take(self, rows: Array) -> "EncodedItems":
        """The items at ``rows``."""
        return EncodedItems({name: vectors.take(rows) for name, vectors in self.fields.items()})

    @classmethod
    def stacked(cls, blocks: Sequence["EncodedItems"]) -> "EncodedItems":
        """The items of all blocks, one block after the other; all of the same fields."""
        return cls(
            {
                name: type(vectors).stacked([block.fields[name] for block in blocks])
                for name, vectors in blocks[0].fields.items()
            }
        )
