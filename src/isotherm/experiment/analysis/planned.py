"""What a plan and a log's table of model swaps say of an experiment before its events are looked at."""

import glob
import math
from pathlib import Path
from typing import TYPE_CHECKING

from isotherm.data.reading.times import UNITS, common_unit
from isotherm.errors import EventLogError, shown_path
from isotherm.experiment.analysis.whole import Schedule
from isotherm.experiment.log.sources import Table
from isotherm.experiment.plan import Experiment

if TYPE_CHECKING:
    import polars as pl

_DAY = 86_400  # seconds


def planned(plan: Experiment, log: Path) -> Schedule:
    """Weights, days and refits.

    log: folder of an event log; its model_swaps (timestamp, experiment, arm, model), where there are any,
    tell on which days models were exchanged. Days and refits are not known without a start or an end.
    """
    weights = [arm.weight for arm in plan.arms]
    if plan.start is None:
        return Schedule(weights)
    first = plan.start // _DAY
    days = None if plan.end is None else max(1, math.ceil(plan.end / _DAY) - int(first))
    return Schedule(weights, days, [int(day - first) for day in _swap_days(plan, log) if day >= first])


def _swap_days(plan: Experiment, log: Path) -> list[int]:
    """Days since 1970 (UTC) on which a model was exchanged: of an arm, or the server's own."""
    import polars as pl

    found: set[int] = set()
    for place in ("model_swaps/*.parquet", "model_swaps.parquet", "model_swaps-*.parquet"):
        for file in log.glob(place):
            table = Table.of("model_swaps", glob.escape(str(file)))
            swaps = pl.read_parquet(file, columns=list(table.kinds), glob=False)
            if table.holds("experiment"):  # those of other experiments change nothing here
                ours = pl.col("experiment").cast(pl.String) == plan.name
                swaps = swaps.filter(ours | pl.col("experiment").is_null())
            found |= _days(swaps["timestamp"].drop_nulls(), file)
    return sorted(found)


def _days(times: "pl.Series", file: Path) -> set[int]:
    """Days since 1970 of timestamps, or of numbers of one unit. Raises EventLogError."""
    if not len(times):
        return set()
    if not times.dtype.is_integer():
        return set((times.dt.epoch("s") // _DAY).to_list())
    ends = [int(each) for each in (times.min(), times.max())]  # type: ignore[arg-type]
    unit = common_unit(*ends)
    if unit is None:
        raise EventLogError(
            f"{shown_path(file)}: column 'timestamp' of model_swaps holds numbers from {ends[0]} to "
            f"{ends[1]}, which are not all of one unit since 1970; write timestamps"
        )
    return set((times // (_DAY * UNITS[unit])).to_list())
