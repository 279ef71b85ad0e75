"""What is said of an item table whose fields are not those that a model was fitted with."""

from collections.abc import Iterable

from isotherm.data.kinds import Kind
from isotherm.errors import ItemsError


def missing_field(name: str, fields: Iterable[str]) -> ItemsError:
    """A field is not in the table.  fields: all that are needed."""
    return ItemsError(
        f"field {name!r} is missing from the items; the model was fitted with "
        f"{', '.join(fields)} (a field may be empty, but it must be there)"
    )


def field_of_another_kind(name: str, kind: Kind, kind_now: Kind) -> ItemsError:
    """A field is of another kind than it was."""
    return ItemsError(
        f"field {name!r} was {kind} when the model was fitted and is {kind_now} now; "
        f"declare its kind: {name}={kind}"
    )
