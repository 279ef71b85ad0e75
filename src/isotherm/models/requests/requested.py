"""Whom to answer: fitted users by their ids, or unseen ones by histories, as rows over the catalogue."""

import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data import IdMap, Interactions
from isotherm.data.reading.id_types import as_ids
from isotherm.errors import InteractionsError, ParameterError, brief
from isotherm.linalg.csr import groups_of, index_pointers, one_row, rows_of
from isotherm.models.requests.ids import id_list, is_list, is_table, matched_rows, value_or_type
from isotherm.progress import note
from isotherm.types import Array, Bools, Float32, Int32, Int64, UserItems


@dataclass(frozen=True)
class Requested:
    """Whom to answer.

    ids: (n,) as they come back.  histories: (n, n_items) CSR.  positions: (n,) where each stood among the
    ``n_given`` ones, of which some may have been skipped.
    """

    ids: pl.Series
    histories: UserItems
    positions: Int64
    n_given: int

    @classmethod
    def all(cls, ids: pl.Series, histories: UserItems) -> Self:
        """Everybody who was given."""
        return cls(ids, histories, np.arange(len(ids)), len(ids))

    def take(self, positions: Int64) -> "Requested":
        """Only those at ``positions``, of all that were given."""
        return Requested(self.ids.gather(positions), self.histories[positions], positions, self.n_given)


def requested_users(users: Any, known: IdMap, unknown: str) -> tuple[pl.Series, Int64]:
    """The ids of users, as the model has them where it knows them, and their rows, -1 where it does not."""
    if users is None:
        return known.values, np.arange(len(known))
    given = id_list("users", users)
    rows = matched_rows(known, given, "user", unknown, _outcome(unknown))
    if (rows >= 0).all():
        return known.take(rows), rows
    ids, given = known.take(np.maximum(rows, 0)), as_ids(given)
    try:
        given = given.cast(ids.dtype)
    except pl.exceptions.PolarsError:  # of another type: all as text
        ids, given = ids.cast(pl.String), given.cast(pl.String)
    return ids.zip_with(pl.Series(rows >= 0), given), rows


def requested_histories(histories: Any, items: IdMap, unknown: str) -> Requested:
    """Histories over the catalogue, as ``recommend_for`` takes them.

    One that holds nothing but unknown items is left out where ``unknown`` is "skip".
    """
    if isinstance(histories, Interactions):
        ids, lengths = histories.users.values, np.diff(histories.matrix.indptr)
        columns, unweighted = _columns_of_log(histories, items, unknown), np.zeros(len(ids), dtype=bool)
        entries = _Entries(columns, histories.matrix.data, lengths, unweighted)
    else:
        entries = _from_lists(histories, lambda ids: _columns_of(ids, items, unknown))
        ids = IdMap.numbered(len(entries.lengths)).values
    block = entries.over_catalogue(len(items))
    requested = Requested.all(ids, block)
    if entries.known.all():
        return requested
    emptied = (entries.lengths > 0) & (np.diff(block.indptr) == 0)
    if not emptied.any():
        return requested
    shown = f"{emptied.sum():,} of {len(ids):,} histories"
    note(f"without a known item: {shown}; {_outcome(unknown)}")
    return requested.take(np.flatnonzero(~emptied)) if unknown == "skip" else requested


def known_histories(histories: Any, items: IdMap, unknown: str) -> tuple[UserItems, Int64]:
    """A list of histories over the catalogue, (n, n_items), and how many different ids of each are unknown.

    unknown: "error" raises UnknownIdError that names them; else they are left out, and no note tells of it.
    """

    def columns_of(ids: list[Any]) -> Int32:
        if unknown == "error":
            return _columns_of(ids, items, unknown)
        rows = items.rows_of_few(ids)
        return (items.rows(ids) if rows is None else rows).astype(np.int32)

    entries = _from_lists(histories, columns_of)
    return entries.over_catalogue(len(items)), entries.lengths - entries.known_lengths


def _outcome(unknown: str) -> str:
    return "skipped" if unknown == "skip" else "answered with the popular items"


def _columns_of(clicked: Any, items: IdMap, unknown: str) -> Int32:
    """The column of each clicked item, -1 where it is unknown."""
    return matched_rows(items, clicked, "item", unknown, "left out of histories").astype(np.int32)


