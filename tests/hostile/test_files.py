"""A user's files are never destroyed, and what cannot be written is refused before any work."""

import contextlib
import inspect
import json
import os
from pathlib import Path

import polars as pl
import pytest

from isotherm import Popularity
from isotherm.cli import outputs as outputs_module
from isotherm.cli.evaluate import evaluate
from isotherm.cli.fit import fit
from isotherm.cli.geometry import geometry
from isotherm.cli.recommend import recommend
from isotherm.cli.sweep import sweep
from isotherm.data.datasets import CATALOGUE, Dataset
from isotherm.data.datasets.catalogue import LoadedDataset
from isotherm.errors import DatasetError, ParameterError
from tests.cli.test_commands import invoke
from tests.hostile.conftest import contents

FIT = ("fit", "--interactions", "clicks.parquet", "--model", "popularity", "--quiet")


def taken(desk):
    """A folder with files whose names look like ours."""
    folder = desk / "d"
    folder.mkdir()
    for name in ("clicks.parquet", "items-2024.parquet", "users-eu.parquet", "arrays-backup.safetensors"):
        (folder / name).write_bytes((desk / "clicks.parquet").read_bytes())
    return folder


WRITERS = {
    "fit": [*FIT, "--out", "d"],
    "run": ["fit", "--interactions", "clicks.parquet", "--model", "multvae", "--out", "m", "--run-dir", "d"],
    "sweep": ["sweep", "--interactions", "clicks.parquet", "--out", "d"],
    "get": ["datasets", "get", "ml-100k", "--out", "d"],
    "demo": ["demo", "--out", "d"],
}


@pytest.mark.parametrize("command", WRITERS.values(), ids=WRITERS)
def test_folder_of_a_users_own_files_is_refused(isotherm, desk, command):
    taken(desk)
    isotherm.refuses(
        *command, says=["d: is not empty", "arrays-backup.safetensors", "and 1 more", "name ano"]
    )


@pytest.mark.parametrize("command", [WRITERS["fit"], WRITERS["get"]], ids=["fit", "get"])
@pytest.mark.parametrize("manifest", ["{", "[]", "null", '{"format": 2}', "{" * 10_000, '{"files": null}'])
def test_manifest_that_is_not_ours_opens_no_folder(isotherm, desk, command, manifest):
    folder = taken(desk)
    for name in ("model.json", "checkpoint.json", "plan.json", "dataset.json", "demo.json"):
        (folder / name).write_text(manifest)
    isotherm.refuses(*command, says="d: is not empty")


@pytest.mark.parametrize("command", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("clicks.csv", "clicks.csv: is a file"),
        ("clicks.csv/deep/down", "clicks.csv is a file"),
        ("pipe", "pipe: is no folder"),
        ("dangling", "dangling: is a link to nowhere, which does not exist"),
        ("circle", "circle: is a link that leads in a circle"),
        ("x" * 300, "cannot be written (File name too long); give it a shorter name"),
        ("/proc/mine", "/proc/mine: cannot be written"),
    ],
)
def test_folder_that_cannot_be_is_refused_before_the_work(isotherm, desk, command, place, says):
    os.mkfifo(desk / "pipe")
    (desk / "dangling").symlink_to("nowhere")
    (desk / "circle").symlink_to("circle")
    isotherm.refuses(*[place if word == "d" else word for word in command], says=says)


EVALUATE = ["evaluate", "--interactions", "clicks.parquet", "--protocol", "mixed", "--json"]
FILES = {
    "recommend": (["recommend", "--model", "model", "--all", "--out"], ".csv"),
    "json": (EVALUATE, ".json"),
    "report": ([*EVALUATE[:-1], "--report"], ".html"),
}


