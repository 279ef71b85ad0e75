"""What a caller asks for in ids: users, histories, items to show or to leave out; here they become rows."""

import numbers
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import polars as pl
from scipy.sparse import csr_array

from isotherm.data import IdMap, Interactions, Items
from isotherm.data.id_types import as_ids
from isotherm.data.wording import listed
from isotherm.errors import InteractionsError, ParameterError, brief
from isotherm.linalg.csr import filter_entries, rows_of
from isotherm.progress import note
from isotherm.ranking.topk import hide
from isotherm.types import Bools, Float32, Int64

#: what becomes of an id that the model does not know
Unknown = Literal["error", "skip", "popular"]
UNKNOWN = ("error", "skip", "popular")
#: item ids for everybody, or one list of them a user
ItemSets = Iterable[Any]
_PLAIN = (str, bytes, numbers.Number)


def is_list(value: Any) -> bool:
    """Whether ``value`` holds others; text, bytes and an array without dimensions do not."""
    is_one = isinstance(value, str | bytes) or (isinstance(value, np.ndarray) and not value.ndim)
    return isinstance(value, Iterable) and not is_one


def check_data(what: str, data: Any, kind: type) -> None:
    """That ``data`` is Interactions or Items, as ``kind`` says. Raises ParameterError with the cure."""
    if isinstance(data, kind):
        return
    given, wanted = type(data).__name__, kind.__name__
    if isinstance(data, Interactions | Items):
        cure = "clicks come first, items second: fit(clicks, items)"
    else:
        cure = f"give {wanted}.from_frame(…) or {wanted}.read(…)"
    raise ParameterError(f"{what} must be {wanted}, not {given}; {cure}")


def id_list(name: str, ids: Any) -> pl.Series | list[Any]:
    """A list of ids as it was given: list, set, generator, IdMap, NumPy, polars, pandas or Arrow column.

    Raises ParameterError for one id alone, text, a mapping, a table, a list of lists, and a missing id.
    """
    if isinstance(ids, IdMap):
        return ids.values
    if not is_list(ids) or isinstance(ids, Mapping) or _is_table(ids):
        cure = f": give [{_shown(ids)}]" if isinstance(ids, _PLAIN) else ""
        raise ParameterError(f"{name} must be a list of ids, not {_shown(ids)}{cure}")
    read: pl.Series | list[Any]
    if isinstance(ids, pl.Series) or (isinstance(ids, np.ndarray) and ids.ndim == 1 and ids.dtype != object):
        read = pl.Series(ids)
        nested, missing = read.dtype.is_nested(), int(read.null_count())
    else:
        read = ids.to_pylist() if hasattr(ids, "to_pylist") else list(ids)
        kinds = set(map(type, read))  # few, where there may be millions of ids
        nested = any(issubclass(kind, Iterable) and not issubclass(kind, str | bytes) for kind in kinds)
        missing = sum(value is None for value in read) if type(None) in kinds else 0
    if nested:
        raise ParameterError(f"{name} must be a list of ids, not a list of lists")
    if missing:
        raise ParameterError(f"{name} holds {missing} missing ids (null); leave them out")
    return read


def ordered(name: str, ids: Any) -> pl.Series | list[Any]:
    """``id_list`` of what has an order. Raises ParameterError for a set."""
    if isinstance(ids, set | frozenset):
        raise ParameterError(f"{name} must be in an order, and a set has none: give a list")
    return id_list(name, ids)


def one_id(name: str, value: Any) -> list[Any]:
    """One id, as a list of it. Raises ParameterError for a list of ids, and for none."""
    if value is None or is_list(value):
        raise ParameterError(f"{name} must be one id, not {_shown(value)}")
    return [value]


def found(ids: IdMap, asked: Any, what: str, unknown: str, done: str) -> Int64:
    """Row of each id; of an unknown one -1 where ``unknown`` is not "error".

    what: user or item.  done: what becomes of the unknown, for the note that counts them.
    """
    if unknown == "error":
        return ids.known_rows(asked, what)
    rows = ids.rows(asked)
    missing = list(dict.fromkeys(asked[int(i)] for i in np.flatnonzero(rows < 0)))
    if missing:
        note(f"{len(missing):,} unknown {what} id{'s' * (len(missing) > 1)} {done}: {listed(missing)}")
    return rows


