"""Saves that race, are killed, or find the disk full: whole or not at all, and nothing is left."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

import isotherm as package
from isotherm import EASE, Interactions, Popularity, files, folders
from isotherm.errors import InteractionsError, OutputError, ParameterError
from isotherm.files import locked, write_atomically, write_json
from tests.hostile.test_files import EVALUATE, FIT, RECOMMEND

LOG = csr_array(np.arange(1500).reshape(60, 25) % 4 == 0)


def running(code, *arguments):
    """A process of its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


SAVE_AND_SAVE = """
import sys
import isotherm
folder, model = sys.argv[1], isotherm.load(sys.argv[2])
for n in range(20):
    model.save(folder)
    print(n, flush=True)
"""


def test_two_processes_that_save_to_one_folder_leave_whole_models(tmp_path, forks):
    """Each load while they are at it gets one of the two, whole."""
    clicks = Interactions.from_csr(LOG)
    for l2 in (1.0, 2.0):
        EASE(l2=l2).fit(clicks).save(tmp_path / f"{l2}")
    folder = tmp_path / "both"
    told = [tmp_path / f"{l2}.txt" for l2 in (1.0, 2.0)]
    savers = [forks.start(folder, out.with_suffix(""), code=SAVE_AND_SAVE, out=out) for out in told]
    while not all(out.exists() and "0\n" in out.read_text() for out in told):
        assert all(saver.poll() in (None, 0) for saver in savers)
        time.sleep(0.001)
    seen = []
    while any(saver.poll() is None for saver in savers):
        seen.append(package.load(folder).l2)
    assert [saver.wait() for saver in savers] == [0, 0]
    assert {*seen} <= {1.0, 2.0}
    assert seen
    last = package.load(folder)
    assert last.score(LOG).tobytes() == package.load(tmp_path / f"{last.l2}").score(LOG).tobytes()
    assert len(list(folder.iterdir())) == 4


STORE_AND_STORE = """
import sys
from isotherm import Interactions
log = Interactions.open(sys.argv[2])
for n in range(4):
    log.store(sys.argv[1])
"""


def test_two_processes_that_store_to_one_folder_leave_a_whole_log(tmp_path, forks):
    for every in (3, 4):
        matrix = csr_array(np.arange(1500).reshape(60, 25) % every == 0)
        Interactions.from_csr(matrix).store(tmp_path / f"{every}")
    storers = [
        forks.start(tmp_path / "both", tmp_path / f"{every}", code=STORE_AND_STORE) for every in (3, 4)
    ]
    assert [storer.wait() for storer in storers] == [0, 0]
    assert Interactions.open(tmp_path / "both").n_clicks in (375, 500)
    assert len(list((tmp_path / "both").iterdir())) == 6


def test_a_log_can_be_stored_where_it_is_read_from(tmp_path):
    Interactions.from_csr(LOG).store(tmp_path / "log")
    log = Interactions.open(tmp_path / "log")
    kept = log.take_users(np.arange(30))
    for again in (log, kept, kept):
        again.store(tmp_path / "log")
        there = Interactions.open(tmp_path / "log")
        assert there.to_frame().equals(again.to_frame())
        assert len(list((tmp_path / "log").iterdir())) == 6
    assert log.n_clicks == int(log.matrix.data.sum()) == 375  # still mapped from the files that were replaced


def test_a_users_tables_are_no_stored_log(desk):
    (desk / "d").mkdir()
    for name in ("clicks", "items"):
        (desk / f"{name}.parquet").rename(desk / "d" / f"{name}.parquet")
    with pytest.raises(
        InteractionsError, match=r"holds no stored log \(clicks.parquet, items.parquet are in"
    ):
        Interactions.read(desk / "d" / "clicks.parquet").store(desk / "d")
    assert sorted(file.name for file in (desk / "d").iterdir()) == ["clicks.parquet", "items.parquet"]


