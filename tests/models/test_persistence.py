"""Saved models: atomic, checked, and free of code."""

import errno
import json
import os

import polars as pl
import pytest

import isotherm
from isotherm import EASE, Interactions, files, folders
from isotherm.errors import ModelFolderError, OutputError


@pytest.fixture
def saved(clicks, tmp_path):
    model = EASE().fit(clicks)
    model.save(tmp_path / "model")
    return tmp_path / "model", model


def test_folder_holds_a_manifest_safetensors_and_parquet_only(saved):
    folder, _ = saved
    assert {file.suffix for file in folder.iterdir()} == {".json", ".safetensors", ".parquet"}
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["format"] == 5
    assert manifest["model"] == "ease"
    assert manifest["parameters"] == {"l2": 500.0, "collective": 0.0, "dtype": "float32"}


def test_saving_again_replaces_the_model_and_leaves_no_old_file(saved, clicks):
    folder, _ = saved
    EASE(l2=3.0).fit(clicks).save(folder)
    assert len(list(folder.iterdir())) == 4
    assert isotherm.load(folder).l2 == 3.0


@pytest.mark.parametrize("step", ["arrays", "users", "items", "model.json"])
def test_failure_while_saving_leaves_the_old_model_whole(saved, clicks, monkeypatch, step):
    folder, model = saved
    filled = files.filled

    def failing(place, name, write, mode=None):
        if name == step:
            raise OSError(errno.ENOSPC, "No space left on device")
        return filled(place, name, write, mode)

    monkeypatch.setattr(folders, "filled", failing)
    before = sorted(folder.iterdir())
    with pytest.raises(OutputError, match=rf"model.{step}.*No space left on device\); free some space"):
        EASE(l2=3.0).fit(clicks).save(folder)
    assert sorted(folder.iterdir()) == before
    loaded = isotherm.load(folder)
    assert loaded.l2 == 500.0
    assert loaded.recommend(k=5).equals(model.recommend(k=5))


@pytest.mark.parametrize("puts", [0, 1, 3, 4])
def test_process_killed_while_saving_leaves_a_whole_model_and_the_next_save_clears_up(saved, forks, puts):
    """A real process is killed before it puts its first, second, ... file, or before it removes old ones."""
    folder, model = saved
    code = f"""
import os, signal, isotherm
from isotherm import folders
model = isotherm.load({str(folder)!r})
model.l2 = 3.0
model.weights_.warm[:] = 0
replace, done = os.replace, 0
def counted(*places):
    global done
    if done == {puts}:
        os.kill(os.getpid(), signal.SIGKILL)
    done += 1
    replace(*places)
os.replace = counted
folders.Save._remove_old = lambda self: counted()
model.save({str(folder)!r})
"""
    assert forks.start(code=code).wait() == -9
    assert len(list(folder.iterdir())) > 4
    loaded = isotherm.load(folder)
    assert loaded.l2 == (3.0 if puts == 4 else 500.0)
    if puts < 4:
        assert loaded.recommend(k=5).equals(model.recommend(k=5))
    model.save(folder)
    assert len(list(folder.iterdir())) == 4
    assert isotherm.load(folder).recommend(k=5).equals(model.recommend(k=5))


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


@pytest.mark.parametrize(("version", "cure"), [(6, "upgrade it"), (4, "fit the model again")])
def test_another_format_names_the_cure(saved, version, cure):
    folder, _ = saved
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | {"format": version, "isotherm": "9.9"}))
    with pytest.raises(
        ModelFolderError, match=rf"format {version} by isotherm 9.9; .* reads format 5: {cure}"
    ):
        isotherm.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "os:system"}, "no model 'os:system'"),
        ({"parameters": {"l2": -1, "collective": 0, "dtype": "float32"}}, "l2 must be"),
        ({"parameters": {"l9": 1}}, "damaged"),
        ({"files": {"arrays": "../../etc/passwd", "users": "u", "items": "i"}}, "is no name of such a file"),
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


def test_foreign_files_in_the_folder_of_a_model_are_left_alone(saved, clicks):
    folder, _ = saved
    (folder / "users.parquet").write_text("not yours")
    (folder / "arrays-backup.safetensors").write_text("not yours")
    EASE().fit(clicks).save(folder)
    assert (folder / "arrays-backup.safetensors").read_text() == "not yours"
    assert (folder / "users.parquet").read_text() == "not yours"


def test_folder_of_anything_else_is_refused(clicks, tmp_path):
    (tmp_path / "notes.txt").write_text("keep me")
    with pytest.raises(ModelFolderError, match=r"holds no saved model \(notes.txt is in the way\); name an"):
        EASE().fit(clicks).save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["notes.txt"]


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


def test_titles_and_values_are_saved(clicks, item_frame, tmp_path):
    items = isotherm.Items.from_frame(item_frame.with_columns(title=pl.format("The {}", "item_id")))
    model = isotherm.ContentKNN().fit(clicks, items)
    model.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert loaded.labels_.titles.to_list() == [f"The {item}" for item in model.items_.values]
    assert loaded.labels_.title_field == "title"
    assert list(loaded.labels_.values) == ["genres"]
    assert loaded.labels_.values["genres"].equals(model.labels_.values["genres"])