@dataclass(frozen=True)
class Asked:
    """Whom to answer.

    ids: (n,) as they come back.  histories: (n, n_items) CSR.  places: (n,) where each stood among the
    ``given`` ones, of which some may have been skipped.
    """

    ids: pl.Series
    histories: csr_array
    places: Int64
    given: int

    @classmethod
    def all(cls, ids: pl.Series, histories: csr_array) -> Self:
        """Everybody who was given."""
        return cls(ids, histories, np.arange(len(ids)), len(ids))

    def only(self, places: Int64) -> "Asked":
        """Those at ``places``."""
        return Asked(self.ids.gather(places), self.histories[places], places, self.given)


def asked_users(users: Any, known: IdMap, unknown: str) -> tuple[pl.Series, Int64]:
    """The ids of users, as the model has them where it knows them, and their rows, -1 where it does not."""
    if users is None:
        return known.values, np.arange(len(known))
    given = id_list("users", users)
    done = "skipped" if unknown == "skip" else "answered with the popular items"
    rows = found(known, given, "user", unknown, done)
    if (rows >= 0).all():
        return known.take(rows), rows
    ids, given = known.take(np.maximum(rows, 0)), as_ids(given)
    try:
        given = given.cast(ids.dtype)
    except pl.exceptions.PolarsError:  # of another type: all as text
        ids, given = ids.cast(pl.String), given.cast(pl.String)
    return ids.zip_with(pl.Series(rows >= 0), given), rows


def asked_histories(histories: Any, items: IdMap, unknown: str) -> Asked:
    """Histories over the catalogue, as ``recommend_for`` takes them.

    One that holds nothing but unknown items is left out where ``unknown`` is "skip".
    """
    unweighted = np.zeros(0, dtype=bool)
    if isinstance(histories, Interactions):
        ids, given = histories.users.values, histories.matrix
        used = np.flatnonzero(histories.item_clicks())
        column_of = np.full(histories.n_items, -1, dtype=np.int64)
        column_of[used] = _of_histories(items, histories.items.take(used), unknown)
        columns = column_of[given.indices]
    else:
        clicked, given, unweighted = _from_lists(histories)
        ids = IdMap.numbered(given.shape[0]).values
        columns = _of_histories(items, clicked, unknown)
    left = filter_entries(given, columns >= 0)
    block = csr_array(
        (left.data, columns[columns >= 0].astype(np.int32), left.indptr), shape=(len(ids), len(items))
    )
    block.sum_duplicates()  # an item named in two ways, 1 and "1"; sorts as well
    if unweighted.any():
        block.data[unweighted[rows_of(block)]] = 1
    if not np.isfinite(block.data).all():
        raise InteractionsError("histories: an item's weights are beyond float32 when added up")
    asked = Asked.all(ids, block)
    emptied = (np.diff(given.indptr) > 0) & (np.diff(block.indptr) == 0)
    if emptied.any():
        done = "skipped" if unknown == "skip" else "answered with the popular items"
        note(f"{emptied.sum():,} of {len(ids):,} histories hold no known item; {done}")
    return asked.only(np.flatnonzero(~emptied)) if unknown == "skip" and emptied.any() else asked


def _of_histories(items: IdMap, clicked: Any, unknown: str) -> Int64:
    return found(items, clicked, "item", unknown, "left out of histories")


def _from_lists(histories: Any) -> tuple[list[Any], csr_array, Bools]:
    """All items of all histories, one after the other, and a CSR matrix of their weights in that order.

    Last, which histories (n,) have no weights: each item counts once.
    """
    if not is_list(histories) or isinstance(histories, Mapping | set | frozenset) or _is_table(histories):
        cure = ": give Interactions.from_frame(table)" if _is_table(histories) else ""
        raise ParameterError(
            "histories must be a list of histories, each a list of item ids or {item: weight}, "
            f"not {_shown(histories)}{cure}"
        )
    items: list[Any] = []
    weights: list[float] = []
    starts = [0]
    unweighted: list[bool] = []
    for number, history in enumerate(histories):
        unweighted.append(not isinstance(history, Mapping))
        if isinstance(history, Mapping):
            items += id_list(f"history {number}", list(history))
            weights += [_weight(number, item, value) for item, value in history.items()]
        else:
            once = _once(id_list(f"history {number}", history))
            items += once
            weights += [1.0] * len(once)
        starts.append(len(items))
    matrix = csr_array(
        (np.array(weights, np.float32), np.zeros(len(items), np.int32), np.array(starts)),
        shape=(len(starts) - 1, 1),
    )
    return items, matrix, np.array(unweighted, dtype=bool)


def _once(ids: Iterable[Any]) -> list[Any]:
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


