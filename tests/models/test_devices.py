"""Where a fit computes its closed forms: who chooses, and that scores agree."""

import os
import subprocess
import sys

import numpy as np
import pytest

from isotherm import EASE, SLIM, KernelRidge, MARec
from isotherm.errors import ParameterError
from isotherm.linalg import accelerator
from isotherm.linalg.accelerator import Accelerator, computing_on

TOLERANCE = 1e-5  # of scores, relative to the largest: what two orders of float32 additions differ by


@pytest.mark.parametrize("model", [EASE, SLIM, MARec, KernelRidge])
def test_scores_agree_on_both(monkeypatch, clicks, items, model):
    pytest.importorskip("torch")
    used, invert = [], Accelerator.invert
    monkeypatch.setattr(Accelerator, "invert", lambda *asked: used.append(asked) or invert(*asked))
    here = model().fit(clicks, items, device="cpu")
    assert not used
    with computing_on(Accelerator("cpu")):
        there = model().fit(clicks, items)
    assert used
    block = here.histories_of(np.arange(20))
    scores = here.score(block)
    np.testing.assert_allclose(there.score(block), scores, atol=TOLERANCE * np.abs(scores).max())


def test_cuda_is_refused_where_there_is_none(monkeypatch, clicks):
    monkeypatch.setattr(accelerator, "_cuda", lambda: None)
    with pytest.raises(ParameterError, match=r"device=cuda: no CUDA device .* use auto or cpu"):
        EASE().fit(clicks, device="cuda")
    monkeypatch.setenv("ISOTHERM_DEVICE", "cuda")
    with pytest.raises(ParameterError, match="no CUDA device"):
        EASE().fit(clicks)
    assert EASE().fit(clicks, device="cpu").n_items


@pytest.mark.parametrize("device", ["gpu", "", 0, True, ["cpu"]])
def test_another_word_is_refused(clicks, device):
    with pytest.raises(ParameterError, match="device must be one of 'auto', 'cpu', 'cuda'"):
        EASE().fit(clicks, device=device)


def test_another_word_of_the_environment_is_refused_before_any_work(tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "isotherm", "fit", "--interactions", "no.csv", "--out", "m"],
        cwd=tmp_path, env=os.environ | {"ISOTHERM_DEVICE": "gpu"}, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 1
    assert ran.stderr == "error: ISOTHERM_DEVICE is 'gpu': give one of auto, cpu, cuda\n"


def test_a_fit_on_the_processor_imports_no_torch():
    code = (
        "import sys; from isotherm import EASE, Interactions; from scipy.sparse import random_array\n"
        "x = random_array((99, 9), density=.3, rng=0, format='csr')\n"
        "EASE().fit(Interactions.from_csr(x)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
