"""Saved models: atomic, checked, and free of code."""

import json
import os
import subprocess
import sys

import polars as pl
import pytest

import isotherm
from isotherm import EASE, Interactions, files
from isotherm.errors import ModelFolderError
from isotherm.models import persistence


@pytest.fixture
def saved(clicks, tmp_path):
    model = EASE().fit(clicks)
    model.save(tmp_path / "model")
    return tmp_path / "model", model


def test_folder_holds_a_manifest_safetensors_and_parquet_only(saved):
    folder, _ = saved
    assert {file.suffix for file in folder.iterdir()} == {".json", ".safetensors", ".parquet"}
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["format"] == 2
    assert manifest["model"] == "ease"
    assert manifest["parameters"] == {"l2": 500.0, "collective": 0.0, "dtype": "float32"}


def test_saving_again_replaces_the_model_and_leaves_no_old_file(saved, clicks):
    folder, _ = saved
    EASE(l2=3.0).fit(clicks).save(folder)
    assert len(list(folder.iterdir())) == 4
    assert isotherm.load(folder).l2 == 3.0


@pytest.mark.parametrize("step", ["users", "items", "manifest"])
def test_failure_while_saving_leaves_the_old_model_whole(saved, clicks, monkeypatch, step):
    folder, model = saved
    write = persistence.write_atomically

    def failing(path, fill):
        if step in path.name or (step == "manifest" and path.name == persistence.MANIFEST):
            raise OSError("no space left on device")
        return write(path, fill)

    for module in (persistence, files):
        monkeypatch.setattr(module, "write_atomically", failing)
    with pytest.raises(OSError, match="no space left"):
        EASE(l2=3.0).fit(clicks).save(folder)
    loaded = isotherm.load(folder)
    assert loaded.l2 == 500.0
    assert loaded.recommend(k=5).equals(model.recommend(k=5))


def test_process_killed_while_saving_leaves_the_old_model_whole(saved):
    """A real process dies (no clean-up, no exit handlers) just before the manifest is replaced."""
    folder, model = saved
    code = f"""
import os, isotherm
from isotherm import files
from isotherm.models import persistence
model = isotherm.load({str(folder)!r})
model.l2 = 3.0
model.weights_.groups[0][1][:] = 0
write = persistence.write_atomically
def dying(path, fill):
    if path.name == persistence.MANIFEST:
        os._exit(9)
    return write(path, fill)
persistence.write_atomically = dying
model.save({str(folder)!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert len(list(folder.glob("arrays-*"))) == 2  # the new arrays are there, but nobody names them
    assert isotherm.load(folder).recommend(k=5).equals(model.recommend(k=5))
    model.save(folder)
    assert len(list(folder.glob("arrays-*"))) == 1


def test_damaged_arrays_are_noticed(saved):
    folder, _ = saved
    file = next(folder.glob("arrays-*"))
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelFolderError, match=r"arrays-.*is damaged \(its content changed\)"):
        isotherm.load(folder)


def test_truncated_and_missing_files_are_noticed(saved):
    folder, _ = saved
    file = next(folder.glob("users-*"))
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelFolderError, match="is damaged"):
        isotherm.load(folder)
    file.unlink()
    with pytest.raises(ModelFolderError, match=r"users-.*is missing"):
        isotherm.load(folder)


@pytest.mark.parametrize(("version", "cure"), [(3, "upgrade it"), (1, "fit the model again")])
def test_another_format_names_the_cure(saved, version, cure):
    folder, _ = saved
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | {"format": version, "isotherm": "9.9"}))
    with pytest.raises(
        ModelFolderError, match=rf"format {version} by isotherm 9.9; .* reads format 2: {cure}"
    ):
        isotherm.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "os:system"}, "no model 'os:system'"),
        ({"parameters": {"l2": -1}}, "l2 must be"),
        ({"parameters": {"l9": 1}}, "damaged"),
        ({"files": {"arrays": "../../etc/passwd", "users": "u", "items": "i"}}, "is missing"),
        ({"clicks": [1, 1]}, "damaged"),
    ],
)
def test_manifest_with_wrong_content_is_refused(saved, change, words):
    folder, _ = saved
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | change))
    with pytest.raises(ModelFolderError, match=words):
        isotherm.load(folder)


def test_manifest_that_is_no_json_is_refused(saved):
    folder, _ = saved
    (folder / "model.json").write_text("{")
    with pytest.raises(ModelFolderError, match=r"model.json: is damaged"):
        isotherm.load(folder)


def test_folder_without_model_and_file_in_the_way(clicks, tmp_path):
    with pytest.raises(ModelFolderError, match="holds no saved model"):
        isotherm.load(tmp_path)
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(ModelFolderError, match="is a file"):
        EASE().fit(clicks).save(tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_foreign_files_in_the_folder_are_left_alone(clicks, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "users.parquet").write_text("not yours")
    (folder / "notes.txt").write_text("keep me")
    EASE().fit(clicks).save(folder)
    assert (folder / "notes.txt").read_text() == "keep me"
    assert (folder / "users.parquet").read_text() == "not yours"


@pytest.mark.parametrize(
    "ids",
    [
        pl.Series([2**40, 3, 1]),
        pl.Series(["é", "b", ""]),
        pl.Series(["2020-01-01", "2021-01-01", "2022-01-01"]).str.to_date(),
        pl.Series([b"\x00\x01", b"\xff", b"a"]),
    ],
)
def test_ids_of_any_type_come_back_as_they_were(ids, tmp_path):
    clicks = Interactions.from_frame(pl.DataFrame({"user_id": ids, "item_id": ids}))
    model = EASE().fit(clicks)
    model.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert loaded.users_.values.equals(model.users_.values)
    assert loaded.recommend(k=1).equals(model.recommend(k=1))
    assert loaded.recommend(k=1)["user_id"].dtype == ids.dtype


def test_loading_runs_nothing_from_the_folder(saved):
    folder, _ = saved
    (folder / "model.py").write_text("raise SystemExit('ran')")
    (folder / "__init__.py").write_text("raise SystemExit('ran')")
    assert isotherm.load(folder).recommend(k=1)["score"].is_finite().all()
    assert os.path.exists(folder / "model.py")
