"""Means and quantiles of what was measured, as the JSON has them."""

from typing import Any

import numpy as np


def mean_and_quantiles(values: Any) -> dict[str, float]:
    """Mean, 5th percentile, median and 95th percentile of (n,) numbers."""
    array = np.asarray(values, dtype=np.float64)
    low, middle, high = np.quantile(array, [0.05, 0.5, 0.95])
    return {"mean": float(array.mean()), "p5": float(low), "median": float(middle), "p95": float(high)}
