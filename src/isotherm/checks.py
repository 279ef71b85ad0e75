"""Checks of numbers and words that a person may set: NumPy's count as Python's, and a refusal says the range.

A float fits into float32, in which models compute, and a whole number into 32 bits.
"""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from isotherm.errors import ParameterError, brief

LARGEST = 3.4e38  #: of float32
MOST = 2**31 - 1  #: of counts and sizes
_LAST_SEED = 2**32 - 1  # the most that every generator in use takes


def at_least(name: str, value: Any, least: float) -> float:
    """``value`` as a number >= least, or ParameterError."""
    return float(_number(name, value, least, LARGEST, "[]"))


def above(name: str, value: Any, bound: float) -> float:
    """``value`` as a number > bound, or ParameterError."""
    return float(_number(name, value, bound, LARGEST, "(]"))


def between(name: str, value: Any, low: float, high: float, ends: str = "[]") -> float:
    """``value`` as a number between two others, or ParameterError.

    ends: what belongs to the range, as in [low, high], (low, high], [low, high) and (low, high).
    """
    return float(_number(name, value, low, high, ends))


def whole(name: str, value: Any, least: int, most: int = MOST) -> int:
    """``value`` as a whole number from ``least`` to ``most``, or ParameterError."""
    return int(_number(name, value, least, most, "[]", whole=True))


def seeded(name: str, value: Any) -> int:
    """``value`` as a seed, or ParameterError."""
    return whole(name, value, 0, _LAST_SEED)


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> str:
    """``value`` if it is one of ``choices``, or ParameterError."""
    if not isinstance(value, str) or value not in choices:
        raise ParameterError(f"{name} must be one of {', '.join(map(repr, choices))}, not {brief(value)}")
    return str(value)


def auto_or_above(name: str, value: Any, bound: float) -> float | str:
    """``value`` as a number > bound, or "auto", or ParameterError."""
    return "auto" if is_text(value, "auto") else above(name, value, bound)


def is_text(value: Any, word: str) -> bool:
    """Whether ``value`` is that word; an array is none."""
    return isinstance(value, str) and value == word


def number_or_auto(name: str, value: Any, check: Callable[[str, Any], float]) -> float | str:
    """``value`` as a number that ``check`` passes, or "auto"; or ParameterError."""
    return "auto" if is_text(value, "auto") else check(name, value)


def settled(name: str, value: float | str) -> float:
    """``value`` where it is a number; ParameterError where a fit is still to choose it."""
    if isinstance(value, str):
        raise ParameterError(f'{name}="auto" is chosen when a model is fitted; give a number here')
    return value


def truth(name: str, value: Any) -> bool:
    """``value`` as True or False (NumPy's, too), or ParameterError."""
    if not isinstance(value, bool | np.bool_):
        raise ParameterError(f"{name} must be true or false, not {brief(value)}")
    return bool(value)


def verbosity(value: Any) -> bool | None:
    """``verbose`` of a call as True, False or None, or ParameterError; 0 is False, and 1 and more True."""
    if value is None:
        return None
    if not isinstance(value, bool | np.bool_ | Integral) or int(value) < 0:
        raise ParameterError(f"verbose must be true, false or None, not {brief(value)}")
    return bool(value)


def names(name: str, value: Any) -> list[str] | None:
    """``value`` as a list of different names, None for all; or ParameterError."""
    if value is None:
        return None
    listed = [value] if isinstance(value, str) else value
    listed = list(listed) if isinstance(listed, Iterable) and not isinstance(listed, Mapping | bytes) else []
    if not listed or not all(isinstance(each, str) for each in listed):
        raise ParameterError(
            f"{name} must be names of fields, not {brief(value)}; a name that looks like a number goes in "
            f'quotes: {name}=["1999"]'
        )
    twice = next((each for each in listed if listed.count(each) > 1), None)
    if twice is not None:
        raise ParameterError(f"{name} names {brief(twice)} twice")
    return [str(each) for each in listed]


def folder_name(name: str, value: Any) -> str | None:
    """``value`` as the path of a folder, or None; or ParameterError."""
    if value is not None and not isinstance(value, str | os.PathLike):
        raise ParameterError(f"{name} must be the path of a folder, not {brief(value)}")
    return None if value is None else os.fsdecode(value)


def metric_at(name: str, value: Any, metrics: Iterable[str]) -> tuple[str, int]:
    """("ndcg", 100) of "ndcg@100", or ParameterError."""
    found = re.fullmatch(r"([a-z]+)@([1-9][0-9]{0,8})", value) if isinstance(value, str) else None
    if found is None or found[1] not in metrics:
        raise ParameterError(
            f"{name} must be one of {', '.join(metrics)} with @ and a length, like ndcg@100, "
            f"not {brief(value)}"
        )
    return found[1], int(found[2])


def _number(name: str, value: Any, low: float, high: float, ends: str, whole: bool = False) -> float:
    """``value`` if it is in the range; comparisons alone, so that neither NaN nor 400 digits get through."""
    plain = value.item() if isinstance(value, np.generic) else value
    number = isinstance(plain, Real) and not isinstance(plain, bool)
    if number:
        after = plain > low if ends[0] == "(" else plain >= low
        before = plain < high if ends[1] == ")" else plain <= high
        if after and before and (not whole or plain == int(plain)):
            return float(plain)
    span = f"{'>' if ends[0] == '(' else '>='} {_figure(low)}"
    if high not in (LARGEST, MOST) or (number and plain > high):  # else what the machine can hold goes unsaid
        span += f" and {'<' if ends[1] == ')' else '<='} {_figure(high)}"
    raise ParameterError(f"{name} must be a {'whole ' * whole}number {span}, not {brief(value)}")


def _figure(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
