"""The items of a snapshot in words: ids, titles, and the fields by which they are filtered.

Those of the fit are read once; what was put since lies over them. So a change costs as much as what was put.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from isotherm.data import Items
from isotherm.data.item_labels import ItemLabels
from isotherm.models.base import Recommender
from isotherm.serving.catalogue.filter_fields import FilterField, filter_fields, overlaid
from isotherm.serving.catalogue.items import Id
from isotherm.types import Int64


@dataclass(frozen=True, eq=False)
class FittedWords:
    """What a fitted model says of its items."""

    labels: ItemLabels

    @cached_property
    def fields(self) -> Mapping[str, FilterField]:
        """By which they are filtered."""
        return filter_fields(self.labels)


@dataclass(frozen=True, eq=False)
class LiveCatalogue:
    """The n items that a model can answer with; it never changes.

    ids: of each column, as the model has them.  titles: of each, None where unknown.
    columns: of each item, by its id as text.
    fitted: words of the first items, those of the fit.
    put, put_columns: words of the items of which something was put, and their columns.
    left: columns that items have left; never shown.
    """

    ids: Sequence[Id]
    titles: Sequence[str | None]
    columns: Mapping[str, int]
    fitted: FittedWords
    put: ItemLabels
    put_columns: Int64
    left: frozenset[int] = frozenset()

    @classmethod
    def of(cls, model: Recommender) -> "LiveCatalogue":
        """That of a model as it was fitted."""
        ids, labels, nothing = model.items_.values.to_list(), model.labels_, np.empty(0, dtype=np.int64)
        columns = {str(item): column for column, item in enumerate(ids)}
        return cls(ids, labels.titles.to_list(), columns, FittedWords(labels), labels.take(nothing), nothing)

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, left: Mapping[str, int]) -> "LiveCatalogue":
        """Without some added items.  left: their columns, by the id as text."""
        if not left:
            return self
        columns = {key: column for key, column in self.columns.items() if key not in left}
        return replace(self, columns=columns, left=self.left | set(left.values()))

    def with_items(self, added: Sequence[Id], put: Items | None, plain: Sequence[str]) -> "LiveCatalogue":
        """With more items behind the others, and other words for some.

        added: all of them are put.  put: what is said now of new and of known items, read as the model says.
        plain: ids as text of known items whose words are those of the fit again.
        """
        columns = {**self.columns, **{str(item): len(self) + n for n, item in enumerate(added)}}
        told = [] if put is None else [columns[str(item)] for item in put.ids.values.to_list()]
        again = [columns[key] for key in plain]
        kept = np.flatnonzero(~np.isin(self.put_columns, [*told, *again]))
        words = self.put.take(kept)
        words = words if put is None else words.appended(put)
        titles = [*self.titles, *[None] * len(added)]
        for column, title in zip(told, words.titles[len(kept) :].to_list(), strict=True):
            titles[column] = title
        for column in again:
            titles[column] = self.fitted.labels.titles[column]
        put_columns = np.concatenate([self.put_columns[kept], np.array(told, dtype=np.int64)])
        ids = [*self.ids, *added]
        return LiveCatalogue(ids, titles, columns, self.fitted, words, put_columns, self.left)

    @cached_property
    def labels(self) -> ItemLabels:
        """Words of all items, by column."""
        fitted = self.fitted.labels
        if not len(self.put):
            return fitted
        place = np.arange(len(self))
        place[self.put_columns] = len(fitted) + np.arange(len(self.put))
        return fitted.joined(self.put).take(place)

    @cached_property
    def fields(self) -> Mapping[str, FilterField]:
        """By which the items are filtered."""
        if not len(self.put):
            return self.fitted.fields
        return overlaid(self.fitted.fields, filter_fields(self.put), self.put_columns, len(self))
