"""No number that is not finite is part of a model: looked for after a fit, before a save, after a load."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isotherm.errors import InteractionsError, TrainingError
from isotherm.features.metadata import may_be_missing

_LEAST, _LARGEST = 1e-15, 1e15  # click weights whose squares, summed over millions of users, fit into float32


def check_weights(weights: NDArray[np.float32]) -> None:
    """Raise InteractionsError where float32 cannot add up the squares of click weights."""
    low, high = float(weights.min()), float(weights.max())
    if low < _LEAST or high > _LARGEST:
        raise InteractionsError(
            f"click weights go from {low:.3g} to {high:.3g}, and models compute in float32: scale them so "
            f"that they lie between {_LEAST:g} and {_LARGEST:g}, or leave them out"
        )


@contextmanager
def solvable(what: str) -> Iterator[None]:
    """Raise TrainingError, with the cure, where ``what`` meets a system that cannot be solved."""
    try:
        yield
    except (ArithmeticError, np.linalg.LinAlgError) as cause:
        raise TrainingError(
            f"{what} met a system that float32 cannot solve ({cause}): raise the regularization (l2) or "
            "bring the click weights nearer to each other"
        ) from cause


def not_finite(arrays: Mapping[str, NDArray[Any]], document: Any = None) -> str | None:
    """The name of the first array, or the dotted name in the plain JSON, that holds NaN or infinity.

    None where all is finite. NaN in an encoded number field says that an item has no value: it is allowed.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not _is_finite(array, may_be_missing(name, array)):
            return name
    return _in_document(document, "")


def _is_finite(array: NDArray[Any], missing: bool) -> bool:
    if missing:
        array = array[~np.isnan(array)]
    if not array.size:
        return True
    # NaN survives both, and neither needs a second array
    return math.isfinite(array.min()) and math.isfinite(array.max())


def _in_document(value: Any, name: str) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else name
    inside: Mapping[Any, Any] = {}
    if isinstance(value, Mapping):
        inside = value
    elif isinstance(value, list | tuple):
        inside = dict(enumerate(value))
    found = (_in_document(inner, f"{name}.{key}".lstrip(".")) for key, inner in inside.items())
    return next((where for where in found if where is not None), None)
