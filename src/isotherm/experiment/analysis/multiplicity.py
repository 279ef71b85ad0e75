"""p-values of several arms and goals, corrected for how many are looked at."""

from collections.abc import Sequence

import numpy as np
from scipy import stats

from isotherm.evaluation.paired import holm


def adjusted(p_values: Sequence[float], correction: str) -> list[float]:
    """Corrected p-values; NaN stays and does not count.

    correction: "holm", the chance of even one false alarm stays under the level (Holm 1979); "fdr", the share
    of false alarms among alarms does (Benjamini and Hochberg 1995).
    """
    values = np.asarray(p_values, dtype=float)
    known = np.flatnonzero(~np.isnan(values))
    if len(known):
        told = values[known]
        values[known] = holm(list(told)) if correction == "holm" else stats.false_discovery_control(told)
    return [float(p) for p in values]
