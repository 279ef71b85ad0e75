"""What a fitted model keeps of the item table to answer in words and to filter: titles, values, numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from isotherm.data.items import Items
from isotherm.types import Array, Float32, Float64

_OF_VALUES = ("categories", "tags")  # kinds
_MOST_VALUES = 5  # that are told of two items


@dataclass(frozen=True, eq=False)
class ItemLabels:
    """Words for the n items of a catalogue.

    titles: (n,) String, null where nothing is known.  title_field: where they come from; None for nowhere.
    values: of fields of categories and tags, (n,) List(String) without nulls.
    numbers: of fields of numbers, (n,) Float64, null where unknown.  dates: those that are days since 1970.

    >>> import polars as pl
    >>> from isotherm import Items
    >>> from isotherm.data.item_labels import ItemLabels
    >>> genres = ["Sci-Fi|Horror", "Sci-Fi"]
    >>> frame = pl.DataFrame({"item_id": [1, 2], "name": ["Alien", None], "genres": genres})
    >>> labels = ItemLabels.of(Items.from_frame(frame, kinds={"name": "text"}), fields=["genres"])
    >>> labels.titles.to_list()
    ['Alien', None]
    >>> labels.in_common("genres", 1, [0], [1.0])
    ['Sci-Fi']
    """

    titles: pl.Series
    title_field: str | None = None
    values: Mapping[str, pl.Series] = field(default_factory=dict)
    numbers: Mapping[str, pl.Series] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()

    @classmethod
    def none(cls, n_items: int) -> "ItemLabels":
        """Of a catalogue without an item table."""
        return cls(_no_titles(n_items))

    @classmethod
    def of(cls, items: Items | None, fields: Iterable[str] = (), n_items: int = 0) -> "ItemLabels":
        """Those of an item table.  fields: whose values or numbers are kept, where they hold such.

        n_items: of the catalogue, where there is no table.
        """
        if items is None:
            return cls.none(n_items)
        kept = [name for name in fields if name in items.kinds and name != items.title_field]
        values = {name: _texts(items.column(name)) for name in kept if items.kinds[name] in _OF_VALUES}
        numbers = {name: _numbers(items.column(name)) for name in kept if items.kinds[name] == "number"}
        dates = frozenset(name for name in numbers if items.schema[name].is_date)
        return cls(items.titles().cast(pl.String), items.title_field, values, numbers, dates)

    def __len__(self) -> int:
        return len(self.titles)

    def appended(self, items: Items) -> "ItemLabels":
        """These, then those of new items; a field that the new ones lack says nothing of them."""
        named = self.title_field if self.title_field in items.kinds else items.title_field
        new = Items(items.ids, items.schema, items.to_frame().drop("item_id"), named) if named else items
        values, numbers = {}, {}
        for name in self.values:
            is_there = items.kinds.get(name) in _OF_VALUES
            values[name] = _texts(items.column(name)) if is_there else _no_values(len(items))
        for name in self.numbers:
            is_there = items.kinds.get(name) == "number"
            numbers[name] = _numbers(items.column(name)) if is_there else _no_numbers(len(items))
        return self.joined(ItemLabels(new.titles().cast(pl.String), named, values, numbers, self.dates))

    def joined(self, others: "ItemLabels") -> "ItemLabels":
        """These, then those of other items, which have the same fields."""
        values = {name: pl.concat([known, others.values[name]]) for name, known in self.values.items()}
        numbers = {name: pl.concat([known, others.numbers[name]]) for name, known in self.numbers.items()}
        titles = pl.concat([self.titles, others.titles])
        return ItemLabels(titles, self.title_field or others.title_field, values, numbers, self.dates)

    def take(self, rows: Array) -> "ItemLabels":
        """Those of the items at ``rows``, in that order."""
        values = {name: column.gather(rows) for name, column in self.values.items()}
        numbers = {name: column.gather(rows) for name, column in self.numbers.items()}
        return ItemLabels(self.titles.gather(rows), self.title_field, values, numbers, self.dates)

    def in_common(
        self, name: str, row: int, others: Sequence[int] | Array, weights: Sequence[float] | Float32 | Float64
    ) -> list[str]:
        """The values of a field that an item shares with others: those of the heaviest others first.

        others: their rows.  weights: of each, > 0.  At most five; none for a field without values.
        """
        if name not in self.values:
            return []
        itself = self.values[name][row].to_list()
        weight_of = dict.fromkeys(itself, 0.0)
        theirs = self.values[name].gather(np.asarray(others, dtype=np.int64)).to_list()
        for values, weight in zip(theirs, weights, strict=True):
            for value in set(values) & weight_of.keys():
                weight_of[value] += float(weight)
        shared = [value for value in weight_of if weight_of[value] > 0]
        return sorted(shared, key=lambda value: -weight_of[value])[:_MOST_VALUES]


def _texts(column: pl.Series) -> pl.Series:
    """The values of categories or tags as lists of text."""
    if isinstance(column.dtype, pl.List) and isinstance(column.dtype.inner, pl.Struct):
        column = column.list.eval(pl.element().struct.field("value"))
    return column.cast(pl.List(pl.String)).fill_null([]).rename("")


def _numbers(column: pl.Series) -> pl.Series:
    return column.cast(pl.Float64).rename("")


def _no_titles(n: int) -> pl.Series:
    return pl.Series([None] * n, dtype=pl.String)


def _no_values(n: int) -> pl.Series:
    return pl.Series([[]] * n, dtype=pl.List(pl.String))


def _no_numbers(n: int) -> pl.Series:
    return pl.Series([None] * n, dtype=pl.Float64)