KILLED = """
import os, signal, sys
from isotherm import Interactions, files
filled, before = files.filled, 0
class Dies:
    def __call__(self, file):
        file.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
"""
KILLED_FILE = KILLED + "files.write_atomically(sys.argv[1], Dies())"
KILLED_STORE = (
    KILLED
    + """
import isotherm.data.stored as stored
stored.streamed = lambda write: Dies()
Interactions.from_csr([[1, 1]]).store(sys.argv[1])
"""
)


def test_a_killed_write_leaves_the_old_file_and_the_next_write_clears_its_own_kind(tmp_path, forks):
    write_json(tmp_path / "a.json", 1)
    (tmp_path / ".a.json.mine.part").write_text("mine")
    (tmp_path / ".b.json.01234567.part").write_text("of another file")
    for _ in range(2):
        assert forks.start(tmp_path / "a.json", code=KILLED_FILE).wait() == -signal.SIGKILL
    assert json.loads((tmp_path / "a.json").read_text()) == 1
    assert len(list(tmp_path.iterdir())) == 4  # the second write has cleared what the first one left
    write_json(tmp_path / "a.json", 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        ".a.json.mine.part",
        ".b.json.01234567.part",
        "a.json",
    ]


def test_a_killed_first_store_leaves_a_folder_that_can_be_stored_to(tmp_path, forks):
    folder = tmp_path / "log"
    assert forks.start(folder, code=KILLED_STORE).wait() == -signal.SIGKILL
    assert len(list(folder.iterdir())) == 1
    Interactions.from_csr(LOG).store(folder)
    assert len(list(folder.iterdir())) == 6


WAITS = """
import sys
from isotherm.files import write_atomically
def write(file):
    file.write_text("slow")
    print("filling", flush=True)
    sys.stdin.readline()
write_atomically(sys.argv[1], write)
"""


