"""isotherm recommend: one file, or a folder of parts that goes on when cut off."""

import json
import os
import signal
import time

import numpy as np
import polars as pl
import pytest

from isotherm import EASE, Interactions, load

PART = 50


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    rng = np.random.default_rng(0)
    clicked = rng.random((230, 25)) < 0.2
    clicked[:, 0] = True
    users, items = np.nonzero(clicked)
    log = pl.DataFrame({"user_id": users, "item_id": items})
    folder = tmp_path_factory.mktemp("bulk") / "model"
    EASE(l2=5.0).fit(Interactions.from_frame(log)).save(folder)
    return folder


@pytest.fixture
def bulk(isotherm, model):
    """Run isotherm recommend --all in parts of 50 users; returns exit code and stderr."""

    def run(out, *options, folder=model):
        common = ("recommend", "--model", folder, "--all", "-k", 4, "--users-per-part", PART)
        code, _, err = isotherm(*common, "--out", out, *options)
        return code, err

    return run


def parts(folder):
    return sorted(file.name for file in folder.glob("part-*.parquet"))


def same_lists(found, model, **options):
    wanted = load(model).recommend(k=4, **options)
    assert found.drop("score").equals(wanted.drop("score"))
    assert np.allclose(found["score"], wanted["score"], rtol=1e-5)


def test_one_file_holds_the_blocks_as_row_groups(bulk, model, tmp_path):
    from pyarrow.parquet import ParquetFile

    code, err = bulk(tmp_path / "recs.parquet")
    assert code == 0, err
    assert "rows for 230 users" in err
    same_lists(pl.read_parquet(tmp_path / "recs.parquet"), model)
    assert ParquetFile(tmp_path / "recs.parquet").num_row_groups == 5


@pytest.mark.parametrize(("suffix", "read"), [(".csv", pl.read_csv), (".jsonl", pl.read_ndjson)])
def test_text_files_hold_the_blocks_one_after_the_other(bulk, model, tmp_path, suffix, read):
    code, err = bulk(tmp_path / f"recs{suffix}")
    assert code == 0, err
    found = read(tmp_path / f"recs{suffix}").cast({"rank": pl.Int32, "score": pl.Float32})
    same_lists(found, model)


def test_a_folder_holds_numbered_parts_and_a_manifest(bulk, model, tmp_path):
    out = tmp_path / "lists"
    code, err = bulk(out, "--titles")
    assert code == 0, err
    assert "5 parts" in err
    assert sorted(os.listdir(out)) == [*(f"part-{n:05}.parquet" for n in range(5)), "recommendations.json"]
    assert json.loads((out / "recommendations.json").read_text())["complete"] is True
    same_lists(pl.read_parquet(out / "*.parquet"), model, titles=True)
    before = {name: (out / name).stat().st_mtime_ns for name in os.listdir(out)}
    code, err = bulk(out, "--titles")
    assert code == 0
    assert "all parts are there (5)" in err
    assert before == {name: (out / name).stat().st_mtime_ns for name in os.listdir(out)}


def test_a_killed_run_goes_on_where_it_was(bulk, forks, model, tmp_path):
    """A real process, killed with kill -9 before its n-th file is put in place, whichever that is."""
    for puts in (0, 1, 2, 5, 6, 9, 10):
        out = tmp_path / f"lists-{puts}"
        code = f"""
import os, signal
replace, done = os.replace, 0
def counted(*places):
    global done
    if done == {puts}:
        os.kill(os.getpid(), signal.SIGKILL)
    done += 1
    replace(*places)
os.replace = counted
from isotherm.cli.app import app
app(["recommend", "--model", {str(model)!r}, "--all", "-k", "4", "--users-per-part", "{PART}", "--out",
     {str(out)!r}], standalone_mode=False)
"""
        assert forks.start(code=code).wait() in (-signal.SIGKILL, 128 + signal.SIGKILL)
        whole = {name: pl.read_parquet(out / name).height for name in parts(out)}
        assert len(whole) == (puts + 1) // 2
        assert set(whole.values()) <= {200, 120}
        told, err = bulk(out)
        assert told == 0, err
        assert parts(out) == [f"part-{n:05}.parquet" for n in range(5)]
        assert not list(out.glob(".*"))
        same_lists(pl.read_parquet(out / "*.parquet"), model)


def test_a_run_killed_in_the_middle_keeps_its_parts(bulk, forks, model, tmp_path):
    out = tmp_path / "lists"
    argv = ["recommend", "--model", model, "--all", "-k", 4, "--users-per-part", 1, "--out", out]
    child = forks.start(*argv)
    deadline = time.monotonic() + 120
    while len(parts(out)) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    kept = {name: (out / name).stat().st_mtime_ns for name in parts(out)[:-1]}
    assert len(kept) >= 4
    code, err = bulk(out, "--users-per-part", 1)
    assert code == 0, err
    assert "were there" in err
    assert len(parts(out)) == 230
    assert kept == {name: (out / name).stat().st_mtime_ns for name in kept}
    same_lists(pl.read_parquet(out / "*.parquet"), model)


def test_a_part_that_is_missing_is_made_again_and_a_changed_one_refused(bulk, model, tmp_path):
    out = tmp_path / "lists"
    assert bulk(out)[0] == 0
    (out / "part-00003.parquet").unlink()
    assert bulk(out)[0] == 0
    same_lists(pl.read_parquet(out / "*.parquet"), model)
    (out / "part-00001.parquet").write_bytes(b"mine")
    code, err = bulk(out)
    assert code != 0
    assert "part-00001.parquet: is not what isotherm wrote there" in err
    assert (out / "part-00001.parquet").read_bytes() == b"mine"


def test_other_settings_or_another_model_are_refused(bulk, model, tmp_path):
    out, shown = tmp_path / "lists", tmp_path / "shown.csv"
    shown.write_text("item_id\n1\n2\n3\n")
    assert bulk(out, "--candidates", shown)[0] == 0
    before = pl.read_parquet(out / "*.parquet")
    for options, named in [
        ((), "--candidates differs"),
        (("--candidates", shown, "--include-seen"), "--include-seen differs"),
        (("--candidates", shown, "-k", 5), "-k differs"),
    ]:
        code, err = bulk(out, *options)
        assert code != 0
        assert named in err
        assert "name another folder, or remove that one" in err
    shown.write_text("item_id\n1\n2\n4\n")
    assert "--candidates differs" in bulk(out, "--candidates", shown)[1]
    shown.write_text("item_id\n1\n2\n3\n")
    other = load(model)
    other.weights_.warm[:] = 0
    other.save(tmp_path / "other")
    code, err = bulk(out, "--candidates", shown, folder=tmp_path / "other")
    assert code != 0
    assert "--model differs" in err
    assert pl.read_parquet(out / "*.parquet").equals(before)


def test_a_folder_with_anything_else_in_it_is_refused(bulk, tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "part-00000.parquet").write_text("mine")
    code, err = bulk(tmp_path / "lists")
    assert code != 0
    assert "is not what isotherm wrote there" in err or "is not empty" in err
    assert (tmp_path / "lists" / "part-00000.parquet").read_text() == "mine"


def test_two_runs_do_not_share_a_folder(bulk, tmp_path):
    from isotherm.files import locked

    with locked(tmp_path / "lists"):
        code, err = bulk(tmp_path / "lists")
    assert code != 0
    assert "another run is at work" in err
