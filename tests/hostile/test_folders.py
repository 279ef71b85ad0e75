"""Saved models, stored logs, checkpoints and sweeps, damaged or made to harm: refused, never a crash."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

import isotherm as library
from isotherm import FitOptions, Interactions, Items
from isotherm.errors import InteractionsError, ModelFolderError, ParameterError, TrainingError
from isotherm.models.registry import model_class
from isotherm.parameters import build
from isotherm.tuning.folder import FIGURES, SweepFolder, fingerprint
from isotherm.tuning.plan import Plan, SweepOptions
from tests.conftest import random_clicks
from tests.hostile import fuzzing

SMALL = {"hidden": 8, "latent": 4, "training.epochs": 2}
MODELS = {
    "popularity": {}, "item-knn": {}, "content-knn": {}, "ease": {}, "slim": {}, "ials": {"factors": 4},
    "marec": {"backbone.collective": 0.5}, "kernel-ridge": {"steps": 3, "draws": 1},
    "multvae": {**SMALL, "ease_term": "ease", "anchors.weight": 0.1}, "multdae": SMALL, "recvae": SMALL,
    "mmr": {"model": "ials", "model.factors": 4},
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved EASE model of sixty users and twenty-five items."""
    x = random_clicks(np.random.default_rng(2), 60, 25)
    folder = tmp_path_factory.mktemp("saved") / "model"
    build(model_class("ease"), {}).fit(Interactions.from_csr(x)).save(folder)
    return folder


