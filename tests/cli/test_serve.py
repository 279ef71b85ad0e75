"""What a server cannot be started with is told in one line, before any worker starts; the demo runs alone."""

import json
import socket
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest
from typer.testing import CliRunner

from isotherm import Popularity, load
from isotherm.cli.app import app
from isotherm.cli.demo import demo_model
from isotherm.data.datasets import CATALOGUE, Dataset
from isotherm.data.datasets.catalogue import LoadedDataset
from isotherm.errors import IsothermError

pytest.importorskip("fastapi", reason="the extra serve is not installed")


@pytest.fixture
def folder(tmp_path, clicks, monkeypatch):
    """With a model, a token, and a file that is no database."""
    monkeypatch.chdir(tmp_path)
    Popularity().fit(clicks).save("model")
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("no database")
    return tmp_path


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("", "either the folder of a model or --demo"),
        ("model --demo", "either the folder of a model or --demo"),
        ("model --port {port}", "--port {port}: is in use on 127.0.0.1; end the other server"),
        ("model --port 70000", "--port must be"),
        ("model --host nowhere.invalid", "--host 'nowhere.invalid': there is no such address"),
        ("model --workers 0", "--workers must be"),
        ("model --token-file none", "--token-file none: cannot be read"),
        ("model --token-file empty", "--token-file empty: is empty"),
        ("model --token-for-all", "--token-for-all needs --token-file"),
        ("model --max-k 0", "--max-k must be"),
        ("model --rate 0", "--rate must be"),
        ("model --exposure-days 0", "--exposure-days must be"),
        ("model --drain-seconds -1", "--drain-seconds must be"),
        ("none", "none: holds no saved model"),
        ("text", "text"),
        ("model --db sqlite:///text", "is no database"),
        ("model --db sqlite:///none/live.db", "its folder does not exist"),
        ("model --db mysql://host/live", "mysql is not among the databases"),
        ("model --items none.csv", "none.csv"),
    ],
)
def test_what_cannot_be_served_is_told_in_one_line(isotherm, folder, port, arguments, words):
    given = arguments.format(port=port).split()
    free = [] if "--port" in arguments else ["--port", "0"]
    code, out, err = isotherm("serve", *given, *free)
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert words.format(port=port) in err


def test_without_the_extra_it_says_what_is_missing(folder, isotherm_without):
    for package in ("fastapi", "uvicorn", "sqlalchemy"):
        done = isotherm_without(package, "serve", "model", "--port", "0")
        assert done.returncode == 1
        assert "pip install 'isotherm[serve]'" in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.fixture
def isotherm_without():
    def run(package, *arguments):
        code = (
            "import sys, importlib.util as u\n"
            "find = u.find_spec\n"
            f"u.find_spec = lambda name, *rest: None if name == {package!r} else find(name, *rest)\n"
            f"sys.argv = {['isotherm', *arguments]!r}\n"
            "from isotherm.cli.main import run\n"
            "run()"
        )
        return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def stand_in(clicks, item_frame, monkeypatch):
    known = item_frame.filter(pl.col("item_id").is_in(clicks.items.values.to_list()))
    entry = replace(CATALOGUE["ml-100k"], kinds={"plot": "text"})
    loaded = LoadedDataset(entry, clicks.to_frame(), known, "the test")
    monkeypatch.setattr(Dataset, "load", lambda self, cache=None: loaded)
    return known


def test_the_demo_makes_its_model_and_items_once(stand_in, tmp_path, monkeypatch):
    model, items = demo_model(tmp_path / "out", quiet=True)
    assert pl.read_parquet(items)["item_id"].to_list() == stand_in["item_id"].to_list()
    fitted = load(model)
    assert (fitted.item_clicks() == 0).any()  # there are new items to show
    monkeypatch.setattr(Dataset, "load", None)
    assert demo_model(tmp_path / "out", quiet=True) == (model, items)


def test_the_demo_keeps_what_the_demo_command_wrote(stand_in, tmp_path):
    out = tmp_path / "out"
    assert CliRunner().invoke(app, ["demo", "--out", str(out)]).exit_code == 0
    before = {file.name: file.read_bytes() for file in (out / "model").iterdir()}
    assert demo_model(out, quiet=True) == (out / "model", out / "items.parquet")
    (out / "items.parquet").unlink()  # as an older isotherm left it
    demo_model(out, quiet=True)
    assert {file.name: file.read_bytes() for file in (out / "model").iterdir()} == before
    files = json.loads((out / "demo.json").read_text())["files"]
    assert {"report.html", "items.parquet"} <= set(files)
    assert all((out / name).exists() for name in files)
    assert CliRunner().invoke(app, ["demo", "--out", str(out)]).exit_code == 0


def test_the_demo_leaves_the_folders_of_others_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    result = CliRunner().invoke(app, ["serve", "--demo", "--port", "0"])
    assert isinstance(result.exception, IsothermError)
    assert "out" in str(result.exception)
