"""What an editor says of an item: its metadata, whether it is hidden, and when it may be shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isotherm.data import IdMap
from isotherm.errors import ItemsError, ParameterError, brief

Id = int | str

_MOST = 2**63  # ids that are numbers fit 64 bits


@dataclass(frozen=True)
class LiveItem:
    """An item as it is put.

    metadata: field -> value, as ``add_items`` reads it; None for what was put before.
    available_from, available_until: seconds since 1970 (UTC); shown from the first, and no more from the
    last; None for no bound.  hidden: not shown.
    removed: not shown, by no later model either, until it is put anew.
    of_fit: the model on the air was fitted with it: a later one that was not does not take it up.
    unread: why the model on the air cannot read it: it is left out. Empty where it can.
    """

    item_id: Id
    metadata: Mapping[str, Any] | None = None
    available_from: float | None = None
    available_until: float | None = None
    hidden: bool = False
    removed: bool = False
    of_fit: bool = False
    unread: str = ""

    def __post_init__(self) -> None:
        if "item_id" in (self.metadata or {}):
            raise ItemsError(f"item {brief(self.item_id)}: metadata holds item_id; leave it out")
        begin, end = self.available_from, self.available_until
        if begin is not None and end is not None and not begin < end:
            raise ParameterError(
                f"item {brief(self.item_id)}: available_until is not after available_from; exchange them"
            )

    @property
    def key(self) -> str:
        """The id as text, by which it is looked up."""
        return str(self.item_id)

    def is_new_to(self, known: Mapping[str, int]) -> bool:
        """Whether a model that knows those items takes this one up."""
        is_there = not self.removed and not self.unread
        return is_there and self.key not in known and bool(self.metadata or not self.of_fit)

    @property
    def tells(self) -> bool:
        """Whether it has metadata that the model on the air can read."""
        return bool(self.metadata) and not self.unread

    @property
    def record(self) -> dict[str, Any]:
        """A row of an item table."""
        return {"item_id": self.item_id, **(self.metadata or {})}


def id_like(known: IdMap, given: int | str) -> int | str:
    """An id of the type of the known ones, whether it came as text or as a number.

    Raises ItemsError where text is no whole number and the known ids are, and for ids of other types.
    """
    dtype = known.values.dtype
    if dtype.is_integer():
        try:
            number = int(given)
        except ValueError:
            number = None
        if number is None or str(number) != str(given) or not -_MOST <= number < _MOST:
            raise ItemsError(f"item {brief(given)}: the model's items have whole numbers as ids; give one")
        return number
    if dtype.is_float() or dtype.is_temporal():
        raise ItemsError(f"items cannot be put where ids are {dtype}: fit the model on text or whole numbers")
    if not str(given):
        raise ItemsError("an item's id is empty; give one")
    return str(given)
