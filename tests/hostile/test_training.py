"""Training through the command line: leftovers of a launcher, numbers that overflow, run folders."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.conftest import CommandLine

FIT = ("fit", "--interactions", "clicks.parquet", "--out", "model", "--quiet")
TINY = ("--set", "hidden=4", "--set", "latent=2", "--set", "training.epochs=1")
VAE = (*FIT, "--model", "multvae", *TINY)


@pytest.fixture(scope="module")
def torch_server():
    """As ``forkserver``, with torch imported."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.forkserver", "isotherm.models.vae.recvae"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as server:  # fmt: skip
        yield server
        server.stdin.close()


@pytest.fixture
def trains(torch_server, desk):
    """The command line at that desk, for models that train in steps."""
    return CommandLine(torch_server, desk)


@pytest.mark.parametrize(
    "left",
    [
        {"RANK": "1"},
        {"RANK": "3", "WORLD_SIZE": "1", "LOCAL_RANK": "3"},
        {"RANK": "-1"},
        {"RANK": "abc", "WORLD_SIZE": ""},
        {"RANK": "1", "WORLD_SIZE": "2"},
        {"WORLD_SIZE": "abc"},
    ],
    ids=str,
)
def test_a_model_that_does_not_train_in_steps_is_saved_whatever_a_launcher_left(isotherm, desk, left):
    isotherm.succeeds(*FIT, "--model", "popularity", **left)
    assert (desk / "model" / "model.json").is_file()


def test_a_process_that_is_alone_speaks_and_saves(trains, desk):
    done = trains.succeeds(*[word for word in VAE if word != "--quiet"], RANK="1", LOCAL_RANK="5")
    assert "saved to model" in done.err
    assert (desk / "model" / "model.json").is_file()


@pytest.mark.parametrize(
    ("left", "says"),
    [
        ({"WORLD_SIZE": "abc"}, "WORLD_SIZE=abc in the environment is not a whole number"),
        ({"WORLD_SIZE": "2", "RANK": "1", "MASTER_ADDR": ""}, "but MASTER_ADDR is not set"),
    ],
    ids=str,
)
def test_a_launch_that_cannot_be_is_refused_before_the_work(trains, left, says):
    trains.refuses(*VAE, **left, says=[says, "unset WORLD_SIZE"])
