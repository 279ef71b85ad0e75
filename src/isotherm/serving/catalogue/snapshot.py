"""A fitted model with the changes of its items: one state of what is on the air, which never changes."""

import time
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data import IdMap, Items
from isotherm.linalg.csr import scale_rows
from isotherm.models.base import Recommender
from isotherm.models.catalogue import extended_catalogue
from isotherm.models.mmr import mean_cosine
from isotherm.models.requests.catalogue import Catalogue
from isotherm.serving.catalogue.availability import Availability
from isotherm.serving.catalogue.catalogue import LiveCatalogue
from isotherm.serving.catalogue.filter_fields import FilterField, ValueIndex
from isotherm.serving.catalogue.items import LiveItem
from isotherm.serving.catalogue.reading import read_items
from isotherm.serving.catalogue.told_fields import told_fields
from isotherm.types import Bools, Float64, Int64, ItemFeatures

_FAR = 2**61  # ids from here on are given to columns that items left


@dataclass(frozen=True, eq=False)
class FittedModel:
    """A model as it was fitted.  loaded: seconds since 1970."""

    name: str
    model: Recommender
    loaded: float = field(default_factory=time.time)

    @cached_property
    def catalogue(self) -> LiveCatalogue:
        """Its items in words."""
        return LiveCatalogue.of(self.model)

    @property
    def items(self) -> Mapping[str, int]:
        """Column of each item, by its id as text."""
        return self.catalogue.columns

    @cached_property
    def users(self) -> dict[str, int]:
        """Row of each user, by its id as text."""
        return {str(user): row for row, user in enumerate(self.model.users_.values.to_list())}


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model with all its items.

    fitted: where it came from.  model: with the added items.
    changes: id as text -> item, of all that were put, also what was removed or this model does not know.
    version: rises with each change.
    """

    fitted: FittedModel
    model: Recommender
    changes: Mapping[str, LiveItem]
    catalogue: LiveCatalogue
    availability: Availability
    version: int

    @classmethod
    def of(cls, fitted: FittedModel, changes: Mapping[str, LiveItem], version: int) -> "Snapshot":
        """The model with the items of ``changes`` that it does not know added to a copy."""
        return cls.bare(fitted, version)._with(changes, version)

    @classmethod
    def bare(cls, fitted: FittedModel, version: int) -> "Snapshot":
        """The model as it was fitted."""
        always = Availability.always(len(fitted.catalogue))
        return cls(fitted, fitted.model, {}, fitted.catalogue, always, version)

    def with_items(self, items: Iterable[LiveItem]) -> "Snapshot":
        """This with items put; those that are added go to a copy of this model.

        An added item that is removed, or has other metadata, leaves its column behind, which is never shown.
        Raises ItemsError where metadata cannot be read, UnsupportedError where the model takes no new items.
        """
        return self._with({item.key: item for item in items}, self.version + 1)

    def _with(self, put: Mapping[str, LiveItem], version: int) -> "Snapshot":
        left = {key: self.columns[key] for key, item in put.items() if self._leaves(item)}
        staying = self.columns if not left else {key: n for key, n in self.columns.items() if key not in left}
        new = [item for item in put.values() if item.is_new_to(staying)]
        others = [item for key, item in put.items() if key in staying]
        plain = [item for item in others if item.key in self.fitted.items and not item.tells]
        told = [*new, *(item for item in others if item.key not in self.fitted.items or item.tells)]
        read = read_items(self.fitted.model, told) if told else None
        model = self.model if not left else _renamed(self.model, left.values(), self.columns)
        if new and read is not None:
            model = _extended(model, read.take(np.arange(len(new))))
        added = model.items_.values[len(self.catalogue) :].to_list()
        catalogue = self.catalogue.without(left).with_items(added, read, [item.key for item in plain])
        columns = [(catalogue.columns[item.key], item) for item in [*new, *others]]
        gone = [(column, replace(put[key], hidden=True)) for key, column in left.items()]
        availability = self.availability.with_items(len(catalogue), [*columns, *gone])
        return Snapshot(self.fitted, model, {**self.changes, **put}, catalogue, availability, version)

    def _leaves(self, item: LiveItem) -> bool:
        """Whether an added item leaves its column: it is gone, or another by what the model reads."""
        if item.key in self.fitted.items or item.key not in self.columns:
            return False
        before, after = self.changes[item.key].metadata or {}, item.metadata or {}
        fields = self.fitted.model.item_schema
        is_other = any(before.get(name) != after.get(name) for name in fields)
        return item.removed or bool(item.unread) or is_other

    @property
    def columns(self) -> Mapping[str, int]:
        """Column of each item, by its id as text."""
        return self.catalogue.columns

    @cached_property
    def known(self) -> Catalogue:
        """Ids, words and clicks of the items, for explanations."""
        return Catalogue(self.model.items_, self.catalogue.labels, self.model.item_clicks())

    @property
    def filter_fields(self) -> Mapping[str, FilterField]:
        """The fields by which items are filtered."""
        return self.catalogue.fields

    @cached_property
    def told_fields(self) -> Mapping[str, FilterField]:
        """More of them, that only items that were put have; made where somebody asks for one."""
        return told_fields(self.changes, self.catalogue.columns, len(self.catalogue))

    @cached_property
    def cold(self) -> Bools:
        """(n_items,) whether nobody had clicked the item in the log of the fit."""
        flags: Bools = self.model.item_clicks() == 0
        return flags

    @cached_property
    def directions(self) -> ItemFeatures:
        """(n_items, n_values) rows of unit length by which two items are likened, or zero: each field of
        categories or tags is worth the same."""
        rows: list[Int64] = [np.empty(0, dtype=np.int64)]
        columns, n_values = [np.empty(0, dtype=np.int64)], 0
        data: list[Float64] = [np.empty(0)]
        for index in self._value_indexes():
            counts = np.bincount(index.rows, minlength=len(self.catalogue))
            rows.append(index.rows)
            columns.append(n_values + np.repeat(np.arange(len(index.lengths)), index.lengths))
            data.append(1 / np.sqrt(counts[index.rows]))
            n_values += len(index.lengths)
        entries = np.concatenate(data), (np.concatenate(rows), np.concatenate(columns))
        matrix = csr_array(entries, shape=(len(self.catalogue), n_values))
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        unit = scale_rows(matrix, np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0))
        return csr_array(unit.astype(np.float32))

    def _value_indexes(self) -> list[ValueIndex]:
        """That of each field of categories or tags."""
        return [ValueIndex.of(lists) for lists in self.catalogue.labels.values.values()]

    @cached_property
    def mean_cosine(self) -> float:
        """Of two items: how alike an item without categories and tags is to another."""
        return mean_cosine(self.directions)


def _extended(model: Recommender, new: Items) -> Recommender:
    """A copy with new items; ``add_items`` would tell of each what is not known of it, in each worker."""
    extended = copy(model)
    extended._extend(new, extended_catalogue(model.items_, new))
    return extended


def _renamed(model: Recommender, columns: Iterable[int], known: Mapping[str, int]) -> Recommender:
    """A copy whose items at some columns have ids that no item has: another item may have theirs."""
    dtype, renamed = model.items_.values.dtype, copy(model)
    ids = model.items_.values.to_list()
    for column in columns:
        ids[column] = _unused(column, known, dtype) if dtype.is_integer() else f"\0{column}"
    renamed.items_ = IdMap._unique(pl.Series("id", ids, dtype=dtype))
    return renamed


def _unused(column: int, known: Mapping[str, int], dtype: pl.DataType) -> int:
    sign, number = (1 if dtype.is_unsigned_integer() else -1), _FAR + column
    while str(sign * number) in known:
        number += 2**32
    return sign * number
