"""Looking at the items of a live model: searching them, one with all that is known, their fields, a map.

What is worked out is kept until the items change.
"""

import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl

from isotherm.data.kinds import FieldType
from isotherm.errors import ParameterError, brief
from isotherm.models.scorer import AddsItems, evenly
from isotherm.serving.browsing.item_map import click_embedding, coordinates
from isotherm.serving.browsing.titles import TitleSearch
from isotherm.serving.catalogue.filter_fields import ValueIndex
from isotherm.serving.catalogue.items import Id, LiveItem
from isotherm.serving.catalogue.snapshot import Snapshot
from isotherm.serving.catalogue.visible import visible_column, visible_items
from isotherm.types import Bools, Float64, Int64

_MOST_VALUES = 100  # of a field, that are told
_COLOURS = 7  # values of the field that colours the map
_MOST_POINTS = 20_000
_TITLE = 100  # characters of a title on the map


class OnTheAir(Protocol):
    """What is looked at: LiveModel, or one that workers share."""

    @property
    def snapshot(self) -> Snapshot: ...
    def now(self) -> float: ...


@dataclass(frozen=True)
class SeenItem:
    """An item as one looks at it.

    cold: nobody had clicked it in the log of the fit.  clicks: users who had.  available: may be shown now.
    values: of fields of categories and tags.  numbers: of fields of numbers; a date as text.
    put: what an editor said of it last, None for nothing.
    """

    item_id: Id
    title: str | None
    cold: bool
    clicks: int
    available: bool
    values: Mapping[str, Sequence[str]]
    numbers: Mapping[str, float | str | None]
    put: LiveItem | None


@dataclass(frozen=True)
class SeenField:
    """A field of the item table.

    values: the most frequent categories or tags, and how many items have each.  bounds: the least and the
    most of a number, None where there are none.
    """

    name: str
    type: FieldType
    values: Sequence[tuple[str, int]]
    bounds: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class ItemMap:
    """Items on a plane, the n most clicked and all new ones, as far as there is room.

    n_items: that may be shown now, more than n where there are many.  columns: (n,) of them.
    xy: (n, 2) in [-1, 1].  field: whose values colour it, None for nothing.
    values: its most frequent ones.  value: (n,) place in ``values``, -1 for none; of several the rarest.
    """

    snapshot: Snapshot
    n_items: int
    columns: Int64
    xy: Float64
    field: str | None
    values: Sequence[str]
    value: Int64

    @property
    def item_ids(self) -> list[Id]:
        """(n,) ids."""
        ids: list[Id] = self.snapshot.known.items.take(self.columns).to_list()
        return ids

    @property
    def titles(self) -> list[str | None]:
        """(n,) titles, long ones cut off."""
        titles = self.snapshot.known.labels.titles.gather(self.columns)
        return [None if title is None else title[:_TITLE] for title in titles]