@pytest.mark.parametrize(("command", "suffix"), FILES.values(), ids=FILES)
@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("folder", "is a folder; name a file"),
        ("clicks.csv/in", "clicks.csv is a file; name another place"),
        ("pipe", "is no regular file"),
        ("null", "is no regular file"),
        ("dangling", "is a link to nowhere, which does not exist"),
        ("circle", "is a link that leads in a circle"),
        ("x" * 300, "File name too long"),
        ("none", "is needed"),
        ("/proc/mine", "cannot be written"),
        ("", "is needed"),
    ],
)
def test_file_that_cannot_be_is_refused_before_the_work(isotherm, desk, model, command, suffix, place, says):
    if command[0] == "recommend" and place == "none":
        pytest.skip("a name without an ending is a folder of lists")
    (desk / f"folder{suffix}").mkdir()
    os.mkfifo(desk / f"pipe{suffix}")
    (desk / f"null{suffix}").symlink_to("/dev/null")
    (desk / f"dangling{suffix}").symlink_to("nowhere")
    (desk / f"circle{suffix}").symlink_to(f"circle{suffix}")
    isotherm.refuses(*command, place if place == "none" else place + suffix, says=says)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_write_protected_file_is_refused(isotherm, desk, model):
    (desk / "recs.csv").write_text("mine")
    (desk / "recs.csv").chmod(0o444)
    isotherm.refuses("recommend", "--model", "model", "--all", "--out", "recs.csv", says="is write-protected")


def log_folder(desk):
    """Clicks in two files of a folder, one of them a link to a file elsewhere."""
    folder = desk / "log"
    folder.mkdir()
    (folder / "a.parquet").write_bytes((desk / "clicks.parquet").read_bytes())
    (desk / "b.parquet").write_bytes((desk / "clicks.parquet").read_bytes())
    (folder / "b.parquet").symlink_to("../b.parquet")


RECOMMEND = ("recommend", "--model", "model", "--all", "--out")
FIT_IN_MODEL = ("fit", "--model", "ease", "--out", "model", "--interactions")
SPLIT = ("evaluate", "--train", "log", "--test", "clicks.parquet")
TO_USERS = ("recommend", "--model", "model", "--users", "clicks.csv", "--out")
FIT_LOG = ("fit", "--interactions", "log", "--model", "multvae", "--out")
FIT_BELOW = ("fit", "--model", "popularity", "--interactions")
ENCODER = ("--items", "items.parquet", "--set")
OVERLAPS = {
    "users": ((*TO_USERS, "clicks.csv"), "is what --users reads"),
    "dots": ((*TO_USERS, "log/../clicks.csv"), "is what --users reads"),
    "absolute": ((*TO_USERS, "ABS/clicks.csv"), "is what --users reads"),
    "link": ((*TO_USERS, "link.csv"), "is what --users reads"),
    "hard link": ((*TO_USERS, "hard.csv"), "is what --users reads"),
    "input link": ((*RECOMMEND, "clicks.csv", "--candidates", "link.csv"), "is what --candidates reads"),
    "candidates": ((*RECOMMEND, "items.parquet", "--candidates", "items.parquet"), "--candidates reads"),
    "new items": ((*RECOMMEND, "items.parquet", "--new-items", "items.parquet"), "--new-items reads"),
    "in the model": ((*RECOMMEND, "model/recs.csv"), "lies inside --model model"),
    "in the model deep": ((*RECOMMEND, "model/new/recs.csv"), "lies inside --model model"),
    "in a folder": ((*RECOMMEND, "log/recs.csv", "--candidates", "log"), "lies inside --candidates log"),
    "linked from it": ((*RECOMMEND, "b.parquet", "--candidates", "log"), "lies inside --candidates log"),
    "pattern": ((*RECOMMEND, "log/a.parquet", "--candidates", "log/*.parquet"), "is what --candidates reads"),
    "pattern, new": ((*RECOMMEND, "log/c.parquet", "--candidates", "log/*.parquet"), "is what --candidates"),
    "pattern, deep": ((*RECOMMEND, "log/x/y/c.csv", "--candidates", "**/c*.csv"), "what --candidates reads"),
    "pattern, here": ((*RECOMMEND, "cc.csv", "--candidates", "**/c*.csv"), "what --candidates reads"),
    "pattern, linked": ((*RECOMMEND, "log/c.parquet", "--candidates", "ll/*.parquet"), "what --candidates"),
    "pattern, model": ((*FIT_BELOW, "log/**/*.parquet", "--out", "log/new"), "what --interactions reads"),
    "pattern, model beside": ((*FIT_BELOW, "l?g*/*.parquet", "--out", "log2"), "what --interactions reads"),
    "texts": ((*FIT, *ENCODER, "encoding.text_model=log", "--out", "log/new"), "lies inside --set log"),
    "images": (
        (*FIT, *ENCODER, "model.encoding.image_model=log", "--out", "log/new"),
        "lies inside --set log",
    ),
    "texts, json": (
        (*EVALUATE, "log/r.json", *ENCODER, "marec.encoding.text_model=log"),
        "lies inside --set log",
    ),
    "train": ((*SPLIT, "--json", "log/e.json"), "lies inside --train log"),
    "report": ((*EVALUATE, "r.json", "--report", "r.html"), "--report r.html: --json names the same"),
    "holds it": ((*FIT_IN_MODEL, "model/c.parquet"), "holds --interactions model/c.parquet"),
    "holds a log": ((*FIT_IN_MODEL, "model/*.parquet"), "holds --interactions model/"),
    "holds items": ((*FIT, "--items", "model/c.parquet", "--out", "model"), "holds --items model/c.parquet"),
    "in the log": ((*FIT_LOG, "log/model"), "lies inside --interactions log"),
    "sweep": (("sweep", "--interactions", "log", "--out", "log/sweep"), "lies inside --interactions log"),
    "run in out": ((*FIT_LOG, "m", "--run-dir", "m/run"), "--run-dir m/run: lies inside --out m"),
    "out in run": ((*FIT_LOG, "r/m", "--run-dir", "r"), "--out r/m: lies inside --run-dir r"),
    "both": ((*FIT_LOG, "m", "--run-dir", "./m"), "--run-dir m: --out names the same"),
}


