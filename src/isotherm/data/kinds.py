"""The kinds of item fields, and what else tells how a field's values are read."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

from isotherm.untrusted import Choice, Or, expect

Kind = Literal["categories", "tags", "text", "number", "vector", "image"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SEPARATORS = ("|", ";", ",")  #: of a list in text, the safest first


@dataclass(frozen=True)
class FieldType:
    """How the values of a field are read.

    kind: what they are.  separator: what stands between the categories or tags of one text, empty where a
    text is one value, None where the values are lists.  is_date: whether a number was a date.
    """

    kind: Kind
    separator: str | None = None
    is_date: bool = False

    def state(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"kind": self.kind, "separator": self.separator, "is_date": self.is_date}

    @classmethod
    def from_state(cls, state: Any, where: str) -> "FieldType":
        """The inverse of ``state``.  where: its name in errors. Raises DamagedError."""
        schema = {"kind": Choice(KINDS), "separator": Or(Choice(("", *SEPARATORS))), "is_date": bool}
        return cls(**expect(state, schema, where))
