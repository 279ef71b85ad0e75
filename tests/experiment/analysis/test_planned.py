import datetime

import polars as pl
import pytest

from isotherm.experiment.analysis.planned import planned
from isotherm.experiment.plan import Arm, Experiment

DAY = 86_400.0


@pytest.mark.parametrize("file", ["model_swaps.parquet", "model_swaps-1.parquet", "model_swaps/1.parquet"])
@pytest.mark.parametrize("folder", ["log", "log[1]*"])
def test_weights_days_and_refits(tmp_path, folder, file):
    plan = Experiment("new", (Arm("a", 2), Arm("b")), start=10.5 * DAY, end=24.5 * DAY)
    zone = datetime.UTC
    times = [datetime.datetime.fromtimestamp(day * DAY + 60, zone) for day in (3, 12, 12, 15)]
    swaps = pl.DataFrame({"timestamp": times, "arm": ["a"] * 4, "model": ["m"] * 4})
    (tmp_path / folder / file).parent.mkdir(parents=True)
    swaps.write_parquet(tmp_path / folder / file)
    told = planned(plan, tmp_path / folder)
    assert told.weights == [2, 1]
    assert told.planned_days == 15  # the first and the last are half ones
    assert told.refits == [2, 5]


def test_a_plan_without_times_tells_weights_alone(tmp_path):
    told = planned(Experiment("new", (Arm("a"), Arm("b"))), tmp_path)
    assert (told.planned_days, told.refits) == (None, ())
    assert planned(Experiment("new", (Arm("a"), Arm("b")), start=DAY), tmp_path).refits == []
