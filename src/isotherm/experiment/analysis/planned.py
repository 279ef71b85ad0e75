"""What a plan and a log's table of model swaps say of an experiment before its events are looked at."""

import math
from pathlib import Path

from isotherm.experiment.analysis.whole import Schedule
from isotherm.experiment.plan import Experiment

_DAY = 86_400  # seconds


def planned(plan: Experiment, log: Path) -> Schedule:
    """Weights, days and refits.

    log: folder of an event log; its model_swaps (timestamp, arm, model), where there are any, tell on which
    days models were exchanged. Without a start or an end in the plan, days and refits are not known.
    """
    weights = [arm.weight for arm in plan.arms]
    if plan.start is None:
        return Schedule(weights)
    first = plan.start // _DAY
    days = None if plan.end is None else max(1, math.ceil(plan.end / _DAY) - int(first))
    return Schedule(weights, days, [int(day - first) for day in _swap_days(log) if day >= first])


def _swap_days(log: Path) -> list[int]:
    """Days since 1970 (UTC) on which a model was exchanged."""
    import polars as pl

    found: set[int] = set()
    for place in ("model_swaps/*.parquet", "model_swaps.parquet", "model_swaps-*.parquet"):
        for file in log.glob(place):
            times = pl.scan_parquet(file, glob=False).select(pl.col("timestamp").dt.epoch("s")).collect()
            found |= {int(time) // _DAY for time in times["timestamp"].drop_nulls()}
    return sorted(found)
