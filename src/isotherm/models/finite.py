"""No number that is not finite is part of a model: looked for after a fit, before a save, after a load."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from isotherm.features.metadata import may_be_missing


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
