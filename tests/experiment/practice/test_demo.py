"""The story on a real server, small; and that it is the same story without one."""

import json

import polars as pl
import pytest

pytest.importorskip("fastapi", reason="the extra serve is not installed")

from isotherm.errors import ParameterError, PracticeError
from isotherm.experiment.log import EventLog, Window, read_users
from isotherm.experiment.practice import Practice, practise, practise_offline
from isotherm.experiment.practice.server import PracticeServer


@pytest.fixture(scope="module")
def served(films, practice, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    told = []
    return practise(*films, practice, folder, told.append), folder, told


@pytest.mark.long
def test_a_server_gives_the_lists_the_arms_and_the_figures_that_the_models_give(
    served, world, practice, tmp_path
):
    found, _, _ = served
    own = practise_offline(world, practice, tmp_path, start=found.experiment.start)
    keys = ["user_id", "timestamp"]
    for name, column in (("exposures", "items"), ("exposures", "arm"), ("assignments", "arm")):
        ours, theirs = (each.tables[name].sort(keys) for each in (own, found))
        assert ours.select(*keys, column).equals(theirs.select(*keys, column)), (name, column)
    assert (
        own.tables["events"]
        .sort("event_id")
        .drop("value")
        .equals(found.tables["events"].sort("event_id").select(own.tables["events"].drop("value").columns))
    )
    for name in ("estimate", "low", "high", "p", "verdict", "truth", "counts"):
        assert own.to_dict()[name] == found.to_dict()[name], name


@pytest.mark.long
def test_the_log_is_one_that_anybody_can_read(served, practice):
    found, folder, told = served
    users = read_users(EventLog.of_folder(folder / "log"), Window.of(found.experiment))
    assert users.days == practice.days == found.result.days
    assert len(users) == found.tables["assignments"].height
    assert users.counts.late == users.counts.future == users.counts.unattributed_clicks == 0
    assert users.before_clicks.sum() > 0
    clicks = found.tables["events"].filter(pl.col("type") == "click").height
    assert users.clicks.sum() + users.before_clicks.sum() + users.counts.without_exposure == clicks
    assert [line for line in told if line.startswith("day ")][-1].startswith("day 4 of 4: ")


@pytest.mark.long
def test_the_result_says_what_is_promised(served):
    told = json.loads(json.dumps(served[0].to_dict(), allow_nan=False))
    assert {"metric", "estimate", "low", "high", "p", "verdict", "truth"} <= set(told)
    assert told["metric"] == "ctr"
    assert told["truth_is_inside"] == (told["low"] <= told["truth"] <= told["high"])


def test_a_server_that_cannot_start_is_told_in_its_words(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(PracticeError, match=r"did not start: .*name"):
        PracticeServer(tmp_path / "none", tmp_path / "plan.json", tmp_path)


@pytest.mark.parametrize(
    ("name", "value"), [("viewers", 1), ("days", 0), ("draws", 0), ("share", 1.0), ("k", 0)]
)
def test_a_setting_out_of_range_is_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        Practice(**{name: value})
