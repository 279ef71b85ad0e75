"""A fitted model with the changes of its items: one state of what is on the air, which never changes."""

import time
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from isotherm.data import IdMap
from isotherm.data.item_labels import ItemLabels
from isotherm.linalg.csr import scale_rows
from isotherm.models.base import Recommender
from isotherm.models.mmr import mean_cosine
from isotherm.models.new_items import NewItems
from isotherm.models.requests.catalogue import Catalogue
from isotherm.serving.live.filter_fields import (
    FilterField,
    ValueIndex,
    ValuesField,
    filter_fields,
)
from isotherm.serving.live.items import LiveItem
from isotherm.types import Bools, Float64, Int64, ItemFeatures


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model as it was fitted.  loaded: seconds since 1970."""

    name: str
    model: Recommender
    loaded: float = field(default_factory=time.time)

    @cached_property
    def items(self) -> dict[str, int]:
        """Column of each item, by its id as text."""
        return _rows_by_text(self.model.items_)

    @cached_property
    def users(self) -> dict[str, int]:
        """Row of each user, by its id as text."""
        return _rows_by_text(self.model.users_)


@dataclass(frozen=True, eq=False)
class Availability:
    """Of each of n items: whether it is shown at all, and from when until when, in seconds since 1970."""

    shown: Bools
    opens: Float64
    closes: Float64

    def at(self, now: float) -> Bools:
        """(n,) flags of what may be shown now; a new array."""
        flags: Bools = self.shown & (self.opens <= now) & (now < self.closes)
        return flags


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model with all its items.

    fitted: where it came from.  model: with the added items.
    changes: id as text -> item, of all that were put, also what was removed or this model does not know.
    known: ids, words and clicks of the items.  columns: of each item, by its id as text.
    version: rises with each change.
    """

    fitted: FittedModel
    model: Recommender
    changes: Mapping[str, LiveItem]
    known: Catalogue
    columns: Mapping[str, int]
    availability: Availability
    version: int

    @classmethod
    def of(cls, fitted: FittedModel, changes: Mapping[str, LiveItem], version: int) -> "Snapshot":
        """The model with the items of ``changes`` that it does not know added to a copy."""
        new = [item for item in changes.values() if item.is_new_to(fitted.items)]
        return cls._with(fitted, _extended(fitted.model, new), changes, version)

    def with_items(self, items: Iterable[LiveItem]) -> "Snapshot":
        """This with items put; those that are only added go to a copy of this model.

        Raises ItemsError where metadata cannot be read, UnsupportedError where the model takes no new items.
        """
        put = {item.key: item for item in items}
        changes = {**self.changes, **put}
        if any(self._is_other(item) for item in put.values()):
            return Snapshot.of(self.fitted, changes, self.version + 1)
        new = [item for item in put.values() if item.is_new_to(self.columns)]
        return self._with(self.fitted, _extended(self.model, new), changes, self.version + 1)

    @classmethod
    def _with(
        cls, fitted: FittedModel, model: Recommender, changes: Mapping[str, LiveItem], version: int
    ) -> "Snapshot":
        columns = dict(fitted.items)
        added = model.items_.values[len(columns) :].to_list()
        columns |= {str(item): len(fitted.items) + n for n, item in enumerate(added)}
        labels = _labels(fitted, changes, columns)
        known = Catalogue(model.items_, labels, model.item_clicks())
        return cls(fitted, model, changes, known, columns, _availability(changes, columns), version)

    def _is_other(self, item: LiveItem) -> bool:
        """Whether an added item is removed, or has other metadata than it was added with."""
        if item.key in self.fitted.items or item.key not in self.columns:
            return False
        return item.removed or item.metadata != self.changes[item.key].metadata

    @cached_property
    def cold(self) -> Bools:
        """(n_items,) whether nobody had clicked the item in the log of the fit."""
        flags: Bools = self.known.clicks == 0
        return flags

    @cached_property
    def filter_fields(self) -> Mapping[str, FilterField]:
        """The fields by which items are filtered."""
        return filter_fields(self.known.labels)

    @cached_property
    def directions(self) -> ItemFeatures:
        """(n_items, n_values) rows of unit length by which two items are likened, or zero: each field of
        categories or tags is worth the same."""
        rows: list[Int64] = [np.empty(0, dtype=np.int64)]
        columns, n_values = [np.empty(0, dtype=np.int64)], 0
        data: list[Float64] = [np.empty(0)]
        for index in self._value_indexes():
            counts = np.bincount(index.rows, minlength=len(self.known.items))
            rows.append(index.rows)
            columns.append(n_values + np.repeat(np.arange(len(index.lengths)), index.lengths))
            data.append(1 / np.sqrt(counts[index.rows]))
            n_values += len(index.lengths)
        entries = np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))
        matrix = csr_array(entries, shape=(len(self.known.items), n_values))
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        unit = scale_rows(matrix, np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0))
        return csr_array(unit.astype(np.float32))

    def _value_indexes(self) -> list[ValueIndex]:
        """That of each field of categories or tags."""
        fields = [self.filter_fields[name] for name in self.known.labels.values]
        return [field.index for field in fields if isinstance(field, ValuesField)]

    @cached_property
    def mean_cosine(self) -> float:
        """Of two items: how alike an item without categories and tags is to another."""
        return mean_cosine(self.directions)


def _rows_by_text(ids: IdMap) -> dict[str, int]:
    return {str(value): row for row, value in enumerate(ids.values.to_list())}


def _extended(model: Recommender, new: list[LiveItem]) -> Recommender:
    """The model itself, or a copy with new items."""
    return copy(model).add_items([item.record for item in new]) if new else model


def _labels(fitted: FittedModel, changes: Mapping[str, LiveItem], columns: Mapping[str, int]) -> ItemLabels:
    """Titles and values of all items, the changed ones as they were put last."""
    labels, n_fitted = fitted.model.labels_, len(fitted.items)
    there = [item for key, item in changes.items() if key in columns]
    put = [item for item in there if item.metadata or item.key not in fitted.items]
    if not put:
        return labels
    schema = fitted.model.item_schema
    read = NewItems.of([item.record for item in put], schema, labels.title_field).items
    place = np.arange(len(columns))
    place[[columns[item.key] for item in put]] = n_fitted + np.arange(len(put))
    return labels.appended(read).take(place)


def _availability(changes: Mapping[str, LiveItem], columns: Mapping[str, int]) -> Availability:
    n = len(columns)
    flags = Availability(np.ones(n, dtype=bool), np.full(n, -np.inf), np.full(n, np.inf))
    for item in changes.values():
        column = columns.get(item.key, -1)
        if column < 0:
            continue
        flags.shown[column] = not (item.hidden or item.removed)
        if item.available_from is not None:
            flags.opens[column] = item.available_from
        if item.available_until is not None:
            flags.closes[column] = item.available_until
    return flags
