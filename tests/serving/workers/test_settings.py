"""What workers are told is what the server was told, and its token shows nowhere."""

import pytest

from isotherm.errors import ParameterError
from isotherm.serving.app.limits import Limits
from isotherm.serving.workers.channel import Task
from isotherm.serving.workers.settings import Ending, ServerSettings


def test_a_task_comes_as_it_was_sent():
    settings = ServerSettings(
        "out/mödel",
        "sqlite:///live.db",
        Limits(k=5, rate=0.5),
        Ending(0, 2.5),
        token="s3cret",
        exposure_days=7,
        experiments=(("plan.json", {"name": "films", "arms": [{"name": "a"}, {"name": "b"}]}),),
    )
    task = Task(3, 8, 9, ["abc"], settings)
    assert task.line().count(b"\n") == 1
    assert Task.of(task.line()) == task
    assert "s3cret" not in repr(task)


def test_impossible_settings_name_the_option():
    with pytest.raises(ParameterError, match="--exposure-days"):
        ServerSettings("model", "sqlite:///live.db", exposure_days=0)
    for seconds in (-1, float("nan"), "2"):
        with pytest.raises(ParameterError, match="--grace-seconds"):
            Ending(grace_seconds=seconds)
