"""Compiled kernels: kept where that can be written, read back, and never a reason to stop."""

import os
import stat
import subprocess
import sys
import tempfile
import textwrap

import pytest

from isotherm import files, kernels, progress

SOURCE = textwrap.dedent("""
    import os, numpy as np
    from isotherm import progress
    from isotherm.kernels import kernel
    progress.watch_with("auto")

    @kernel
    def doubled(first: int, last: int, x):
        for i in range(first, last):
            x[i] = 2 * x[i]

    x = np.arange(4.0)
    doubled(0, 3, x)
    print(x.tolist())
""")
SAID = "compiling kernels, once per machine …\n"


@pytest.fixture
def script(tmp_path):
    """Starts a process that compiles one kernel, or reads it from ``tmp_path / "cache"``."""
    (tmp_path / "doubled.py").write_text(SOURCE, encoding="utf-8")

    def start(**environment):
        return subprocess.Popen(
            [sys.executable, str(tmp_path / "doubled.py")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
            env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONIOENCODING": "utf-8"}
            | environment,
        )  # fmt: skip

    def run(**environment):
        started = start(**environment)
        out, err = started.communicate(timeout=60)
        assert (started.returncode, out) == (0, "[0.0, 2.0, 4.0, 3.0]\n"), err
        return err

    run.start = start
    return run


def test_compiled_once_and_said_while_it_happens(script, tmp_path):
    assert script() == SAID
    assert script() == ""
    (kept,) = (tmp_path / "cache").iterdir()
    for damage in (b"", kept.read_bytes()[:1000], b"no pickle"):
        kept.write_bytes(damage)
        assert script() == SAID
        assert script() == ""


def test_two_processes_may_compile_the_same_kernel_at_once(script, tmp_path):
    both = [script.start(), script.start()]
    assert [process.communicate(timeout=60)[0] for process in both] == ["[0.0, 2.0, 4.0, 3.0]\n"] * 2
    assert script() == ""
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_another_source_another_kernel(script, tmp_path):
    assert script() == SAID
    file = tmp_path / "doubled.py"
    file.write_text(file.read_text(encoding="utf-8").replace("2 * x[i]", "x[i] + x[i]"), encoding="utf-8")
    assert script() == SAID


@pytest.fixture
def no_folder_yet(monkeypatch, tmp_path):
    """The package cannot be written; temporary files go below ``tmp_path``."""
    (tmp_path / "file").write_text("")
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setattr(kernels, "_PACKAGE", tmp_path / "file" / "kernels")
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path))
    for cached in (kernels.kernel_folder, kernels._note_once, files._fresh_folder):
        cached.cache_clear()
    yield
    for cached in (kernels.kernel_folder, kernels._note_once, files._fresh_folder):
        cached.cache_clear()


def test_a_package_below_the_temporary_folder_is_no_last_resort(no_folder_yet, monkeypatch, tmp_path):
    monkeypatch.setattr(kernels, "_PACKAGE", tmp_path / "package")
    monkeypatch.setattr(kernels, "_can_write", lambda folder: True)
    assert kernels.kernel_folder().is_relative_to(tempfile.gettempdir())
    assert kernels._when_compiled() == "once per machine"


def test_the_first_folder_that_can_be_written(no_folder_yet, monkeypatch, tmp_path, capsys):
    for variable, expected in (
        ("NUMBA_CACHE_DIR", tmp_path / "numba"),
        ("ISOTHERM_CACHE", tmp_path / "own" / "kernels"),
    ):
        kernels.kernel_folder.cache_clear()
        with monkeypatch.context() as with_one:
            with_one.setenv(variable, str(expected if variable == "NUMBA_CACHE_DIR" else expected.parent))
            assert kernels.kernel_folder() == expected
    kernels.kernel_folder.cache_clear()
    monkeypatch.setenv("ISOTHERM_CACHE", str(tmp_path / "file"))
    folder = tmp_path / f"isotherm-{os.getuid()}"
    for _ in range(2):
        assert kernels.kernel_folder() == folder / "kernels"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    progress.watch_with("auto")
    assert kernels.kernel(_one_more)(1) == kernels.kernel(_one_more)(1) == 2
    assert capsys.readouterr().err == (
        f"compiling kernels, kept in {folder / 'kernels'}, as no other folder can be written …\n"
    )


@pytest.mark.parametrize("taken", ["open", "link", "file"])
def test_a_name_that_somebody_took_in_the_temporary_folder_is_not_trusted(no_folder_yet, tmp_path, taken):
    name = tmp_path / f"isotherm-{os.getuid()}"
    if taken == "open":
        name.mkdir()
        name.chmod(0o777)
    elif taken == "link":
        (tmp_path / "theirs").mkdir(mode=0o700)
        name.symlink_to(tmp_path / "theirs")
    else:
        name.write_text("")
    folder = files.private_folder()
    assert folder != name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert files.private_folder() == folder


def test_a_cache_that_all_may_write_is_passed_over(no_folder_yet, monkeypatch, tmp_path):
    monkeypatch.setenv("ISOTHERM_CACHE", str(tmp_path / "shared"))
    (tmp_path / "shared" / "kernels").mkdir(parents=True)
    (tmp_path / "shared" / "kernels").chmod(0o777)
    assert kernels.kernel_folder() == files.private_folder() / "kernels"


def test_no_folder_at_all_and_a_full_disk_cost_time_only(no_folder_yet, monkeypatch, tmp_path, capsys):
    progress.watch_with("auto")
    monkeypatch.setenv("ISOTHERM_CACHE", str(tmp_path / "file"))
    with monkeypatch.context() as nowhere:
        nowhere.setattr(files.tempfile, "tempdir", str(tmp_path / "file"))
        assert kernels.kernel_folder() is None
        assert kernels.kernel(_one_more)(1) == 2
    assert "compiling kernels, in each process, as no folder can be written" in capsys.readouterr().err
    kernels.kernel_folder.cache_clear()
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/dev/full")
    monkeypatch.setattr(kernels, "_can_write", lambda folder: True)
    assert kernels.kernel(_one_more)(1) == 2
    assert "compiled kernels cannot be kept in /dev/full" in capsys.readouterr().err


def _one_more(x):
    return x + 1