@pytest.fixture
def ease(saved, tmp_path):
    """A copy of it."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def manifest(folder, name="model.json"):
    return json.loads((folder / name).read_text())


def with_manifest(folder, change, name="model.json"):
    document = manifest(folder, name)
    change(document)
    (folder / name).write_text(json.dumps(document))


def with_arrays(folder, change):
    """Other arrays, under the name that they must have."""
    file = next(folder.glob("arrays-*"))
    arrays = load_file(file)
    change(arrays)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, file)
    fuzzing._replace(folder, file, file.read_bytes())


def set_to(*path, value):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        document[path[-1]] = value

    return change


def without(*path):
    def change(document):
        for key in path[:-1]:
            document = document[key]
        del document[path[-1]]

    return change


MANIFESTS = {
    "no value at all": (b"", "no JSON"),
    "null": (b"null", "must be dict"),
    "a list": (b"[1]", "must be dict"),
    "a number": (b"7", "must be dict"),
    "10 MB of digits": (b"1" * 10_000_000, "10,000,000 digits"),
    "100,000 brackets": (b"[" * 100_000, "nested too deeply"),
    "100,000 closed brackets": (b'{"format": 4, "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
    "infinite format": (b'{"format": 1e999}', "'1e999' is not a finite number"),
    "NaN": (b'{"format": NaN}', "NaN is not a finite number"),
    "text as format": (b'{"format": "4"}', "format is '4'"),
    "true as format": (b'{"format": true}', "format is True"),
    "negative format": (b'{"format": -3}', "format is -3"),
    "no UTF-8": (b'{"format": "\xff"}', "no UTF-8 text"),
    "UTF-16": ('{"format": 4}'.encode("utf-16"), "no UTF-8 text"),
    "half a surrogate": (b'{"format": 4, "model": "\\ud800"}', "no UTF-8 text"),
    "a name twice": (b'{"format": 4, "format": 4}', "'format' is there twice"),
    "format alone": (b'{"format": 7}', "is missing"),
    "a newer one": (b'{"format": 99, "isotherm": "9"}', "upgrade it"),
}


@pytest.mark.parametrize("case", MANIFESTS)
def test_manifests_that_are_none(ease, case):
    content, says = MANIFESTS[case]
    (ease / "model.json").write_bytes(content)
    with pytest.raises(ModelFolderError) as error:
        library.load(ease)
    assert says in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("case", ["null", "100,000 brackets", "10 MB of digits", "infinite format"])
def test_the_command_line_says_it_in_one_line(isotherm, ease, case):
    content, says = MANIFESTS[case]
    (ease / "model.json").write_bytes(content)
    isotherm.refuses("recommend", "--model", ease, "--all", "--out", "r.csv", says=["model.json", says])


KEYS = {
    "files null": (set_to("files", value=None), "files is None"),
    "files a list": (set_to("files", value=["a"]), "manifest.files"),
    "a file missing": (without("files", "users"), "'users' is missing"),
    "a file too many": (set_to("files", "x", value="y"), "'x' is unknown"),
    "a path as file": (set_to("files", "arrays", value="../../etc/passwd"), "no name of such a file"),
    "a number as file": (set_to("files", "arrays", value=7), "files.arrays is 7"),
    "another role's file": (lambda d: d["files"].update(arrays=d["files"]["users"]), "no name of such"),
    "no model": (without("model"), "'model' is missing"),
    "another model": (set_to("model", value="slim"), "slim.parameters"),
    "an unknown model": (set_to("model", value="os:system"), "no model 'os:system'"),
    "a model that is a list": (set_to("model", value=[]), "manifest.model is []"),
    "no parameters": (set_to("parameters", value=None), "parameters is None"),
    "a parameter missing": (without("parameters", "l2"), "'l2' is missing"),
    "a parameter too many": (set_to("parameters", "l9", value=1), "'l9' is unknown"),
    "a negative l2": (set_to("parameters", "l2", value=-1), "l2 must be"),
    "l2 as a list": (set_to("parameters", "l2", value=[[[]]]), "l2 must be"),
    "l2 of 400 digits": (set_to("parameters", "l2", value=10**399), "400 digits"),
    "l2 as a model": (set_to("parameters", "l2", value={"model": "ease", "parameters": {}}), "is missing"),
    "clicks null": (set_to("clicks", value=None), "clicks is None"),
    "clicks of one size": (set_to("clicks", value=[60]), "a list of 2"),
    "negative clicks": (set_to("clicks", value=[-60, 25]), "clicks[0] is -60"),
    "half a click": (set_to("clicks", value=[60.5, 25]), "clicks[0] is 60.5"),
    "more users than ids": (set_to("clicks", value=[61, 25]), "60 rows where 61"),
    "10^15 users": (set_to("clicks", value=[10**15, 25]), "60 rows where"),
    "more items than ids": (set_to("clicks", value=[60, 26]), "clicks on 26 of 25 items"),
    "10^15 items": (set_to("clicks", value=[60, 10**15]), "of 25 items"),
    "no state": (without("state"), "'state' is missing"),
    "state a list": (set_to("state", value=[]), "state is []"),
    "an empty state": (set_to("state", value={}), "weights is missing"),
    "10^15 blocks": (set_to("state", "weights", "n_blocks", value=10**15), "a whole number from 1 to"),
    "two blocks": (set_to("state", "weights", "n_blocks", value=2), "is missing"),
    "no block": (set_to("state", "weights", "n_blocks", value=0), "a whole number from 1 to"),
    "a state too many": (set_to("state", "x", value=1), "'x' is unknown"),
}


@pytest.mark.parametrize("case", KEYS)
def test_manifests_with_wrong_values(ease, case):
    change, says = KEYS[case]
    with_manifest(ease, change)
    with pytest.raises(ModelFolderError) as error:
        library.load(ease)
    assert says in str(error.value)
    assert len(str(error.value)) < 600


def index_of(value, place=3, name="clicks/indices"):
    def change(arrays):
        arrays[name][place] = value

    return change


def with_array(name, array):
    return lambda arrays: arrays.__setitem__(name, array)


ROWS, BLOCK = "model/weights/rows", "model/weights/blocks.0/weights"
ARRAYS = {
    "an index of 10^8": (index_of(10**8), "an index of 100000000 where there are 25 columns"),
    "a negative index": (index_of(-1), "an index of -1"),
    "an index twice in a row": (lambda a: index_of(a["clicks/indices"][0], 1)(a), "do not ascend"),
    "an indptr of 10^8": (index_of(10**8, 4, "clicks/indptr"), "indptr goes down"),
    "an indptr that begins at 1": (index_of(1, 0, "clicks/indptr"), "indptr does not go from 0"),
    "an indptr that ends early": (index_of(3, -1, "clicks/indptr"), "indptr does not go from 0"),
    "a negative indptr": (index_of(-5, 2, "clicks/indptr"), "indptr goes down"),
    "fewer rows": (lambda a: a.update({"clicks/indptr": a["clicks/indptr"][:-1]}), "shape (59,)"),
    "a NaN click": (index_of(np.nan, 0, "clicks/data"), "not finite"),
    "a negative click": (index_of(-1, 0, "clicks/data"), "below 0"),
    "fewer clicks": (lambda a: a.update({"clicks/data": a["clicks/data"][1:]}), "must be ("),
    "float64 clicks": (lambda a: a.update({"clicks/data": a["clicks/data"].astype(float)}), "type F64"),
    "weights cut": (lambda a: a.update({BLOCK: a[BLOCK][:10]}), "shape (10, 25)"),
    "weights of one row": (lambda a: a.update({BLOCK: a[BLOCK][0]}), "shape (25,)"),
    "a NaN weight": (lambda a: a[BLOCK].__setitem__((3, 4), np.nan), "not finite"),
    "an infinite weight": (lambda a: a[BLOCK].__setitem__((3, 4), -np.inf), "not finite"),
    "int weights": (lambda a: a.update({BLOCK: a[BLOCK].astype(np.int32)}), "type I32"),
    "a row out of range": (index_of(25, -1, ROWS), "above 24"),
    "a negative row": (index_of(-1, 0, ROWS), "below 0"),
    "a row twice": (index_of(3, 4, ROWS), "not ascending"),
    "a column twice": (index_of(3, 4, "model/weights/blocks.0/columns"), "not ascending"),
    "an array missing": (lambda a: a.pop(ROWS), "'model/weights/rows' is missing"),
    "an array too many": (with_array("model/x", np.ones(3)), "'model/x' is unknown"),
    "10,000 arrays too many": (
        lambda a: a.update({f"x{n}": np.ones(1) for n in range(10_000)}), "and 9999 more"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays_that_are_not_what_the_model_declares(ease, case):
    change, says = ARRAYS[case]
    with_arrays(ease, change)
    with pytest.raises(ModelFolderError) as error:
        library.load(ease)
    assert says in str(error.value)
    assert next(ease.glob("arrays-*")).name in str(error.value)
    assert len(str(error.value)) < 600


def entry(key, value):
    return lambda header: header["model/weights/blocks.0/weights"].__setitem__(key, value)


HEADERS = {
    "10^15 columns": (entry("shape", [60, 10**15]), "does not fit its bytes"),
    "a negative shape": (entry("shape", [-25, -25]), "shape[0] is -25"),
    "2^63 columns": (entry("shape", [2**63, 1]), "shape[0] is 9"),
    "a shape of text": (entry("shape", "25"), "shape is '25'"),
    "no dtype": (lambda h: h["clicks/data"].pop("dtype"), "'dtype' is missing"),
    "an unknown dtype": (entry("dtype", "F16"), "dtype is 'F16'"),
    "offsets past the end": (entry("data_offsets", [0, 10**15]), "does not fit its bytes"),
    "offsets that overlap": (lambda h: h.update({"x": h["clicks/data"]}), "do not fill the file"),
    "offsets of text": (entry("data_offsets", ["0", "1"]), "data_offsets[0] is '0'"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_claim_what_is_not_there(ease, case):
    change, says = HEADERS[case]
    header, data = fuzzing._arrays(ease)
    change(header)
    fuzzing._write_arrays(ease, header, data)
    with pytest.raises(ModelFolderError) as error:
        library.load(ease)
    assert says in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 8, b"\xff" * 100, b"\5\0\0\0\0\0\0\0[[[[["])
def test_arrays_that_are_no_safetensors(ease, content):
    fuzzing._replace(ease, next(ease.glob("arrays-*")), content)
    with pytest.raises(ModelFolderError, match="is damaged"):
        library.load(ease)


IDS = {
    "a null": (pl.Series("id", [None, *range(59)]), "1 null in"),
    "twice": (pl.Series("id", [0, *range(59)]), "an id is there twice"),
    "too few": (pl.Series("id", range(59)), "59 rows where 60"),
    "another column": (pl.Series("user_id", range(60)), "only column must be id"),
    "lists": (pl.Series("id", [[n] for n in range(60)]), "no type of ids"),
    "nothing": (pl.Series("id", [None] * 60), "60 nulls"),
    "NaN": (pl.Series("id", [float("nan"), *map(float, range(59))]), "NaN is no id"),
}


@pytest.mark.parametrize("case", IDS)
def test_ids_that_are_none(ease, tmp_path, case):
    ids, says = IDS[case]
    ids.to_frame().write_parquet(tmp_path / "ids")
    fuzzing._replace(ease, next(ease.glob("users-*")), (tmp_path / "ids").read_bytes())
    with pytest.raises(ModelFolderError, match=says):
        library.load(ease)


CATALOGUES = {
    "titles of numbers": ({"title:name": range(25)}, "column 'title:name' is no title"),
    "two titles": ({"title:name": ["a"] * 25, "title:label": ["a"] * 25}, "column 'title:label' is no title"),
    "values of numbers": ({"values:genres": [[1]] * 25}, "'values:genres' is no title, no list"),
    "values with nulls": ({"values:genres": [None] + [["a"]] * 24}, "column 'values:genres' is no title"),
    "a null among values": ({"values:genres": [["a", None]] * 25}, "column 'values:genres' is no title"),
    "numbers that are not finite": (
        {"numbers:year": [float("nan")] * 25},
        "column 'numbers:year' is no title",
    ),
    "whole numbers": ({"dates:year": range(25)}, "column 'dates:year' is no title"),
    "a field of two kinds": (
        {"numbers:x": [1.0] * 25, "dates:x": [1.0] * 25},
        "column 'dates:x' is no title",
    ),
    "another column": ({"more": range(25)}, "column 'more' is no title"),
}


@pytest.mark.parametrize("case", CATALOGUES)
def test_labels_that_are_none(ease, tmp_path, case):
    columns, says = CATALOGUES[case]
    table = pl.DataFrame({"id": [f"i{n:02}" for n in range(25)], **columns})
    table.write_parquet(tmp_path / "items")
    fuzzing._replace(ease, next(ease.glob("items-*")), (tmp_path / "items").read_bytes())
    with pytest.raises(ModelFolderError, match=says):
        library.load(ease)


def test_a_catalogue_without_ids_first_is_refused(ease, tmp_path):
    table = pl.DataFrame({"title:name": ["a"] * 25, "id": range(25)})
    table.write_parquet(tmp_path / "items")
    fuzzing._replace(ease, next(ease.glob("items-*")), (tmp_path / "items").read_bytes())
    with pytest.raises(ModelFolderError, match="its first column must be id"):
        library.load(ease)


def test_files_that_are_missing_folders_or_pipes(isotherm, ease):
    recommend = ("recommend", "--model", ease, "--all", "--out", "r.csv")
    file = next(ease.glob("users-*"))
    file.unlink()
    isotherm.refuses(*recommend, says=[file.name, "is missing"])
    file.mkdir()
    isotherm.refuses(*recommend, says=[file.name, "is missing"])
    file.rmdir()
    os.mkfifo(file)
    isotherm.refuses(*recommend, says=[file.name, "is missing"])


def test_models_of_every_kind_survive_or_refuse_random_changes(clicks, items, item_frame, tmp_path, forks):
    """A crash of the process that loads them would show here as a negative exit code."""
    for name, settings in MODELS.items():
        build(model_class(name), settings).fit(clicks, items).save(tmp_path / name)
    new = item_frame.with_columns(item_id=pl.col("item_id").str.replace("i", "n"))
    new.write_parquet(tmp_path / "new.parquet")
    out = tmp_path / "told.txt"
    code = forks.start(tmp_path, 0, 150, module="tests.hostile.fuzzing", out=out).wait()
    told = out.read_text()
    assert code == 0, told[-500:]
    counts = json.loads(told.splitlines()[-1])
    assert counts["failed"] == 0, told
    assert counts["refused"] > 80
    assert counts["answered"] > 10


@pytest.mark.parametrize("name", MODELS)
def test_declared_is_what_is_saved(clicks, items, tmp_path, name):
    model = build(model_class(name), MODELS[name]).fit(clicks, items)
    model.save(tmp_path / "m")
    loaded = library.load(tmp_path / "m")
    assert loaded.recommend(k=9).equals(model.recommend(k=9))
    arrays, document = model.state()
    again, rest = loaded.state()
    assert document == rest
    assert [(n, a.dtype, a.shape) for n, a in arrays.items()] == [
        (n, a.dtype, a.shape) for n, a in again.items()
    ]
    assert all(np.array_equal(a, again[n], equal_nan=a.dtype.kind == "f") for n, a in arrays.items())


# stored logs


def npy(folder, role, array):
    """Another array of a stored log, listed by its manifest."""
    temporary = folder / "x.npy"
    np.save(temporary, array, allow_pickle=True)
    replaced(folder, role, temporary.read_bytes(), ".npy")
    temporary.unlink()


def column(folder, role, series):
    temporary = folder / "x.parquet"
    series.to_frame().write_parquet(temporary)
    replaced(folder, role, temporary.read_bytes(), ".parquet")
    temporary.unlink()


def replaced(folder, role, content, suffix):
    for old in folder.glob(f"{role}-*"):
        old.unlink()
    name = f"{role}-{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
    (folder / name).write_bytes(content)
    with_manifest(folder, set_to("files", role, value=name), "clicks.json")


def stored(folder, role):
    return np.load(next(folder.glob(f"{role}-*")))


def edited(role, place, value):
    def change(folder):
        array = stored(folder, role).copy()
        array[place] = value
        npy(folder, role, array)

    return change


LOGS = {
    "an indptr of 10^8": (edited("indptr", 3, 10**8), "indptr goes down"),
    "an indptr that begins at 1": (edited("indptr", 0, 1), "indptr does not go"),
    "a negative indptr": (edited("indptr", 1, -1), "indptr goes down"),
    "an index of 10^8": (edited("indices", 3, 10**8), "an index of 100000000"),
    "a negative index": (edited("indices", 3, -1), "an index of -1"),
    "an index twice": (edited("indices", slice(0, 2), 5), "do not ascend"),
    "a NaN click": (edited("data", 0, np.nan), "not finite"),
    "a negative click": (edited("data", 0, -1), "below 0"),
    "fewer clicks": (lambda f: npy(f, "data", stored(f, "data")[1:]), "are needed"),
    "fewer rows": (lambda f: npy(f, "indptr", stored(f, "indptr")[1:]), "are needed"),
    "float64 clicks": (lambda f: npy(f, "data", stored(f, "data").astype(float)), "float64"),
    "objects": (lambda f: npy(f, "data", np.array([{}, []], dtype=object)), "object"),
    "Fortran's order": (lambda f: npy(f, "data", np.asfortranarray(np.ones((9, 9), np.float32))), "(9, 9)"),
    "big-endian": (lambda f: npy(f, "indices", stored(f, "indices").astype(">i4")), "are needed"),
    "no dimension": (lambda f: npy(f, "data", np.float32(1)), "()"),
    "0 bytes": (lambda f: replaced(f, "data", b"", ".npy"), "no array"),
    "a text": (lambda f: replaced(f, "indices", b"indices", ".npy"), "no array"),
    "a header of brackets": (
        lambda f: replaced(f, "data", b"\x93NUMPY\x01\x00\x00\x40" + b"[" * 16384, ".npy"), "no array"
    ),
    "cut off": (
        lambda f: replaced(f, "data", next(f.glob("data-*")).read_bytes()[:-3], ".npy"), "not the size"
    ),
    "ids with a null": (lambda f: column(f, "users", pl.Series("id", [None, *range(59)])), "1 null in"),
    "ids twice": (lambda f: column(f, "items", pl.Series("id", [1] * 25)), "there twice"),
    "ids too few": (lambda f: column(f, "users", pl.Series("id", range(7))), "7 rows where 60"),
    "times of another length": (lambda f: column(f, "timestamps", pl.Series("timestamp", [1, 2])), "2 rows"),
    "times of text": (
        lambda f: column(f, "timestamps", pl.Series("timestamp", ["x"] * len(stored(f, "data")))), "no type"
    ),
    "times that are none": (
        lambda f: column(f, "timestamps", pl.Series("timestamp", [np.nan] * len(stored(f, "data")))),
        "not finite",
    ),
    "null": (lambda f: (f / "clicks.json").write_text("null"), "must be dict"),
    "a list": (lambda f: (f / "clicks.json").write_text("[]"), "must be dict"),
    "brackets": (lambda f: (f / "clicks.json").write_text("[" * 100_000), "nested"),
    "no shape": (lambda f: with_manifest(f, without("shape"), "clicks.json"), "'shape' is missing"),
    "half a user": (
        lambda f: with_manifest(f, set_to("shape", value=[60.5, 25]), "clicks.json"), "shape[0] is 60.5"
    ),
    "a negative shape": (
        lambda f: with_manifest(f, set_to("shape", value=[-60, 25]), "clicks.json"), "shape[0] is -60"
    ),
    "10^15 users": (
        lambda f: with_manifest(f, set_to("shape", value=[10**15, 25]), "clicks.json"), "are needed"
    ),
    "no files": (lambda f: with_manifest(f, set_to("files", value=None), "clicks.json"), "files is None"),
    "a file missing": (lambda f: with_manifest(f, without("files", "data"), "clicks.json"), "is missing"),
    "a path": (
        lambda f: with_manifest(f, set_to("files", "data", value="../x"), "clicks.json"), "no such file"
    ),
    "another format": (lambda f: with_manifest(f, set_to("format", value=7), "clicks.json"), "format 7"),
}  # fmt: skip


@pytest.mark.parametrize("case", LOGS)
def test_stored_logs_that_are_damaged(clicks, tmp_path, case):
    change, says = LOGS[case]
    times = pl.Series("timestamp", range(clicks.n_clicks))
    Interactions(clicks.users, clicks.items, clicks.matrix, times).store(tmp_path / "log")
    change(tmp_path / "log")
    with pytest.raises(InteractionsError) as error:
        Interactions.open(tmp_path / "log")
    assert says in str(error.value)
    assert "log" in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("case", ["an indptr of 10^8", "an index of 10^8", "0 bytes"])
def test_a_damaged_log_is_one_line_on_the_command_line(isotherm, desk, case):
    change, says = LOGS[case]
    log = desk / "log"
    Interactions.read(desk / "clicks.parquet").store(log)
    change(log)
    fit = ("fit", "--interactions", "log", "--model", "popularity", "--out", "model", "--quiet")
    isotherm.refuses(*fit, says=["log", says])


def test_a_stored_log_without_a_click_opens(tmp_path):
    from scipy.sparse import csr_array

    from isotherm.data.ids import IdMap
    from isotherm.data.stored import StoredLog, open_stored, store

    empty = csr_array((3, 2), dtype=np.float32)
    store(tmp_path / "log", StoredLog(IdMap.numbered(3), IdMap.numbered(2), empty))
    assert open_stored(tmp_path / "log").matrix.nnz == 0


# checkpoints and sweeps


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Clicks and the run folder of a training that was done."""
    rng = np.random.default_rng(0)
    clicks = Interactions.from_csr(rng.random((30, 12)) < 0.4)
    run = tmp_path_factory.mktemp("run") / "run"
    build(model_class("multvae"), SMALL).fit(clicks, options=FitOptions(run_dir=run))
    return clicks, run


