"""What the findings take from the models of a study: the first of them, and means and medians of columns."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from isotherm.geometry.study import Geometry

Models = Mapping[str, Geometry]  #: by name, in order


def first_of(models: Models) -> Geometry:
    """The model that the words are about."""
    return next(iter(models.values()))


def mean(values: pl.Series) -> float:
    """Mean, 0 where there are no values."""
    return float(values.to_numpy().mean()) if len(values) else 0.0


def median(values: pl.Series) -> float:
    """Median, 0 where there are no values."""
    return float(np.median(values.to_numpy())) if len(values) else 0.0
