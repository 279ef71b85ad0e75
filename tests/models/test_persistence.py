"""Saved models: atomic, checked, and free of code."""

import datetime
import errno
import json
import mmap
import os

import numpy as np
import polars as pl
import pytest

import isotherm
from isotherm import EASE, Interactions, files, folders
from isotherm.errors import ModelFolderError, OutputError, ParameterError
from isotherm.untrusted import ArraysFile


@pytest.fixture
def saved(clicks, tmp_path):
    model = EASE(l2=500.0).fit(clicks)
    model.save(tmp_path / "model")
    return tmp_path / "model", model


def test_folder_holds_a_manifest_safetensors_and_parquet_only(saved):
    folder, _ = saved
    assert {file.suffix for file in folder.iterdir()} == {".json", ".safetensors", ".parquet"}
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["format"] == 7
    assert manifest["model"] == "ease"
    assert manifest["parameters"] == {
        "l2": 500.0,
        **dict.fromkeys(["denoising", "user_power", "relaxation"]),
        "collective": 0.0,
        "dtype": "float32",
        "seed": 0,
    }


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


WAYS = [{"mapped": mapped, "verify": verify} for mapped in (False, True) for verify in (True, False)]


def changed(folder, change):
    """Change the arrays of a saved model, whose file keeps its name."""
    file = next(folder.glob("arrays-*"))
    file.write_bytes(change(file.read_bytes()))


def damaged_number(name, number):
    """What puts a number in the place of the first one of an array."""

    def change(content):
        length = int.from_bytes(content[:8], "little")
        begin = 8 + length + json.loads(content[8 : 8 + length])[name]["data_offsets"][0]
        return content[:begin] + number.tobytes() + content[begin + number.nbytes :]

    return change


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_model_answers_alike_however_it_is_loaded(saved, clicks, way):
    folder, model = saved
    loaded = isotherm.load(folder, **way)
    assert loaded.recommend(k=9).equals(model.recommend(k=9))
    weights, clicked = loaded.weights_.warm, loaded.clicks_
    mapped = [_is_mapped(array) for array in (weights, clicked.data, clicked.indices, clicked.indptr)]
    assert mapped == [way["mapped"], way["mapped"], False, False]


def _is_mapped(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(getattr(array, "obj", array), mmap.mmap)


def test_a_mapped_file_never_changes_and_may_be_replaced_or_removed(saved, clicks):
    folder, model = saved
    lists = model.recommend(k=9)
    loaded = isotherm.load(folder, mapped=True)
    loaded.weights_.warm[:] = 0  # in this process alone
    assert isotherm.load(folder).recommend(k=9).equals(lists)
    loaded = isotherm.load(folder, mapped=True, verify=False)
    loaded.save(folder)  # the same content, over what it is read from
    EASE(l2=3.0).fit(clicks).save(folder)
    for file in folder.iterdir():
        file.unlink()
    assert loaded.recommend(k=9).equals(lists)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_wrong_float_is_noticed_where_it_is_looked_for_and_else_by_who_ranks(saved, way):
    folder, _ = saved
    changed(folder, damaged_number("model/weights/blocks.0/weights", np.float32(np.nan)))
    if way["verify"]:
        with pytest.raises(ModelFolderError, match="its content changed"):
            isotherm.load(folder, **way)
        return
    loaded = isotherm.load(folder, **way)
    with pytest.raises(ParameterError, match="a score is not a number"):
        loaded.recommend_for([["i00"]], exclude_seen=False)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("clicks/indices", np.int32(10**6)),
        ("clicks/indices", np.int32(-1)),
        ("clicks/indptr", np.int32(7)),
        ("model/weights/rows", np.int64(30)),
        ("model/weights/blocks.0/columns", np.int64(-1)),
    ],
)
def test_a_wrong_index_is_refused_however_a_model_is_loaded(saved, way, name, number):
    folder, _ = saved
    changed(folder, damaged_number(name, number))
    with pytest.raises(ModelFolderError, match=r"arrays-.*is damaged"):
        isotherm.load(folder, **way)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_arrays_that_are_cut_off_or_longer_are_refused_however_a_model_is_loaded(saved, way):
    folder, _ = saved
    whole = next(folder.glob("arrays-*")).read_bytes()
    for content in (whole[:-4], whole[:100], whole[:5], b"", whole + b"\0" * 8):
        changed(folder, lambda _, content=content: content)
        with pytest.raises(ModelFolderError, match=r"arrays-.*is damaged"):
            isotherm.load(folder, **way)


def test_a_file_that_is_cut_off_before_it_is_mapped_is_refused(saved, monkeypatch):
    folder, _ = saved
    headers = ArraysFile.__init__

    def then_cut(self, file):
        headers(self, file)
        os.truncate(file, file.stat().st_size - 4)

    monkeypatch.setattr(ArraysFile, "__init__", then_cut)
    with pytest.raises(ModelFolderError, match="it was changed while it was read"):
        isotherm.load(folder, mapped=True, verify=False)


def test_arrays_that_do_not_lie_as_memory_needs_them_are_not_mapped(saved):
    folder, model = saved

    def moved(content):
        length = int.from_bytes(content[:8], "little")
        return (length + 3).to_bytes(8, "little") + content[8 : 8 + length] + b"   " + content[8 + length :]

    changed(folder, moved)
    with pytest.raises(ModelFolderError, match="do not lie at multiples of 8 bytes"):
        isotherm.load(folder, mapped=True, verify=False)
    assert isotherm.load(folder, verify=False).recommend(k=9).equals(model.recommend(k=9))


def test_how_to_load_is_yes_or_no(saved):
    folder, _ = saved
    with pytest.raises(ParameterError, match="mapped must be true or false, not 'r'"):
        isotherm.load(folder, mapped="r")
    with pytest.raises(ParameterError, match="verify must be true or false, not None"):
        isotherm.load(folder, verify=None)


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


@pytest.mark.parametrize(("version", "cure"), [(8, "upgrade it"), (6, "fit the model again")])
def test_another_format_names_the_cure(saved, version, cure):
    folder, _ = saved
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | {"format": version, "isotherm": "9.9"}))
    with pytest.raises(
        ModelFolderError, match=rf"format {version} by isotherm 9.9; .* reads format 7: {cure}"
    ):
        isotherm.load(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "os:system"}, "no model 'os:system'"),
        ({"parameters": EASE().__dict__ | {"l2": -1}}, "l2 must be"),
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
    n_items = item_frame.height
    more = {
        "title": pl.format("The {}", "item_id"),
        "year": pl.Series([None, *range(1, n_items)], dtype=pl.Float64),
        "released": pl.Series([datetime.date(2000, 1, 1)] * n_items),
    }
    items = isotherm.Items.from_frame(item_frame.with_columns(**more))
    model = isotherm.ContentKNN().fit(clicks, items)
    model.save(tmp_path / "m")
    loaded = isotherm.load(tmp_path / "m")
    assert loaded.labels_.titles.to_list() == [f"The {item}" for item in model.items_.values]
    assert loaded.labels_.title_field == "title"
    assert list(loaded.labels_.values) == ["genres"]
    assert loaded.labels_.values["genres"].equals(model.labels_.values["genres"])
    years = pl.Series(model.items_.values.to_list(), dtype=pl.String)
    assert set(loaded.labels_.numbers) >= {"year", "released"}
    assert loaded.labels_.numbers["year"].equals(model.labels_.numbers["year"])
    assert loaded.labels_.numbers["released"].to_list() == [10957.0] * len(years)
    assert loaded.labels_.dates == {"released"}
