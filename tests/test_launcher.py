"""What is left behind in the environment never silences a process; what launches one is read or refused."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from isotherm.errors import ParameterError
from isotherm.launcher import Launched, launched

SET = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


@pytest.fixture
def place(monkeypatch):
    def place(**variables):
        for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", *SET):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return launched()

    return place


@pytest.mark.parametrize(
    "left",
    [
        {},
        {"RANK": "1"},
        {"RANK": "-1"},
        {"RANK": "abc"},
        {"RANK": "3", "WORLD_SIZE": "1"},
        {"RANK": "3", "WORLD_SIZE": ""},
        {"RANK": "0", "WORLD_SIZE": " 1 ", "LOCAL_RANK": "7", **SET},
        {"LOCAL_RANK": "x"},
    ],
)
def test_a_process_that_is_alone_leads(place, left):
    assert place(**left) == Launched(rank=0, world=1, local=0)


def test_a_launched_process_knows_its_place(place):
    assert place(RANK="1", WORLD_SIZE="2", LOCAL_RANK="1", **SET) == Launched(1, 2, 1)
    assert place(RANK="5", WORLD_SIZE="8", **SET) == Launched(5, 8, 0)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE=abc in the environment is not a whole number of at least 1"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0"),
        ({"WORLD_SIZE": "-2"}, "WORLD_SIZE=-2"),
        ({"WORLD_SIZE": "2.0"}, "WORLD_SIZE=2.0"),
        ({"WORLD_SIZE": "²"}, "WORLD_SIZE=²"),
        ({"WORLD_SIZE": "9" * 5000}, "WORLD_SIZE=9999"),
        ({"WORLD_SIZE": "2", "RANK": "1"}, "WORLD_SIZE=2 in the environment, but MASTER_ADDR is not set"),
        ({"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": "localhost"}, "MASTER_PORT is not set"),
        ({"WORLD_SIZE": "2", "RANK": "0", **SET, "MASTER_PORT": "http"}, "MASTER_PORT=http"),
        ({"WORLD_SIZE": "2", **SET}, "RANK= in the environment is not a whole number from 0 to 1"),
        ({"WORLD_SIZE": "2", "RANK": "2", **SET}, "RANK=2"),
        ({"WORLD_SIZE": "2", "RANK": "-1", **SET}, "RANK=-1"),
        ({"WORLD_SIZE": "2", "RANK": "x", **SET}, "RANK=x"),
        ({"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "2", **SET}, "LOCAL_RANK=2"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_a_launch_is_refused_with_the_cure(place, variables, message):
    with pytest.raises(ParameterError) as refused:
        place(**variables)
    assert message in str(refused.value)
    assert "unset WORLD_SIZE to train in one process" in str(refused.value)
    assert len(str(refused.value)) < 300


@pytest.mark.skipif(not Path("/proc").exists(), reason="asks /proc whether a process runs")
def test_a_process_ends_with_the_one_that_started_it():
    """Also where that was killed and could tell nobody."""
    child = (
        "import time; from isotherm.launcher import end_with_parent; end_with_parent(0.05); time.sleep(60)"
    )
    parent = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {child!r}])
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as started:
        pid = int(started.stdout.readline())
        time.sleep(1)
        os.kill(pid, 0)  # it runs while its parent does
        started.kill()
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists() or "Z (" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.05)
    pytest.fail("the child goes on without its parent")