def _columns_of_log(log: Interactions, items: IdMap, unknown: str) -> Int32:
    """The column of each click of a log, of whose catalogue only the clicked items are looked up."""
    clicked = np.flatnonzero(log.item_clicks())
    column_of: Int32 = np.full(log.n_items, -1, dtype=np.int32)
    column_of[clicked] = _columns_of(log.items.take(clicked), items, unknown)
    columns: Int32 = column_of[log.matrix.indices]
    return columns


@dataclass(frozen=True, eq=False)
class _Entries:
    """All items of all histories, one history after the other.

    columns: (n_entries,), -1 where the item is unknown.  weights: (n_entries,) float32.  lengths: (n,) of the
    histories.  unweighted: (n,) the histories in which each item counts once, even where it is named in two
    ways.
    """

    columns: Int32
    weights: Float32
    lengths: Array
    unweighted: Bools

    @cached_property
    def known(self) -> Bools:
        """(n_entries,) which items are known."""
        flags: Bools = self.columns >= 0
        return flags

    @cached_property
    def known_lengths(self) -> Array:
        """(n,) how many items of each history are known."""
        if self.known.all():
            return self.lengths
        rows = groups_of(index_pointers(self.lengths))
        return np.bincount(rows[self.known], minlength=len(self.lengths))

    def over_catalogue(self, n_items: int) -> UserItems:
        """The histories, (n, n_items); entries of column -1 are left out.

        Raises InteractionsError where weights of an item are too large when added up.
        """
        columns, weights = self.columns[self.known], self.weights[self.known]
        if len(self.lengths) == 1 and len(set(columns.tolist())) == len(columns):
            return one_row(columns, weights, n_items)
        arrays = weights, columns, index_pointers(self.known_lengths)
        block = csr_array(arrays, shape=(len(self.lengths), n_items))
        block.sum_duplicates()  # an item named in two ways, 1 and "1"; sorts as well
        if self.unweighted.all():
            block.data[:] = 1
        elif self.unweighted.any():
            block.data[self.unweighted[rows_of(block)]] = 1
        if not np.isfinite(block.data).all():
            raise InteractionsError("histories: an item's weights are beyond float32 when added up")
        return block


def _from_lists(histories: Any, columns_of: Callable[[list[Any]], Int32]) -> _Entries:
    """Of lists of ids and of {id: weight}. Raises ParameterError for what is neither."""
    if not is_list(histories) or isinstance(histories, Mapping | set | frozenset) or is_table(histories):
        cure = ": give Interactions.from_frame(table)" if is_table(histories) else ""
        raise ParameterError(
            "histories must be a list of histories, each a list of item ids or {item: weight}, "
            f"not {value_or_type(histories)}{cure}"
        )
    items: list[Any] = []
    weights: list[float] = []
    lengths: list[int] = []
    unweighted: list[bool] = []
    for number, history in enumerate(histories):
        weighted = isinstance(history, Mapping)
        ids = id_list(f"history {number}", list(history) if weighted else history)
        ids = list(ids) if weighted else _distinct(ids)
        weights += [_weight(number, *pair) for pair in history.items()] if weighted else [1.0] * len(ids)
        items += ids
        lengths.append(len(ids))
        unweighted.append(not weighted)
    return _Entries(
        columns_of(items),
        np.array(weights, np.float32),
        np.array(lengths, np.int64),
        np.array(unweighted, dtype=bool),
    )


def _distinct(ids: Iterable[Any]) -> list[Any]:
    """Each id the first time it is named."""
    try:
        return list(dict.fromkeys(ids))
    except TypeError as cause:
        raise ParameterError(f"a history holds what cannot be an id: {cause}") from cause


def _weight(number: int, item: Any, value: Any) -> float:
    """The weight of a click. Raises InteractionsError where it is not a finite number above 0."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    with np.errstate(over="ignore", under="ignore"):
        weight = np.float32(value) if is_number and abs(value) < 1e39 else np.float32(np.nan)
    if not 0 < weight < np.inf:
        raise InteractionsError(
            f"history {number}: the weight of item {brief(item)} is {brief(value)}; "
            "a weight must be a number above 0 and finite as float32"
        )
    return float(weight)
