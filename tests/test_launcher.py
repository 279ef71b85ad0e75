"""What is left behind in the environment never silences a process; what launches one is read or refused."""

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
    assert place(**left) == Launched(rank=0, world_size=1, local_rank=0)


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