@dataclass(frozen=True)
class Showable:
    """Which items may be shown.

    to_all: (n_items,) flags, or None for all.  only, never: (n_users, n_items) CSR, whose entries are the
    candidates of each user and what each must not be shown; None where that is the same for everybody.
    """

    to_all: Bools | None = None
    only: csr_array | None = None
    never: csr_array | None = None

    @classmethod
    def of(cls, items: IdMap, n_users: int | None, candidates: Any, exclude: Any, unknown: str) -> Self:
        """From ids for all, or one list a user of the ``n_users``, as ``recommend`` takes them.

        n_users: None where only ids for all will do.  unknown: what becomes of unknown candidates. What is
        excluded and unknown is never shown anyway, so it is counted and no error.
        """
        only = _item_sets("candidates", candidates, items, n_users, unknown)
        never = _item_sets("exclude", exclude, items, n_users, "skip")
        to_all = only if isinstance(only, np.ndarray) else None
        if isinstance(never, np.ndarray):
            to_all = ~never if to_all is None else to_all & ~never
        return cls(
            to_all,
            only if isinstance(only, csr_array) else None,
            never if isinstance(never, csr_array) else None,
        )

    def take(self, users: Int64) -> "Showable":
        """The same for some of the users."""
        sets = (None if matrix is None else csr_array(matrix[users]) for matrix in (self.only, self.never))
        return Showable(self.to_all, *sets)

    def hide_others(self, scores: Float32, users: slice) -> None:
        """Set the scores (n_users, n_items) of what each of the users must not be shown to -inf, in place."""
        if self.only is not None:
            only = csr_array(self.only[users])
            rows = rows_of(only)
            shown = scores[rows, only.indices]
            scores[:] = -np.inf
            scores[rows, only.indices] = shown
        if self.never is not None:
            hide(scores, csr_array(self.never[users]))


def _item_sets(
    name: str, given: Any, items: IdMap, n_users: int | None, unknown: str
) -> Bools | csr_array | None:
    """Flags (n_items,) of ids for all, or a CSR matrix (n_users, n_items) of one list a user."""
    if given is None:
        return None
    if isinstance(given, Iterator):
        given = list(given)
    lists = None if n_users is None else _lists_a_user(name, given)
    if lists is None:
        columns = found(items, id_list(name, given), "item", unknown, f"left out of {name}")
        flags = np.zeros(len(items), dtype=bool)
        flags[columns[columns >= 0]] = True
        return flags
    flat, lengths = lists
    if len(lengths) != n_users:
        raise ParameterError(
            f"{name} holds {len(lengths)} lists, and there are {n_users} users: "
            "give ids for all, or one list a user, in the order of the users"
        )
    columns = found(items, flat, "item", unknown, f"left out of {name}")
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    whole = csr_array(
        (np.ones(len(columns), bool), np.maximum(columns, 0), starts), shape=(n_users, len(items))
    )
    return filter_entries(whole, columns >= 0)


def _lists_a_user(name: str, given: Any) -> tuple[pl.Series | list[Any], Int64] | None:
    """All ids of all lists, one after the other, and the lists' lengths; None where there are no lists."""
    if isinstance(given, pl.Series):
        if given.dtype not in (pl.List, pl.Array):
            return None
        lists = given.cast(pl.List(given.dtype.inner))  # type: ignore[attr-defined]
        if lists.null_count():
            raise ParameterError(
                f"{name} holds {lists.null_count()} missing lists (null); an empty one is []"
            )
        lengths = lists.list.len()
        return id_list(name, lists.filter(lengths > 0).explode()), lengths.to_numpy().astype(np.int64)
    if not is_list(given) or isinstance(given, Mapping) or _is_table(given):
        return None
    unordered = isinstance(given, set | frozenset)
    given = given.to_pylist() if hasattr(given, "to_pylist") else list(given)
    if not any(map(is_list, given)):
        return None
    if unordered:
        raise ParameterError(f"{name} must be in an order, one list a user, and a set has none: give a list")
    for number, ids in enumerate(given):
        if not is_list(ids):
            raise ParameterError(
                f"{name} must be ids for all or one list a user, not both: entry {number} is {_shown(ids)}"
            )
    each = [list(id_list(f"{name}[{number}]", ids)) for number, ids in enumerate(given)]
    return [item for ids in each for item in ids], np.array([len(ids) for ids in each], dtype=np.int64)


def _is_table(value: Any) -> bool:
    return isinstance(value, pl.LazyFrame) or hasattr(value, "columns")


def _shown(value: Any) -> str:
    """A value for a message: itself where it is short, else its type."""
    return brief(value) if value is None or isinstance(value, _PLAIN) else f"a {type(value).__name__}"
