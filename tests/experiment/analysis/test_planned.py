import datetime

import polars as pl
import pytest

from isotherm.errors import EventLogError
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


def test_swaps_of_other_experiments_are_no_refits(tmp_path):
    plan = Experiment("new", (Arm("a"), Arm("b")), start=10 * DAY, end=24 * DAY)
    times = [datetime.datetime.fromtimestamp(day * DAY, datetime.UTC) for day in (11, 12, 13)]
    swaps = pl.DataFrame({"timestamp": times, "experiment": ["new", "other", None]})
    swaps.write_parquet(tmp_path / "model_swaps.parquet")
    assert planned(plan, tmp_path).refits == [1, 3]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_times_of_swaps_may_be_numbers_of_any_unit(tmp_path, unit):
    plan = Experiment("new", (Arm("a"), Arm("b")), start=20_000 * DAY, end=20_010 * DAY)
    pl.DataFrame({"timestamp": [20_004 * 86_400 * unit]}).write_parquet(tmp_path / "model_swaps.parquet")
    assert planned(plan, tmp_path).refits == [4]


@pytest.mark.parametrize(
    ("swaps", "told"),
    [
        ({"time": [1]}, "model_swaps.parquet: column 'timestamp' is missing"),
        ({"timestamp": ["2030-01-01"]}, "column 'timestamp' of model_swaps is 'large_string'"),
        ({"timestamp": [1_900_000_000, 1_900_000_000_000]}, "not all of one unit"),
    ],
)
def test_swaps_without_usable_times_are_refused_with_their_file(tmp_path, swaps, told):
    pl.DataFrame(swaps).write_parquet(tmp_path / "model_swaps.parquet")
    with pytest.raises(EventLogError, match=told):
        planned(Experiment("new", (Arm("a"), Arm("b")), start=DAY), tmp_path)
