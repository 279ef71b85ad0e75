"""Ctrl-C waits for the end of a step, once."""

import os
import signal
from copy import deepcopy

import numpy as np
import pytest

from isotherm import FitOptions
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.recvae import RecVAE
from isotherm.models.vae.training.interrupt import waiting_interrupt
from isotherm.models.vae.training.optimizer import Optimizer
from isotherm.models.vae.training.settings import Training
from tests.models.vae.small import SMALL, log_of, tastes


@pytest.mark.parametrize("made", [MultVAE, RecVAE])
def test_ctrl_c_waits_for_the_step_and_the_run_goes_on(made, tmp_path, monkeypatch):
    """Pressed in the middle of a step: the checkpoint is of its end, and the run ends as if nothing was."""
    model = made(**SMALL, anchors=ItemAnchors(weight=0.1), training=Training(epochs=3, batch_size=60))
    whole = deepcopy(model).fit(tastes()).state()[0]
    original, steps = Optimizer.step, []

    def pressed(self, *arguments):
        steps.append(1)
        if len(steps) == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return original(self, *arguments)

    monkeypatch.setattr(Optimizer, "step", pressed)
    with pytest.raises(KeyboardInterrupt):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    assert len(steps) == 6
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    for name, array in model.state()[0].items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)
    before = ["epoch"] if made is MultVAE else []  # of four batches, and of sixteen
    assert [line["event"] for line in log_of(tmp_path / "run")] == [
        "start", *before, "stop", "resume", *["epoch"] * (3 - len(before)), "end",
    ]  # fmt: skip


def test_a_second_ctrl_c_does_not_wait():
    with waiting_interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_handler_of_the_programs_own_stays():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with waiting_interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
