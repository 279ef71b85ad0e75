"""The fields by which items are filtered: those that hold values, numbers or dates, and the title."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl

from isotherm.data.item_labels import ItemLabels
from isotherm.data.wording import one_line
from isotherm.errors import ParameterError, brief
from isotherm.types import Bools, Float64, Int64

_SHOWN = 20  # fields that an error names
_DAY_0 = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Range:
    """Numbers, or dates as ISO text, from ``least`` to ``most``, both included; None for no bound."""

    least: float | str | None = None
    most: float | str | None = None


Condition = Sequence[str | float] | Range  #: one of these values, or a range


class FilterField(ABC):
    """One field of n items.  kind: in a word."""

    kind: str

    @abstractmethod
    def having(self, condition: Condition) -> Bools:
        """(n,) flags of the items that meet a condition; those without a value meet none.

        Raises ParameterError, in words that follow the name of the field, where it is none for this kind.
        """


class ValuesField(FilterField):
    """Categories or tags.  lists: (n,) List(String)."""

    kind = "values"

    def __init__(self, lists: pl.Series) -> None:
        self._lists = lists

    @cached_property
    def index(self) -> "ValueIndex":
        """Which items have which value."""
        return ValueIndex.of(self._lists)

    def having(self, condition: Condition) -> Bools:
        """One of the values; a number or a truth value is meant as the text that it is read as."""
        if isinstance(condition, Range):
            raise ParameterError("holds values: give a list of them, not min and max")
        flags = np.zeros(len(self._lists), dtype=bool)
        for value in condition:
            flags[self.index.items_of(as_text(value))] = True
        return flags


@dataclass(frozen=True, eq=False)
class ValueIndex:
    """Which items have which value.

    rows: of the items, those of one value together and ascending.  lengths: how many each value has.
    places: value -> its place among ``rows``.
    """

    rows: Int64
    lengths: Int64
    places: Mapping[str, slice]

    @classmethod
    def of(cls, lists: pl.Series) -> Self:
        """That of (n,) List(String)."""
        table = pl.DataFrame({"row": np.arange(len(lists)), "value": lists})
        flat = table.explode("value").drop_nulls().unique().sort("value", "row")
        runs = flat["value"].rle().struct.unnest()
        ends = runs["len"].cum_sum().to_list()
        places = map(slice, [0, *ends[:-1]], ends)
        values = dict(zip(runs["value"].to_list(), places, strict=True))
        return cls(flat["row"].to_numpy(), runs["len"].cast(pl.Int64).to_numpy(), values)

    def items_of(self, value: str) -> Int64:
        """Rows of the items that have a value."""
        return self.rows[self.places.get(value, slice(0))]


class TitleField(ValuesField):
    """What names the items.  titles: (n,) String."""

    kind = "title"

    def __init__(self, titles: pl.Series) -> None:
        super().__init__(titles.reshape((len(titles), 1)).arr.to_list())


class NumberField(FilterField):
    """Numbers.  numbers: (n,) Float64, null where nothing is known."""

    kind, _needs = "number", "give numbers"

    def __init__(self, numbers: pl.Series) -> None:
        self._numbers: Float64 = numbers.fill_null(np.nan).to_numpy()

    def having(self, condition: Condition) -> Bools:
        """One of the numbers, or within the range."""
        flags: Bools
        if isinstance(condition, Range):
            low = -np.inf if condition.least is None else self._number(condition.least)
            high = np.inf if condition.most is None else self._number(condition.most)
            if low > high:
                raise ParameterError("has a min above its max: exchange them")
            flags = (low <= self._numbers) & (self._numbers <= high)
        else:
            flags = np.isin(self._numbers, [self._number(value) for value in condition])
        return flags

    def _number(self, value: str | float) -> float:
        if isinstance(value, str | bool):
            raise ParameterError(f"holds numbers, and {brief(value)} is none")
        try:
            return float(value)
        except OverflowError:
            raise ParameterError(f"holds numbers, and {brief(value)} is too large for one") from None


class DateField(NumberField):
    """Dates.  numbers: days since 1970."""

    kind = "date"

    def _number(self, value: str | float) -> float:
        if not isinstance(value, str):
            raise ParameterError(f"holds dates: give text such as '1999-12-31', not {brief(value)}")
        try:
            return float(date.fromisoformat(value).toordinal() - _DAY_0)
        except ValueError:
            raise ParameterError(f"holds dates: write one as 1999-12-31, not {brief(value)}") from None


class OverlaidField(FilterField):
    """One field of n items, of which some were put.

    fitted: of the first items; None where they have none.  put: of the items at ``columns``.
    """

    def __init__(self, fitted: FilterField | None, put: FilterField, columns: Int64, n_items: int) -> None:
        self.kind = put.kind
        self._fitted, self._put, self._columns, self._n_items = fitted, put, columns, n_items

    def having(self, condition: Condition) -> Bools:
        """What was put counts; else what the fitted items have."""
        flags = np.zeros(self._n_items, dtype=bool)
        if self._fitted is not None:
            known = self._fitted.having(condition)
            flags[: len(known)] = known
        flags[self._columns] = self._put.having(condition)
        return flags


def overlaid(
    fitted: Mapping[str, FilterField], put: Mapping[str, FilterField], columns: Int64, n_items: int
) -> dict[str, FilterField]:
    """The fields of n items: of the first ones, and of those that were put at some columns.

    put: has all fields of ``fitted``.
    """
    return {name: OverlaidField(fitted.get(name), field, columns, n_items) for name, field in put.items()}


def filter_fields(labels: ItemLabels) -> dict[str, FilterField]:
    """Those of a catalogue, by name."""
    fields: dict[str, FilterField] = {name: ValuesField(lists) for name, lists in labels.values.items()}
    for name, numbers in labels.numbers.items():
        fields[name] = DateField(numbers) if name in labels.dates else NumberField(numbers)
    if labels.title_field is not None:
        fields[labels.title_field] = TitleField(labels.titles)
    return fields


def items_having(fields: Mapping[str, FilterField], filters: Mapping[str, Condition], n_items: int) -> Bools:
    """(n_items,) flags of the items that meet the condition of each field.

    Raises ParameterError, naming the fields that there are, for another field and for a condition that does
    not fit its field.
    """
    flags = np.ones(n_items, dtype=bool)
    for name, condition in filters.items():
        if name not in fields:
            raise ParameterError(f"filters: there is no field {brief(name)}; {_told(fields)}")
        try:
            flags &= fields[name].having(condition)
        except ParameterError as cause:
            raise ParameterError(f"filters: {brief(name)} {cause}; {_told(fields)}") from None
    return flags


def _told(fields: Mapping[str, FilterField]) -> str:
    """The fields, and what each holds."""
    shown = [f"{one_line(name, 40)} ({field.kind})" for name, field in fields.items()]
    more = f" and {len(shown) - _SHOWN:,} more" if len(shown) > _SHOWN else ""
    return f"there are: {', '.join(shown[:_SHOWN]) or 'none'}{more}"


def as_text(value: str | float) -> str:
    """A value as an item table's values are read: 3 for 3.0, true for True."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
