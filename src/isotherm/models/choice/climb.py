"""The search that settings are learned by: from a value to one beside which none is better."""

from collections.abc import Callable, Sequence
from operator import gt
from typing import Any, TypeVar

Value = TypeVar("Value", int, float)


def climbed(
    start: Value,
    values: Sequence[Value],
    quality: Callable[[Value], Any],
    is_better: Callable[[Any, Any], bool] = gt,
) -> Value:
    """From ``start``, one of the ascending values, upwards and else downwards, as long as the next is better.

    quality: of a value; asked anew for those that were asked for before.  is_better: of two qualities.

    >>> from isotherm.models.choice.climb import climbed
    >>> climbed(1.0, [0.25, 0.5, 1.0, 2.0], lambda value: -value)
    0.25
    >>> climbed(1.0, [0.5, 1.0, 2.0], lambda value: 0.0)
    1.0
    """
    place = values.index(start)
    for direction in (1, -1):
        begun = place
        while 0 <= place + direction < len(values) and (
            is_better(quality(values[place + direction]), quality(values[place]))
        ):
            place += direction
        if place != begun:
            break
    return values[place]