def test_the_temporary_file_of_a_living_process_is_left_alone(tmp_path):
    slow = subprocess.Popen(
        [sys.executable, "-c", WAITS, str(tmp_path / "a.json")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert slow.stdout.readline() == "filling\n"
    write_json(tmp_path / "a.json", "quick")
    assert len(list(tmp_path.iterdir())) == 2
    slow.communicate("go on\n")
    assert slow.returncode == 0
    assert (tmp_path / "a.json").read_text() == "slow"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_second_lock_waits_or_says_so(tmp_path):
    with locked(tmp_path / "new"), pytest.raises(BlockingIOError), locked(tmp_path / "new", wait=False):
        pass
    with locked(tmp_path / "new", wait=False):
        assert not list((tmp_path / "new").iterdir())  # no file is left for it


def no_space(monkeypatch, at):
    """The file system is full when the file ``at`` is written."""
    filled = files.filled

    def failing(folder, name, write, mode=None):
        def fill(file):
            write(file)
            if name == at:
                raise OSError(errno.ENOSPC, "No space left on device")

        return filled(folder, name, fill, mode)

    for module in (files, folders):
        monkeypatch.setattr(module, "filled", failing)


@pytest.mark.parametrize("at", ["indptr", "data", "users", "timestamps", "clicks.json"])
def test_a_store_on_a_full_disk_names_the_file_and_leaves_nothing(tmp_path, monkeypatch, at):
    frame = pl.DataFrame({"user_id": [1, 2], "item_id": [1, 2], "timestamp": [3, 4]})
    no_space(monkeypatch, at)
    with pytest.raises(OutputError, match=rf"log/{at}.*\(No space left on device\); free some space"):
        Interactions.from_frame(frame).store(tmp_path / "log")
    assert not list(tmp_path.iterdir())


def test_library_errors_of_a_full_disk_are_told_like_any_other(tmp_path):
    def as_polars_and_safetensors_word_it(file):
        file.write_text("half")
        raise ValueError("Error while serializing: I/O error: No space left on device (os error 28)")

    with pytest.raises(OutputError, match=r"a.json: cannot be written \(No space left on device\); free"):
        write_atomically(tmp_path / "a.json", as_polars_and_safetensors_word_it)
    assert not list(tmp_path.iterdir())


def test_errors_of_the_writer_itself_are_raised_as_they_are(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))

    def wrong(file):
        file.write_text("half")
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        write_atomically(tmp_path / "a.json", wrong)
    assert not list(tmp_path.iterdir())


#: with no file larger than 2,000 bytes, polars, safetensors and Python fail each in its own way
LIMITED = {
    "fit": ["fit", "--interactions", "clicks.parquet", "--model", "ease", "--out", "model"],
    **{
        f"recommend {s}": [*RECOMMEND[:2], "big", *RECOMMEND[3:], f"r.{s}"]
        for s in ("csv", "jsonl", "parquet")
    },
    "report": [*EVALUATE[:-1], "--models", "popularity", "--report", "r.html"],
}


@pytest.mark.parametrize("command", LIMITED.values(), ids=LIMITED)
def test_a_disk_that_takes_no_more_is_one_line_that_names_the_file(isotherm, desk, command):
    rng = np.random.default_rng(0)
    Popularity().fit(Interactions.from_csr(csr_array(rng.random((90, 40)) < 0.4))).save(desk / "big")
    isotherm.refuses(
        *command, says=[f"{command[-1]}", "cannot be written (File too large)"], FILE_SIZE_LIMIT="2000"
    )


def test_files_are_readable_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        write_json(tmp_path / "a.json", 1)
        Popularity().fit(Interactions.from_csr(LOG)).save(tmp_path / "model")
    finally:
        os.umask(before)
    modes = {file.stat().st_mode & 0o777 for file in tmp_path.rglob("*") if file.is_file()}
    assert modes == {0o640}


def test_a_name_as_long_as_the_system_takes(tmp_path):
    write_json(tmp_path / ("é" * 125 + ".json"), 1)
    assert [len(os.fsencode(file.name)) for file in tmp_path.iterdir()] == [255]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_undecodable_names_are_written_and_shown(isotherm, desk, model, suffix):
    name = os.fsdecode(b"caf\xe9." + suffix.encode())
    done = isotherm.succeeds(*RECOMMEND, name)
    assert (desk / name).is_file()
    assert "caf\\udce9" in done.err


def test_undecodable_names_of_folders_are_written_and_shown(isotherm, desk, clicks):
    folder = desk / os.fsdecode(b"\xe9")
    Popularity().fit(clicks).save(folder / "model")
    clicks.store(folder / "log")
    assert package.load(folder / "model").n_items == Interactions.open(folder / "log").n_items == 25
    isotherm.refuses(*FIT, "--out", folder / "log", says="\\udce9/log: is not empty")
    isotherm.refuses(*FIT, "--out", os.fsdecode(b"\xe9/m\xe9" + b"x" * 300), says="too long")


def test_a_second_sweep_in_one_folder_is_refused(tmp_path):
    pytest.importorskip("torch")
    from isotherm.tuning.grid import Grid
    from isotherm.tuning.sweep import run_sweep

    settings = {"hidden": 4, "latent": 2, "training.epochs": 1, "training.valid_share": 0}
    with locked(tmp_path / "sweep"), pytest.raises(ParameterError, match="another sweep is at work there"):
        run_sweep(Interactions.from_csr(LOG), tmp_path / "sweep", Grid(), settings=settings)
    assert not list((tmp_path / "sweep").iterdir())


def test_waiting_for_another_save_ends_with_it(tmp_path):
    holds = f"""
import sys
from pathlib import Path
from isotherm.files import locked
with locked(Path({str(tmp_path / "model")!r})):
    print("held", flush=True)
    sys.stdin.readline()
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    saver = running(
        "import sys, isotherm; from isotherm import Interactions, Popularity\n"
        "print('ready', flush=True)\n"
        f"Popularity().fit(Interactions.from_csr([[1, 1]])).save({str(tmp_path / 'model')!r})"
    )
    assert saver.stdout.readline() == "ready\n"
    time.sleep(0.3)
    assert saver.poll() is None
    assert not list((tmp_path / "model").iterdir())
    holder.communicate("go on\n")
    assert saver.wait() == 0
    assert package.load(tmp_path / "model").n_items == 2