class Browser:
    """What is on the air, for people who look at it.

    live: it is asked anew at each call.
    """

    def __init__(self, live: OnTheAir) -> None:
        self._live = live
        self._titles = _Kept(_title_search)
        self._values = _Kept(_value_indexes)
        self._embedding = _Kept(lambda fitted: click_embedding(fitted.model))
        self._places = _Kept(lambda snapshot: coordinates(snapshot, self._embedding(snapshot.fitted)))

    def search(self, query: str, k: int, unavailable: bool = False) -> tuple[list[SeenItem], int]:
        """The k items whose title or id fits best, and how many fit; of an empty query, the most clicked.

        unavailable: also items that are hidden, removed, or out of their time.
        """
        snapshot = self._live.snapshot
        allowed = self._allowed(snapshot, unavailable)
        rows = self._titles(snapshot).rows(query, allowed)
        column = snapshot.columns.get(query.strip(), -1)
        if column >= 0 and allowed[column]:
            rows = np.concatenate([[column], rows[rows != column]])
        return self._seen(snapshot, rows[:k]), len(rows)

    def items(self, ids: Iterable[Id], unavailable: bool = False) -> list[SeenItem]:
        """These items, in this order; unknown ones are left out."""
        snapshot = self._live.snapshot
        columns = np.array([snapshot.columns.get(str(item), -1) for item in ids], dtype=np.int64)
        columns = columns[columns >= 0]
        return self._seen(snapshot, columns[self._allowed(snapshot, unavailable)[columns]])

    def item(self, item: Id, unavailable: bool = False) -> SeenItem:
        """One. Raises UnknownIdError, for a removed one too."""
        snapshot = self._live.snapshot
        column = visible_column(snapshot, item, self._live.now(), unavailable)
        return self._seen(snapshot, np.array([column]))[0]

    def fields(self) -> list[SeenField]:
        """The title, then the fields that the model reads of new items, as far as items may be seen."""
        snapshot = self._live.snapshot
        title, schema = snapshot.known.labels.title_field, dict(snapshot.model.item_schema)
        if title is not None:
            schema = {title: schema.get(title, FieldType("text")), **schema}
        allowed, indexes = self._allowed(snapshot, unavailable=False), self._values(snapshot)
        return [
            SeenField(
                name,
                of,
                _most_frequent(indexes.get(name), allowed),
                _bounds(snapshot.known.labels.numbers.get(name), allowed),
            )
            for name, of in schema.items()
        ]

    @property
    def title_field(self) -> str | None:
        """The field that names items."""
        return self._live.snapshot.known.labels.title_field

    @property
    def new_id(self) -> int | None:
        """A number that no item has; None where ids are no whole numbers."""
        snapshot = self._live.snapshot
        ids = snapshot.catalogue.ids
        if not snapshot.model.items_.values.dtype.is_integer() or not ids:
            return None
        number = max(int(item) for item in ids)
        while str(number) in snapshot.columns or str(number) in snapshot.changes:
            number += 1
        return number

    @property
    def takes_new_items(self) -> bool:
        """Whether the model can score an item by its metadata alone."""
        return isinstance(self._live.snapshot.model, AddsItems)

    def map(self, field: str | None = None) -> ItemMap:
        """Items that may be shown now.  field: whose values colour it; None for the one of fewest values.

        Raises ParameterError for a field that holds no categories or tags.
        """
        snapshot = self._live.snapshot
        indexes, allowed = self._values(snapshot), self._allowed(snapshot, unavailable=False)
        if field is not None and field not in indexes:
            raise ParameterError(
                f"field: {brief(field)} is no field of categories or tags; there are: "
                f"{', '.join(list(indexes)[:20]) or 'none'}"
            )
        if field is None:
            filled = [name for name, index in indexes.items() if index.places]
            field = min(filled, key=lambda name: len(indexes[name].places), default=None)
        columns, value = _points(snapshot, allowed), np.full(snapshot.model.n_items, -1)
        names = [name for name, _ in _most_frequent(indexes.get(field or ""), allowed)[:_COLOURS]]
        for place, name in enumerate(names):
            value[indexes[field or ""].items_of(name)] = place
        return ItemMap(
            snapshot,
            int(allowed.sum()),
            columns,
            self._places(snapshot)[columns],
            field,
            names,
            value[columns],
        )

    def _allowed(self, snapshot: Snapshot, unavailable: bool) -> Bools:
        return visible_items(snapshot, self._live.now(), unavailable)

    def _seen(self, snapshot: Snapshot, columns: Int64) -> list[SeenItem]:
        known, available = snapshot.known, snapshot.availability.at(self._live.now())
        values = {name: column.gather(columns).to_list() for name, column in known.labels.values.items()}
        numbers = {name: column.gather(columns).to_list() for name, column in known.labels.numbers.items()}
        ids = known.items.take(columns).to_list()
        titles = known.labels.titles.gather(columns).to_list()
        return [
            SeenItem(
                ids[n],
                titles[n],
                bool(snapshot.cold[column]),
                int(known.clicks[column]),
                bool(available[column]),
                {name: list(dict.fromkeys(lists[n])) for name, lists in values.items()},
                {name: _number(column[n], name in known.labels.dates) for name, column in numbers.items()},
                snapshot.changes.get(str(ids[n])),
            )
            for n, column in enumerate(columns)
        ]


def _number(value: float | None, is_date: bool) -> float | str | None:
    """A number of an item; a date, in days since 1970, as text."""
    if value is None or not is_date:
        return value
    return str(np.datetime64(int(value), "D"))


class _Kept:
    """A function that keeps its last result, and is run once where several threads ask for the same.

    What it was asked of is not kept alive.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function, self._lock = function, threading.Lock()
        self._of: Callable[[], Any] = lambda: None
        self._result: Any = None

    def __call__(self, of: Any) -> Any:
        with self._lock:
            if self._of() is not of:
                self._result, self._of = self._function(of), weakref.ref(of)
            return self._result


def _title_search(snapshot: Snapshot) -> TitleSearch:
    ids, titles = snapshot.catalogue.ids, snapshot.catalogue.titles
    named = [str(item) if title is None else title for item, title in zip(ids, titles, strict=True)]
    return TitleSearch.of(named, snapshot.model.item_clicks())


def _value_indexes(snapshot: Snapshot) -> dict[str, ValueIndex]:
    """Which items have which value, for each field of categories or tags."""
    return {name: ValueIndex.of(lists) for name, lists in snapshot.catalogue.labels.values.items()}


def _most_frequent(index: ValueIndex | None, allowed: Bools) -> list[tuple[str, int]]:
    """Of the items that may be seen."""
    if index is None or not len(index.rows):
        return []
    begins = np.cumsum(index.lengths) - index.lengths
    counts = np.add.reduceat(allowed[index.rows].astype(np.int64), begins)
    seen = [pair for pair in zip(index.places, counts.tolist(), strict=True) if pair[1]]
    return sorted(seen, key=lambda pair: (-pair[1], pair[0]))[:_MOST_VALUES]


def _bounds(numbers: pl.Series | None, allowed: Bools) -> tuple[float, float] | None:
    """The least and the most of the items that may be seen; None where there are none."""
    values = np.empty(0) if numbers is None else numbers.filter(pl.Series(allowed)).drop_nulls().to_numpy()
    return (float(values.min()), float(values.max())) if len(values) else None


def _points(snapshot: Snapshot, allowed: Bools) -> Int64:
    """Columns of the items on the map: half of the room at most for new ones where there are too many."""
    new = np.flatnonzero(allowed & snapshot.cold)
    others = np.flatnonzero(allowed & ~snapshot.cold)
    n_new = min(len(new), max(_MOST_POINTS // 2, _MOST_POINTS - len(others)))
    best = others[np.argsort(-snapshot.known.clicks[others], kind="stable")][: _MOST_POINTS - n_new]
    return np.sort(np.concatenate([evenly(new, n_new), best]))