def checkpoint_tensor(folder, change):
    from safetensors.torch import load_file, save_file

    file = next(folder.glob("checkpoint-*"))
    arrays = load_file(file)
    change(arrays)
    save_file(arrays, file)
    content = file.read_bytes()
    file.unlink()
    name = f"checkpoint-{hashlib.sha256(content).hexdigest()[:16]}.safetensors"
    (folder / name).write_bytes(content)
    with_manifest(folder, set_to("files", "checkpoint", value=name), "checkpoint.json")


def checkpoint_key(change):
    return lambda folder: with_manifest(folder, change, "checkpoint.json")


HEAD = "now/network/head.bias"
CHECKPOINTS = {
    "null": (lambda f: (f / "checkpoint.json").write_text("null"), ""),
    "a list": (lambda f: (f / "checkpoint.json").write_text("[]"), ""),
    "cut off": (lambda f: (f / "checkpoint.json").write_text('{"fing'), ""),
    "no progress": (checkpoint_key(without("progress")), "'progress' is missing"),
    "no epoch": (checkpoint_key(without("progress", "epoch")), "'epoch' is missing"),
    "epoch of text": (checkpoint_key(set_to("progress", "epoch", value="1")), "progress.epoch is '1'"),
    "epoch -1": (checkpoint_key(set_to("progress", "epoch", value=-1)), "progress.epoch is -1"),
    "half an epoch": (checkpoint_key(set_to("progress", "epoch", value=0.5)), "progress.epoch is 0.5"),
    "sums of text": (checkpoint_key(set_to("progress", "sums", value={"kl": "x"})), "progress.sums"),
    "no steps": (checkpoint_key(set_to("table_steps", value=[])), "table_steps is []"),
    "a file elsewhere": (checkpoint_key(set_to("files", "checkpoint", value="../x")), "no name of a"),
    "a parameter missing": (
        lambda f: checkpoint_tensor(f, lambda a: a.pop(HEAD)), "is missing"
    ),
    "a parameter cut": (
        lambda f: checkpoint_tensor(f, lambda a: a.update({HEAD: a[HEAD][:2]})),
        "of shape (2,)",
    ),
    "a parameter of NaN": (
        lambda f: checkpoint_tensor(f, lambda a: a[HEAD].fill_(np.nan)), "not finite"
    ),
    "an array too many": (
        lambda f: checkpoint_tensor(f, lambda a: a.update({"x": a[HEAD].clone()})), "'x'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_checkpoints_that_are_damaged(trained, tmp_path, case):
    clicks, run = trained
    change, says = CHECKPOINTS[case]
    shutil.copytree(run, tmp_path / "run")
    change(tmp_path / "run")
    with pytest.raises(TrainingError, match="run") as error:
        build(model_class("multvae"), SMALL).fit(clicks, options=FitOptions(run_dir=tmp_path / "run"))
    assert says in str(error.value)
    assert len(str(error.value)) < 600


GOOD_CELL = {"epochs": 1, "seconds": 1.0} | dict.fromkeys(FIGURES, 0.5)
CELLS = {
    "cut off": '{"epochs": 1, "sec', "empty": "", "null": "null", "a list": "[]", "NaN": '{"epochs": NaN}',
    "a figure missing": json.dumps({"epochs": 1, "seconds": 1.0}),
    "a figure of text": json.dumps(GOOD_CELL | {"kl": "x"}),
    "a figure too many": json.dumps(GOOD_CELL | {"more": 1}),
}  # fmt: skip


@pytest.mark.parametrize("case", CELLS)
def test_cells_of_a_sweep_that_are_damaged(tmp_path, case):
    (tmp_path / "cells").mkdir()
    file = tmp_path / "cells" / "beta=1.json"
    file.write_text(json.dumps(GOOD_CELL))
    assert SweepFolder(tmp_path).read_result("beta=1") == GOOD_CELL
    file.write_text(CELLS[case])
    with pytest.raises(TrainingError, match=r"beta=1\.json: is damaged .*remove it, and the cell"):
        SweepFolder(tmp_path).read_result("beta=1")


@pytest.mark.parametrize("content", ["", "null", "[]", "{}", '{"model": 1}', "[" * 100_000])
def test_plans_of_a_sweep_that_are_damaged(tmp_path, content):
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(ParameterError, match=r"plan\.json: is damaged .*remove the folder or name another"):
        SweepFolder(tmp_path).read_plan()


def test_a_sweep_belongs_to_clicks_ids_and_times(tmp_path):
    frame = pl.DataFrame({"user_id": [1, 2, 2], "item_id": [1, 1, 2], "timestamp": [1, 2, 3]})

    def begin(frame):
        clicks = Interactions.from_frame(frame)
        plan = Plan("multvae", {}, {"a": {}}, SweepOptions(pairs=20), fingerprint(clicks))
        SweepFolder(tmp_path / "sweep").begin(plan, clicks)

    (tmp_path / "sweep").mkdir()
    begin(frame)
    begin(frame)
    for name in frame.columns:
        with pytest.raises(ParameterError, match=r"another sweep \(log differ\)"):
            begin(frame.with_columns(pl.col(name) + 10))
    Interactions.from_frame(frame.head(2)).store(tmp_path / "sweep" / "clicks")
    with pytest.raises(ParameterError, match="clicks: is not the log of this sweep; remove it"):
        begin(frame)


@pytest.mark.parametrize(
    ("name", "settings"), [("content-knn", {}), ("kernel-ridge", MODELS["kernel-ridge"])]
)
def test_fields_named_like_parts_of_others_are_kept_apart(tmp_path, name, settings):
    rng = np.random.default_rng(0)
    table = pl.DataFrame(
        {
            "item_id": range(24),
            "x": [["r", "s"][n % 2 :] for n in range(24)],
            "x/data": [["p", "q"][n % 2 :] for n in range(24)],
            "amount of x": [float(n) for n in range(24)],
            "mean of x": [[float(n), 1.0, 2.0] for n in range(24)],
        }
    )
    clicks = Interactions.from_csr((rng.random((40, 20)) < 0.3).astype(float))
    model = build(model_class(name), MODELS[name]).fit(clicks, Items.from_frame(table))
    model.save(tmp_path / "m")
    loaded = library.load(tmp_path / "m")
    assert loaded.recommend(k=9).equals(model.recommend(k=9))
    new = Items.from_frame(table.with_columns(item_id=pl.col("item_id") + 100))
    assert loaded.add_items(new).recommend(k=9).equals(model.add_items(new).recommend(k=9))
