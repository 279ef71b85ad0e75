"""Which items may be shown: candidates and excluded items, for everybody or one list per user."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data import IdMap
from isotherm.data.wording import counted
from isotherm.errors import ParameterError
from isotherm.linalg.csr import index_pointers, move_entries, rows_of
from isotherm.models.requests.ids import id_list, is_list, is_table, matched_rows, value_or_type
from isotherm.ranking.topk import hide
from isotherm.types import Bools, Int64, Scores, UserItems

#: item ids for everybody, or one list of them per user
ItemSets = Iterable[Any]


@dataclass(frozen=True)
class ItemFilter:
    """Which items may be shown.

    for_all: (n_items,) flags of what anybody may be shown, None for all.  candidates, excluded: (n_users,
    n_items) CSR, whose entries are what only each user may and must not be shown; None where there is no
    list per user.  for_each: (n_users, n_items) flags of what each may be shown, None for all.
    """

    for_all: Bools | None = None
    candidates: UserItems | None = None
    excluded: UserItems | None = None
    for_each: Bools | None = None

    @classmethod
    def of(cls, items: IdMap, n_users: int | None, candidates: Any, exclude: Any, unknown: str) -> Self:
        """From ids for all, or one list for each of the ``n_users``, as ``recommend`` takes them.

        n_users: None where only ids for all will do.  unknown: what becomes of unknown candidates. What is
        excluded and unknown is never shown anyway, so it is counted and no error.
        """
        shown = _item_sets("candidates", candidates, items, n_users, unknown)
        hidden = _item_sets("exclude", exclude, items, n_users, "skip")
        for_all = shown if isinstance(shown, np.ndarray) else None
        if isinstance(hidden, np.ndarray):
            for_all = ~hidden if for_all is None else for_all & ~hidden
        return cls(
            for_all,
            shown if isinstance(shown, csr_array) else None,
            hidden if isinstance(hidden, csr_array) else None,
        )

    def take(self, users: Int64) -> "ItemFilter":
        """The same for some of the users."""
        candidates, excluded = (
            None if sets is None else csr_array(sets[users]) for sets in (self.candidates, self.excluded)
        )
        flags = None if self.for_each is None else self.for_each[users]
        return ItemFilter(self.for_all, candidates, excluded, flags)

    def only(self, flags: Bools) -> "ItemFilter":
        """The same, and only what the flags allow: (n_items,) for all, or (n_users, n_items)."""
        if flags.ndim == 1:
            return replace(self, for_all=flags if self.for_all is None else self.for_all & flags)
        return replace(self, for_each=flags if self.for_each is None else self.for_each & flags)

    def hide_others(self, scores: Scores, users: slice) -> None:
        """Set the scores of what each of the users must not be shown to -inf, in place.

        What nobody may be shown, by ``for_all``, is left to the ranking.
        """
        if self.candidates is not None:
            candidates = csr_array(self.candidates[users])
            rows = rows_of(candidates)
            shown = scores[rows, candidates.indices]
            scores[:] = -np.inf
            scores[rows, candidates.indices] = shown
        if self.excluded is not None:
            hide(scores, csr_array(self.excluded[users]))
        if self.for_each is not None:
            scores[~self.for_each[users]] = -np.inf


def _item_sets(
    name: str, given: Any, items: IdMap, n_users: int | None, unknown: str
) -> Bools | UserItems | None:
    """Flags (n_items,) of ids for all, or a CSR matrix (n_users, n_items) of one list per user."""
    if given is None:
        return None
    if isinstance(given, Iterator):
        given = list(given)
    lists = None if n_users is None else _lists_per_user(name, given)
    if lists is None:
        columns = matched_rows(items, id_list(name, given), "item", unknown, f"left out of {name}")
        flags = np.zeros(len(items), dtype=bool)
        flags[columns[columns >= 0]] = True
        return flags
    ids, lengths = lists
    if len(lengths) != n_users:
        raise ParameterError(
            f"{name} holds {counted(len(lengths), 'list')}, and there are {n_users} users: "
            "give ids for all, or one list per user, in the order of the users"
        )
    columns = matched_rows(items, ids, "item", unknown, f"left out of {name}")
    flags, column = np.ones(len(columns), dtype=bool), np.zeros(len(columns), dtype=np.int32)
    entries = csr_array((flags, column, index_pointers(lengths)), shape=(n_users, 1))
    return move_entries(entries, columns, len(items))


def _lists_per_user(name: str, given: Any) -> tuple[pl.Series | list[Any], Int64] | None:
    """All ids of all lists, one after the other, and the lists' lengths; None where there are no lists."""
    if isinstance(given, pl.Series):
        return _lists_of_column(name, given)
    if not is_list(given) or isinstance(given, Mapping) or is_table(given):
        return None
    unordered = isinstance(given, set | frozenset)
    given = given.to_pylist() if hasattr(given, "to_pylist") else list(given)
    if not any(map(is_list, given)):
        return None
    if unordered:
        raise ParameterError(
            f"{name} must be in an order, one list per user, and a set has none: give a list"
        )
    for number, ids in enumerate(given):
        if not is_list(ids):
            raise ParameterError(
                f"{name} must be ids for all or one list per user, not both: "
                f"entry {number} is {value_or_type(ids)}"
            )
    lists = [list(id_list(f"{name}[{number}]", ids)) for number, ids in enumerate(given)]
    return [item for ids in lists for item in ids], np.array([len(ids) for ids in lists], dtype=np.int64)


def _lists_of_column(name: str, given: pl.Series) -> tuple[pl.Series | list[Any], Int64] | None:
    """``_lists_per_user`` of a column of lists."""
    if not isinstance(given.dtype, pl.List | pl.Array):
        return None
    lists = given.cast(pl.List(given.dtype.inner))
    if lists.null_count():
        raise ParameterError(
            f"{name} holds {counted(lists.null_count(), 'missing list')} (null); an empty one is []"
        )
    lengths = lists.list.len()
    return id_list(name, lists.filter(lengths > 0).explode()), lengths.to_numpy().astype(np.int64)
