"""Ids as callers give them: one, a list, a column of any library; matched with those that a model knows."""

import numbers
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast, get_args

import numpy as np
import polars as pl

from isotherm.checks import one_of
from isotherm.data import IdMap
from isotherm.data.wording import counted, listed
from isotherm.errors import ParameterError, brief
from isotherm.progress import note
from isotherm.types import Int64

#: what becomes of an id that the model does not know
Unknown = Literal["error", "skip", "popular"]
_FEW = 4096  # ids that are looked up one by one
_SCALARS = (str, bytes, numbers.Number)


def unknown_policy(name: str, value: Any) -> Unknown:
    """``value`` as what becomes of unknown ids, or ParameterError."""
    return cast(Unknown, one_of(name, value, get_args(Unknown)))


def is_list(value: Any) -> bool:
    """Whether ``value`` holds others; text, bytes and an array without dimensions do not."""
    is_one = isinstance(value, str | bytes) or (isinstance(value, np.ndarray) and not value.ndim)
    return isinstance(value, Iterable) and not is_one


def is_table(value: Any) -> bool:
    """Whether ``value`` is a data frame of any library."""
    return isinstance(value, pl.LazyFrame) or hasattr(value, "columns")


def id_list(name: str, ids: Any) -> pl.Series | list[Any]:
    """A list of ids as it was given: list, set, generator, IdMap, NumPy, polars, pandas or Arrow column.

    Raises ParameterError for one id alone, text, a mapping, a table, a list of lists, and a missing id.
    """
    if isinstance(ids, IdMap):
        return ids.values
    if not is_list(ids) or isinstance(ids, Mapping) or is_table(ids):
        cure = f": give [{value_or_type(ids)}]" if isinstance(ids, _SCALARS) else ""
        raise ParameterError(f"{name} must be a list of ids, not {value_or_type(ids)}{cure}")
    read: pl.Series | list[Any]
    if isinstance(ids, pl.Series) or (isinstance(ids, np.ndarray) and ids.ndim == 1 and ids.dtype != object):
        read = pl.Series(ids)
        nested, missing = read.dtype.is_nested(), int(read.null_count())
    else:
        read = ids.to_pylist() if hasattr(ids, "to_pylist") else list(ids)
        types = set(map(type, read))  # few, where there may be millions of ids
        nested = any(issubclass(each, Iterable) and not issubclass(each, str | bytes) for each in types)
        missing = sum(value is None for value in read) if type(None) in types else 0
    if nested:
        raise ParameterError(f"{name} must be a list of ids, not a list of lists")
    if missing:
        raise ParameterError(f"{name} holds {counted(missing, 'missing id')} (null); leave them out")
    return read


def ordered_ids(name: str, ids: Any) -> pl.Series | list[Any]:
    """``id_list`` of what has an order. Raises ParameterError for a set."""
    if isinstance(ids, set | frozenset):
        raise ParameterError(f"{name} must be in an order, and a set has none: give a list")
    return id_list(name, ids)


def one_id(name: str, value: Any) -> list[Any]:
    """One id, as a list of it. Raises ParameterError for a list of ids, and for none."""
    if value is None or is_list(value):
        raise ParameterError(f"{name} must be one id, not {value_or_type(value)}")
    return [value]


def matched_rows(known: IdMap, ids: Any, what: str, unknown: str, outcome: str) -> Int64:
    """Row of each id among the ``known``; -1 for another id where ``unknown`` is not "error".

    what: user or item.  outcome: what becomes of the unknown, for the note that counts them.
    Raises UnknownIdError.
    """
    rows = known.rows_of_few(ids) if isinstance(ids, list) and len(ids) <= _FEW else None
    if unknown == "error":
        return known.known_rows(ids, what) if rows is None or (rows < 0).any() else rows
    rows = known.rows(ids) if rows is None else rows
    missing = list(dict.fromkeys(ids[int(i)] for i in np.flatnonzero(rows < 0)))
    if missing:
        note(f"{counted(len(missing), f'unknown {what} id')} {outcome}: {listed(missing)}")
    return rows


def value_or_type(value: Any) -> str:
    """A value for a message: itself where it is short, else its type."""
    return brief(value) if value is None or isinstance(value, _SCALARS) else f"a {type(value).__name__}"
