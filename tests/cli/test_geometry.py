"""isotherm geometry: from a saved model to figures and a page."""

import json
import subprocess
import sys

import pytest

from isotherm.errors import ModelFolderError, OutputError, ParameterError, UnsupportedError
from tests.cli.test_commands import folder as folder
from tests.cli.test_commands import invoke

SMALL = ("--set", "hidden=12", "--set", "latent=4", "--set", "training.epochs=3")


@pytest.fixture
def fitted(folder):
    log = folder / "clicks.parquet"
    invoke("fit", "--interactions", log, "--model", "multvae", *SMALL, "--out", folder / "plain", "-q")
    anchored = (*SMALL, "--set", "anchors.weight=1", "--items", folder / "items.parquet")
    invoke("fit", "--interactions", log, "--model", "multvae", *anchored, "--out", folder / "anchored", "-q")
    return folder


def test_two_models_side_by_side(isotherm, fitted):
    log, items = fitted / "clicks.parquet", fitted / "items.parquet"
    fit = ("fit", "--interactions", log, "--items", items, "--model", "multvae", *SMALL)
    invoke(*fit, "--out", fitted / "two")
    code, out, err = isotherm(
        "geometry", "--model", fitted / "anchored", "--compare", fitted / "two", "--pairs", 200, "--masks", 2,
        "--interactions", log, "--items", items,
        "--json", fitted / "out.json", "--report", fitted / "out.html",
    )  # fmt: skip
    assert code == 0, err
    assert "influence of a nearest user" in out
    read = json.loads((fitted / "out.json").read_text())
    assert list(read["models"]) == ["anchored", "two"]
    assert "<svg" in (fitted / "out.html").read_text()


def test_what_is_wrong_is_said_before_the_work(fitted):
    log = fitted / "clicks.parquet"
    with pytest.raises(OutputError, match=r"--json .*a file ending in \.json"):
        invoke("geometry", "--model", fitted / "plain", "--interactions", log, "--json", fitted / "out.txt")
    with pytest.raises(ModelFolderError):
        invoke("geometry", "--model", fitted / "nowhere", "--interactions", log)
    with pytest.raises(ParameterError, match="the same folder twice"):
        invoke("geometry", "--model", fitted / "plain", "--compare", fitted / "plain", "--interactions", log)
    with pytest.raises(ParameterError, match="keep"):
        invoke("geometry", "--model", fitted / "plain", "--interactions", log, "--keep", "1.5")
    invoke("fit", "--interactions", log, "--model", "ease", "--out", fitted / "ease", "-q")
    with pytest.raises(UnsupportedError, match="no latent space"):
        invoke("geometry", "--model", fitted / "ease", "--interactions", log)
    assert not (fitted / "out.json").exists()


def test_without_torch_it_says_what_is_missing(folder):
    code = (
        "import sys, importlib.util as u\n"
        "find = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'torch' else find(name, *rest)\n"
        "from isotherm.cli.main import run\n"
        f"sys.argv = ['isotherm', 'geometry', '--model', 'm', '--interactions', "
        f"{str(folder / 'clicks.parquet')!r}]\n"
        "run()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: multvae, multdae and recvae need torch")
