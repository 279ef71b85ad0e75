"""The arguments of ``evaluate``, checked."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import polars as pl

from isotherm.checks import names, one_of, seeded, whole
from isotherm.data import Items
from isotherm.errors import ParameterError, brief
from isotherm.evaluation.groups import GROUPINGS
from isotherm.models.fit_inputs import check_data
from isotherm.models.requests.ids import id_list

Called = TypeVar("Called", bound=Callable[..., object] | None)

CANDIDATES = ("catalogue", "clicked")


@dataclass(frozen=True)
class EvaluationOptions:
    """What is asked of every model; ``evaluate`` says what each means."""

    items: Items | None
    ks: list[int]  #: ascending
    seed: int
    candidates: str
    users: pl.Series | list[Any] | None
    by: list[str]
    fields: list[str] | None
    available_column: str | None  #: of ``items``, None where none is named

    @classmethod
    def checked(
        cls,
        items: Items | None,
        ks: Sequence[int],
        seed: int,
        candidates: str,
        users: Iterable[Any] | None,
        by: Sequence[str],
        fields: Sequence[str] | None,
        available_column: str | None = None,
    ) -> "EvaluationOptions":
        """Raises ParameterError for what is no possible value."""
        if items is not None:
            check_data("items", items, Items)
        if fields is not None and items is None:
            raise ParameterError("fields are those of an item table; give items, too")
        return cls(
            items,
            lengths(ks),
            seeded("seed", seed),
            one_of("candidates", candidates, CANDIDATES),
            None if users is None else id_list("users", users),
            _groupings(by),
            names("fields", fields),
            _available_column(available_column, items),
        )


def lengths(ks: Sequence[int]) -> list[int]:
    """List lengths, ascending. Raises ParameterError where one is no whole number >= 1, or there is none."""
    listed = [ks] if isinstance(ks, str | bytes) or not isinstance(ks, Iterable) else list(ks)
    if not listed:
        raise ParameterError("k must be whole numbers >= 1, not an empty list")
    for k in listed:
        try:
            whole("k", k, 1)
        except ParameterError as cause:
            raise ParameterError(f"k must be whole numbers >= 1, not {brief(k)}") from cause
    return sorted({int(k) for k in listed})


def _available_column(name: str | None, items: Items | None) -> str | None:
    """The name, if it is one of the table's fields. Raises ParameterError, ItemsError."""
    if name is None:
        return None
    if items is None:
        raise ParameterError("available_column is one of the item table; give items, too")
    if not isinstance(name, str):
        raise ParameterError(f"available_column must be the name of a field, not {brief(name)}")
    items.column(name)
    return name


def called(name: str, function: Called, given: str) -> Called:
    """``function`` if it is None or can be called. Raises ParameterError."""
    if function is not None and not callable(function):
        raise ParameterError(
            f"{name} is a function that is given the {given} so far, not {brief(function)}: "
            'lambda found: found.write_json("out.json")'
        )
    return function


def _groupings(by: Sequence[str]) -> list[str]:
    """Names of groupings, each once. Raises ParameterError."""
    if not isinstance(by, Iterable):
        raise ParameterError(f"by is a list of {' and '.join(GROUPINGS)}, not {brief(by)}")
    listed = [by] if isinstance(by, str) else list(by)
    return list(dict.fromkeys(one_of("by", name, tuple(GROUPINGS)) for name in listed))