@pytest.mark.parametrize(("command", "says"), OVERLAPS.values(), ids=OVERLAPS)
def test_no_output_costs_an_input_or_another_output(isotherm, desk, model, command, says):
    log_folder(desk)
    (model / "c.parquet").write_bytes((desk / "clicks.parquet").read_bytes())
    (desk / "link.csv").symlink_to("clicks.csv")
    (desk / "ll").symlink_to("log")
    os.link(desk / "clicks.csv", desk / "hard.csv")
    (desk / "real.json").write_text("{}")
    (desk / "r.json").symlink_to("real.json")
    (desk / "r.html").symlink_to("real.json")
    isotherm.refuses(*[word.replace("ABS", str(desk)) for word in command], says=says)


def test_a_pattern_that_reads_none_of_a_models_files_may_lead_over_its_folder(isotherm, desk):
    (desk / "log").mkdir()
    (desk / "clicks.parquet").rename(desk / "log" / "clicks.parquet")
    isotherm.succeeds(*FIT_BELOW, "*/clicks.parquet", "--out", "model")


def test_a_folder_with_hidden_files_only_is_empty(isotherm, desk):
    folder = desk / "d"
    (folder / "lost+found").mkdir(parents=True)
    for name in (".gitkeep", ".DS_Store"):
        (folder / name).write_text("mine")
    isotherm.succeeds(*FIT, "--out", "d")
    assert (folder / ".gitkeep").read_text() == (folder / ".DS_Store").read_text() == "mine"


def test_a_model_is_replaced_beside_a_users_files(model, clicks):
    mine = ["arrays-backup.safetensors", "users-eu.parquet", "items-0123456789abcdef.parquet", "notes"]
    for name in mine:
        (model / name).write_text("mine")
    Popularity().fit(clicks).save(model)
    assert [(model / name).read_text() for name in mine] == ["mine"] * 4
    assert len(list(model.iterdir())) == 8


