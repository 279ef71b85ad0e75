"""What float32 can compute with, and an error with the cure where it cannot."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from isotherm.errors import InteractionsError, ScoreError, TrainingError
from isotherm.types import Float32

_LEAST, _LARGEST = 1e-15, 1e15  # click weights whose squares, summed over millions of users, fit into float32


def check_weights(weights: Float32) -> None:
    """Raise InteractionsError where float32 cannot add up the squares of click weights."""
    low, high = float(weights.min()), float(weights.max())
    if low < _LEAST or high > _LARGEST:
        raise InteractionsError(
            f"click weights go from {low:.3g} to {high:.3g}, and models compute in float32: scale them so "
            f"that they lie between {_LEAST:g} and {_LARGEST:g}, or leave them out"
        )


@contextmanager
def solvable(what: str) -> Iterator[None]:
    """Raise TrainingError, with the cure, where ``what`` meets a system that cannot be solved.

    NumPy's warnings of an overflow are not shown: what is learned is checked to be finite, and that is said.
    """
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield
    except (ArithmeticError, np.linalg.LinAlgError, ScoreError) as cause:
        raise TrainingError(
            f"{what} met a system that float32 cannot solve ({cause}): give settings nearer to "
            "their defaults, raise the regularization (l2), or bring the click weights nearer to each other"
        ) from cause
