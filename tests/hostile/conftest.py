"""Bad input through the real command line: the exit code, one clear line, and no file changed."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_array

from isotherm import Interactions, Popularity

BAD_INPUT, USAGE = 1, 2  #: exit codes: what isotherm refuses, what the option parser refuses


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


class CommandLine:
    """``isotherm`` in ``folder``, each call a process of its own."""

    def __init__(self, server, folder):
        self._server, self.folder = server, folder

    def __call__(self, *arguments, **environment):
        """Run one command; nothing is asserted."""
        told = [self.folder.parent / f".{self.folder.name}.{name}" for name in ("out", "err")]
        asked = {
            "argv": [str(argument) for argument in arguments], "cwd": str(self.folder), "env": environment,
            "out": str(told[0]), "err": str(told[1]),
        }  # fmt: skip
        self._server.stdin.write(json.dumps(asked) + "\n")
        self._server.stdin.flush()
        code = int(self._server.stdout.readline())
        return Done(code, *(file.read_text(encoding="utf-8", errors="replace") for file in told))

    def succeeds(self, *arguments, **environment):
        """Run one command that must work."""
        done = self(*arguments, **environment)
        assert done.code == 0, done.err
        return done

    def refuses(self, *arguments, says, code=BAD_INPUT, **environment):
        """Run one command that must end with ``code`` and one line that holds every text in ``says``.

        No file below the folder may change, appear or go.
        """
        before = contents(self.folder)
        done = self(*arguments, **environment)
        lines = done.err.strip().splitlines()
        assert done.code == code, f"exit code {done.code}: {done.err[-2000:]}"
        if code == BAD_INPUT:
            assert lines, "no error line"
            assert lines[-1].startswith("error: "), done.err[-2000:]
            notes = [line for line in lines[:-1] if line.startswith(("Traceback", "error", "  "))]
            assert not notes, done.err[-2000:]
            assert len(lines[-1]) < 1000, lines[-1]
        for text in [says] if isinstance(says, str) else says:
            assert text in done.err, done.err[-2000:]
        assert contents(self.folder) == before, "a refused command changed files"
        return done


def contents(folder):
    """Path -> SHA-256 of its content (the target, for a link) of everything below a folder."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_dir():
            found[str(path)] = "folder"
        elif path.is_file():
            found[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = "special"
    return found


@pytest.fixture(scope="session")
def written():
    """Folders whose files are written once."""
    return {}


@pytest.fixture
def desk(tmp_path, tmp_path_factory, written, clicks, item_frame):
    """A folder with a user's own files: clicks.parquet, clicks.csv, items.parquet, items.csv."""
    if "desk" not in written:
        written["desk"] = tmp_path_factory.mktemp("written") / "desk"
        _write_desk(written["desk"], clicks, item_frame)
    return Path(shutil.copytree(written["desk"], tmp_path / "desk"))


def _write_desk(folder, clicks, item_frame):
    folder.mkdir()
    log = clicks.to_frame().drop("weight")
    log = log.with_columns(rating=pl.Series([n % 5 + 1 for n in range(log.height)]))
    log = log.with_columns(timestamp=pl.Series(range(log.height)))
    log.write_parquet(folder / "clicks.parquet")
    log.write_csv(folder / "clicks.csv")
    item_frame.write_parquet(folder / "items.parquet")
    item_frame.select("item_id", "plot", "year").write_csv(folder / "items.csv")


@pytest.fixture
def isotherm(forks, desk):
    """The command line, at that desk."""
    return CommandLine(forks.server, desk)


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """A saved model of sixty users and 25 items."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    clicks = Interactions.from_csr(csr_array(np.arange(1500).reshape(60, 25) % 4 == 0))
    Popularity().fit(clicks).save(folder)
    return folder


@pytest.fixture
def model(desk, saved):
    """A saved model at the desk."""
    shutil.copytree(saved, desk / "model")
    return desk / "model"
