"""New items as a model takes them: read as its catalogue was, and what is not known of them in one line."""

import difflib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isotherm.data import Interactions, Items
from isotherm.data.kinds import FieldType
from isotherm.data.wording import counted, names
from isotherm.models.fit_inputs import check_data

_log = logging.getLogger(__name__)
_SHOWN = 12  # fields that are named


@dataclass(frozen=True)
class NewItems:
    """Items with the fields of a model, and what their table lacks.

    absent: fields that it does not have, with a column that may be meant.  missing: field -> items without a
    value, where there are some.  ignored: columns that are no field of the model.
    """

    items: Items
    absent: Mapping[str, str]
    missing: Mapping[str, int]
    ignored: Sequence[str]

    @classmethod
    def of(cls, given: Any, schema: Mapping[str, FieldType], title: str | None = None) -> "NewItems":
        """Items, a frame or a list of dicts, as ``schema`` says.

        title: the field of the model's titles, which may be none of ``schema``.
        Raises ItemsError, naming column and row, where a value cannot be read; TypeError for what is no
        table.
        """
        if isinstance(given, Interactions):
            check_data("new items", given, Items)
        wanted = schema if title is None else {title: FieldType("text"), **schema}
        table = given if isinstance(given, Items) else Items.from_frame(given, like=wanted)
        items = table.read_as(wanted)
        others = [name for name in table.columns if name not in schema]
        absent = {name: _like(name, others) for name in schema if name not in table.columns}
        missing = {name: int(items.is_missing(name).sum()) for name in schema if name not in absent}
        ignored = [name for name in others if name not in items.schema]
        return cls(items, absent, {name: n for name, n in missing.items() if n}, ignored)

    def __str__(self) -> str:
        """«3 new items: directors not given (nothing known), plot missing for 2»."""
        parts = [f"{self._not_given()} not given (nothing known)"] if self.absent else []
        for count in sorted(set(self.missing.values())):
            fields = [name for name, missing in self.missing.items() if missing == count]
            parts.append(f"{names(fields)} missing for {count:,}")
        if self.ignored:
            parts += [f"{counted(len(self.ignored), 'column')} ignored ({names(self.ignored)})"]
        return f"{counted(len(self.items), 'new item')}: {', '.join(parts) or 'all fields given'}"

    def log(self) -> None:
        """Tell it, as a warning where something is not known or not used."""
        lacks = self.absent or self.missing or self.ignored
        _log.log(logging.WARNING if lacks else logging.INFO, "%s", self)

    def _not_given(self) -> str:
        """The absent fields."""
        shown = [name + (f" (is {like} meant?)" if like else "") for name, like in self.absent.items()]
        more = [f"{len(shown) - _SHOWN:,} more"] if len(shown) > _SHOWN else []
        return ", ".join(shown[:_SHOWN] + more)


def _like(name: str, columns: Sequence[str]) -> str:
    """The column that may be meant by a name, or nothing."""
    spelt = {column.lower(): column for column in columns}
    like = difflib.get_close_matches(name.lower(), list(spelt), 1, 0.8)
    return spelt[like[0]] if like else ""