@pytest.mark.parametrize(
    "listed",
    [
        "../clicks.csv",
        "ABS/clicks.csv",
        "items-2024.parquet",
        "items-0123456789abcdef.parquet",
        "users-0123456789abcdef.parquet",
        "sub/items-0123456789abcdef.parquet",
        "link",
        "model.json",
        ".",
        "",
        3,
        None,
    ],
)
def test_a_manifest_is_not_believed_about_what_to_remove(desk, model, clicks, listed):
    (model / "sub").mkdir()
    for name in (
        "items-2024.parquet",
        "items-0123456789abcdef.parquet",
        "sub/items-0123456789abcdef.parquet",
    ):
        (model / name).write_text("mine")
    (model / "users-0123456789abcdef.parquet").symlink_to(desk / "items.parquet")
    (model / "link").symlink_to(desk / "items.csv")
    manifest = json.loads((model / "model.json").read_text())
    value = listed.replace("ABS", str(desk)) if isinstance(listed, str) else listed
    manifest["files"] |= {"items": value, "arrays": value}
    (model / "model.json").write_text(json.dumps(manifest))
    before = {file: file.read_bytes() for file in desk.rglob("*") if file.is_file()}
    Popularity().fit(clicks).save(model)
    kept = [file for file in before if file.name != "model.json"]
    changed = [file for file in kept if not file.exists() or file.read_bytes() != before[file]]
    assert [file.parent.name for file in changed] == ["model"]  # the old users-….parquet, which it did list
    assert (model / "link").is_symlink()


def test_links_to_files_and_folders_stay(isotherm, desk, model):
    (desk / "real.csv").write_text("old")
    (desk / "real.csv").chmod(0o600)
    (desk / "link.csv").symlink_to("real.csv")
    isotherm.succeeds("recommend", "--model", "model", "--all", "--out", "link.csv", "-q")
    assert os.readlink(desk / "link.csv") == "real.csv"
    assert pl.read_csv(desk / "real.csv").height == 600
    assert (desk / "real.csv").stat().st_mode & 0o777 == 0o600
    (desk / "elsewhere").mkdir()
    (desk / "linked").symlink_to("elsewhere")
    isotherm.succeeds(*FIT, "--out", "linked")
    assert os.readlink(desk / "linked") == "elsewhere"
    assert (desk / "elsewhere" / "model.json").is_file()


def test_a_name_of_several_lines_is_shown_on_one(isotherm, desk, model):
    isotherm.refuses(*RECOMMEND, "a\nb.xlsx", says="--out a\\nb.xlsx: a file ending in")
    isotherm.refuses(*RECOMMEND, "x/" * 1500 + "r.csv/", says="File name too long")


def test_a_data_set_is_written_again_over_its_own_files_alone(desk, clicks, monkeypatch):
    """The files carry their SHA-256 in dataset.json; one that was changed since is a user's."""
    monkeypatch.chdir(desk)
    loaded = LoadedDataset(CATALOGUE["ml-100k"], clicks.to_frame(), clicks.to_frame(), "the test")
    monkeypatch.setattr(Dataset, "load", lambda self, cache=None: loaded)
    for _ in range(2):
        invoke("datasets", "get", "ml-100k", "--out", "data")
    clicks.to_frame().head(3).write_parquet("data/items.parquet")
    before = contents(desk)
    with pytest.raises(DatasetError, match=r"data/items.parquet: is not what isotherm wrote there; move it"):
        invoke("datasets", "get", "ml-100k", "--out", "data")
    assert contents(desk) == before


@pytest.mark.parametrize("command", [fit, recommend, evaluate, geometry, sweep], ids=lambda c: c.__name__)
def test_every_file_that_a_command_takes_is_in_its_check(command, monkeypatch):
    """A new option that names a file or folder must be among the inputs or outputs that are checked."""
    options = inspect.signature(command).parameters
    places = {name: str(each.annotation) for name, each in options.items() if "Path" in str(each.annotation)}
    given = {name: [Path(name)] if "list" in kind else Path(name) for name, kind in places.items()}
    seen = set()

    def record(inputs, *outputs):
        seen.update(path for _, path in outputs_module._named(inputs))
        seen.update(output.path for output in outputs)
        raise InterruptedError

    command_globals = inspect.unwrap(command).__globals__
    monkeypatch.setitem(command_globals, "check_outputs", record)
    monkeypatch.setitem(command_globals, "saved_model", lambda folder: folder)
    for left_out in ([], ["users"], ["histories"]):  # the last two do not go together
        chosen = {name: None if name in left_out else value for name, value in given.items()}
        with contextlib.suppress(InterruptedError, ParameterError):
            command(**chosen)
    assert {path.name for path in seen if path} == set(places)
