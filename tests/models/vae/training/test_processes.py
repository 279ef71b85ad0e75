"""Several processes train as one."""

import socket

import numpy as np
import torch

from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.training.processes import Processes
from isotherm.models.vae.training.settings import Training
from tests.models.vae.small import SMALL, log_of, tastes


def test_shares_cover_a_batch():
    for n in (0, 1, 7, 500):
        shares = [Processes(rank, 3, torch.device("cpu")).share(n) for rank in range(3)]
        assert [first for first, _ in shares] == [0, *(end for _, end in shares[:-1])]
        assert shares[-1][1] == n


def test_a_process_that_is_alone_is_the_first_and_adds_nothing():
    alone = Processes.joined("cpu")
    assert alone.is_alone
    assert alone.is_first
    values = torch.ones(3)
    alone.sum(values)
    assert values.tolist() == [1.0] * 3
    assert alone.from_first(0.25) == 0.25


def test_two_processes_train_as_one(tmp_path, forks):
    """Launched as torch's launcher does, gradients summed: the same weights up to rounding, and one log."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        place = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    told = [tmp_path / "first.txt", tmp_path / "second.txt"]
    both = [
        forks.start(tmp_path, code=JOB, env={**place, "RANK": str(rank), "LOCAL_RANK": str(rank)}, out=out)
        for rank, out in enumerate(told)
    ]
    assert [process.wait() for process in both] == [0, 0], "".join(out.read_text()[-2000:] for out in told)
    import isotherm

    two, one = isotherm.load(tmp_path / "model"), distributed_model().fit(tastes())
    np.testing.assert_allclose(two.score(one.clicks_), one.score(one.clicks_), rtol=0.01, atol=0.01)
    lines = log_of(tmp_path / "run")
    assert lines[0]["processes"] == 2
    assert sum(line["event"] == "epoch" for line in lines) == 4


JOB = """
import os, sys
from isotherm import FitOptions
from tests.models.vae.small import tastes
from tests.models.vae.training.test_processes import distributed_model
model = distributed_model().fit(tastes(), options=FitOptions(run_dir=f"{sys.argv[1]}/run"))
if os.environ["RANK"] == "0":
    model.save(f"{sys.argv[1]}/model")
"""


def distributed_model():
    settings = {"epochs": 4, "batch_size": 60, "valid_share": 0.3}
    training = Training(**settings, precision="float32", clip=1e9, device="cpu")
    return MultVAE(**SMALL, anchors=ItemAnchors(weight=0.1), training=training)
