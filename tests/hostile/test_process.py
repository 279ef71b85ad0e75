"""What surrounds a command: its environment, its streams, Ctrl-C, and the errors of others."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from isotherm import errors

SOURCE = Path(errors.__file__).parents[1]
COMMANDS = ["demo", "fit", "recommend", "similar", "explain", "evaluate", "geometry", "sweep", "datasets"]
FIT = ("fit", "--interactions", "clicks.parquet", "--model", "popularity", "--out", "m")


def process(*arguments, code=None, **options):
    """``isotherm`` as a process of its own; with ``code``, that Python is run before it."""
    start = ["-m", "isotherm"] if code is None else ["-c", textwrap.dedent(code) + RUN, "isotherm"]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)} | options.pop("env", {})
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
    return subprocess.Popen(
        [sys.executable, *start, *map(str, arguments)],
        env=environment,
        encoding="utf-8",
        errors="replace",
        **options,
    )


RUN = "\nfrom isotherm.cli.main import run\nsys.argv = ['isotherm', *sys.argv[2:]]\nrun()\n"


def ended(*arguments, **options):
    """(exit code, stdout, stderr) of ``process``."""
    started = process(*arguments, **options)
    out, err = started.communicate(timeout=60)
    return started.returncode, out, err


# the environment


@pytest.mark.parametrize(
    "threads", ["abc", "0", "-1", "1e9", "1000000000", "2.0", "1_0", "٣", "1025", "9" * 5000, "1\n2"]
)
def test_a_wrong_number_of_threads_is_named(isotherm, threads):
    done = isotherm.refuses(*FIT, ISOTHERM_THREADS=threads, says=["ISOTHERM_THREADS is", "1 to 1024"])
    assert len(done.err) < 500


@pytest.mark.parametrize("threads", ["", " ", "2", " 3 "])
def test_a_right_number_of_threads_works(isotherm, threads):
    isotherm.succeeds(*FIT, ISOTHERM_THREADS=threads)
    assert isotherm("fit", "--help", ISOTHERM_THREADS="abc").code == 0


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "cp1252", "C"],
)
def test_help_and_errors_in_any_encoding(environment, tmp_path):
    name = "κλικ.csv"
    if "LC_ALL" in environment:  # as the arguments of a process arrive there
        name = name.encode().decode("ascii", errors="surrogateescape")
    asked = [[command, "--help"] for command in COMMANDS]
    asked += [
        ["fit", "--model", "marec", "--help-model"],
        ["fit", "--interactions", name, "--out", "m"],
    ]
    code = f"""
        import os, sys
        import isotherm.cli.app
        from isotherm.cli.main import run
        for arguments in {asked!a}:
            if len(arguments) > 2:
                import isotherm.data, isotherm.models.marec.model  # as each of the last two would
            if not os.fork():
                sys.argv = ["isotherm", *arguments]
                run()
            print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
        os._exit(0)
    """
    _, out, err = ended(code=code, env=environment, cwd=tmp_path)
    assert [line for line in out.splitlines() if line.isdigit()] == ["0"] * (len(COMMANDS) + 1) + ["1"], err
    assert out.count("Usage: isotherm") == len(COMMANDS)
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert "no such file" in line


# streams


@pytest.mark.parametrize("closed", ["0", "1", "2", "012"])
def test_closed_streams_are_no_place_for_files(desk, closed):
    redirect = " ".join({"0": "<&-", "1": ">&-", "2": "2>&-"}[number] for number in closed)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirect}', "sh", sys.executable, "-m", "isotherm", *FIT],
        cwd=desk, env=os.environ | {"PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (desk / "m" / "model.json").read_bytes().startswith(b"{")


def test_whoever_reads_only_the_first_line_is_no_error():
    read, write = os.pipe()
    os.close(read)
    code, _, err = ended("evaluate", "--help", stdout=write)
    os.close(write)
    assert (code, err) == (errors.PIPE_CLOSED, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_output_is_named(unbuffered):
    env = {"PYTHONUNBUFFERED": unbuffered}
    missing = ("fit", "--interactions", "none.csv", "--model", "ease", "--out", "none")
    with open("/dev/full", "w") as full:
        assert ended("fit", "--help", stdout=full, env=env) == (
            1, None, "error: standard output: No space left on device\n",
        )  # fmt: skip
        assert ended("fit", "--help", stderr=full, env=env)[0] == 0
        assert ended("fit", "--none", stderr=full, env=env)[0] == 2
        assert ended(*missing, stderr=full, env=env)[0] == 1


# Ctrl-C

PRESS_AT_IMPORT = """
    import os, signal, sys
    wanted = sys.argv.pop(2)
    class Press:
        def find_spec(self, name, path=None, target=None):
            if name == wanted:
                sys.meta_path.remove(self)
                os.kill(os.getpid(), signal.SIGINT)
    sys.meta_path.insert(0, Press())
"""


@pytest.mark.parametrize(
    "module", ["isotherm.cli.process", "isotherm.errors", "typer", "isotherm.cli.app", "numpy",
               "numpy.linalg", "polars", "scipy.sparse", "isotherm.data", "isotherm.models.popularity"],
)  # fmt: skip
def test_an_interrupt_while_a_module_is_imported(desk, module):
    code, out, err = ended(module, *FIT, "-q", code=PRESS_AT_IMPORT, cwd=desk)
    assert (code, out, err) == (130, "", "error: interrupted\n")
    assert not (desk / "m").exists()


@pytest.mark.parametrize(
    "swallowed",
    [
        "try:\n    press()\nexcept BaseException:\n    pass",
        "class Gone:\n    __del__ = lambda self: press()\nGone()",
    ],
    ids=["caught", "ignored"],
)
def test_an_interrupt_that_a_library_swallows_comes_again(swallowed):
    code = f"""
import os, signal, sys, time
import isotherm.cli.main as main, isotherm.cli.process as process
def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)
def command():
{textwrap.indent(swallowed, "    ")}
    time.sleep(20)
main._SECONDS_TO_STOP = 0.05
process.command = command
"""
    started = time.monotonic()
    assert ended(code=code) == (130, "", "error: interrupted\n")
    assert time.monotonic() - started < 15


def test_an_interrupt_in_the_work_leaves_nothing_behind(desk):
    fit = ("fit", "--interactions", "clicks.parquet", "--model", "multvae", "--set", "training.epochs=100000")
    started = process(*fit, "--out", "m", cwd=desk)
    for line in started.stderr:
        if "clicks.parquet" in line:
            break
    time.sleep(1.5)
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=30)
    assert (started.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "error: interrupted"
    assert "Traceback" not in err
    assert not list(desk.rglob("*.part"))


# errors of others


def kinds_of(error, branch):
    """The branch, name and built-in error of every kind of an error."""
    for kind in error.__subclasses__():
        built_in = next(base for base in kind.__mro__ if base.__module__ == "builtins")
        yield branch, kind.__name__, built_in.__name__
        yield from kinds_of(kind, branch + "│   ")


def test_the_tree_of_errors_is_the_one_that_is_drawn():
    drawn = re.findall(r"^(.*)[├└]── (\w+) +\((\w+)\)", errors.__doc__, re.MULTILINE)
    assert drawn == list(kinds_of(errors.IsothermError, ""))


BUG = "this is a bug in isotherm, please report it: "


class SafetensorError(Exception):
    __module__ = "safetensors_rust"


class OutOfMemoryError(RuntimeError):
    __module__ = "torch"


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (errors.ItemsError("x.csv: no item_id"), "x.csv: no item_id", 1),
        (errors.UnknownIdError("no user 'ann'"), "no user 'ann'", 1),
        (errors.ParameterError("two\nlines\tof it"), "two lines of it", 1),
        (errors.ParameterError("\x1b[31mred\x00"), "\\x1b[31mred\\x00", 1),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device", 1),
        (OSError(errno.ENOSPC, "No space left on device", "m/x"), "m/x: No space left on device", 1),
        (OSError(errno.EACCES, "Permission denied", b"m/\xff"), "m/\udcff: Permission denied", 1),
        (OSError("what a library says"), "what a library says", 1),
        (OSError(), "OSError", 1),
        (TimeoutError(), "TimeoutError", 1),
        (MemoryError(), "out of memory; take fewer", 1),
        (RuntimeError("CPUAllocator: can't allocate memory: 80 bytes."),
         "out of memory: CPUAllocator: can't allocate memory: 80 bytes; take", 1),
        (OutOfMemoryError("CUDA out of memory. 2 GiB"), "out of memory: CUDA out of memory. 2 GiB; take", 1),
        (SafetensorError("header too small"), "safetensors: header too small", 1),
        (pl.exceptions.ColumnNotFoundError("none"), "polars: none", 1),
        (ImportError("libcuda.so: no such file"), "a package cannot be imported: libcuda.so", 1),
        (ZeroDivisionError("division by zero"), BUG + "ZeroDivisionError: division by zero", 70),
        (KeyError(), BUG + "KeyError (", 70),
        (RecursionError("too deep"), BUG + "RecursionError: too deep", 70),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)  # fmt: skip
def test_one_line_for_any_error(error, line, code):
    told, number = errors.told(error)
    assert told.startswith(f"error: {line}")
    assert number == code


def test_a_line_is_short_whatever_it_holds():
    told, _ = errors.told(
        errors.ItemsError("the columns are " + ", ".join(f"c{n}" for n in range(5000)) + "; end")
    )
    assert len(told) < 1000
    assert " … " in told
    assert told.endswith("; end")


def test_an_array_too_large_says_how_large():
    with pytest.raises(MemoryError) as raised:
        np.empty(2**59)
    assert "4.00 EiB" in errors.told(raised.value)[0]


def test_a_bug_is_told_as_one_and_shows_where_on_request():
    code = """
        import sys
        import isotherm.cli.process as process
        process.command = lambda: 1 / 0
    """
    line = "error: this is a bug in isotherm, please report it: ZeroDivisionError: division by zero "
    line += "(ISOTHERM_DEBUG=1 shows where)\n"
    assert ended(code=code) == (70, "", line)
    number, _, err = ended(code=code, env={"ISOTHERM_DEBUG": "1"})
    assert number == 70
    assert err.startswith("Traceback")
    assert err.endswith(line)


# a user without a name and a home, who can write neither the package nor a cache folder


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can become another user",
)
def test_a_random_user_without_a_home(desk, tmp_path):
    shutil.copytree(
        SOURCE / "isotherm", tmp_path / "src" / "isotherm", ignore=shutil.ignore_patterns("__pycache__")
    )
    temporary = tmp_path / "tmp"
    temporary.mkdir(mode=0o700)
    for path in [temporary, desk, *desk.iterdir()]:
        os.chown(path, 12345, 12345)
    for path in (tmp_path, *tmp_path.parents):
        if path == Path(tempfile.gettempdir()):
            break
        path.chmod(0o755)

    def fit(out, **environment):
        return subprocess.run(
            # it may read the interpreter's files, which lie in root's home where these tests are written
            ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "--inh-caps=+dac_read_search",
             "--ambient-caps=+dac_read_search", sys.executable, "-m", "isotherm",
             "fit", "--interactions", "clicks.parquet", "--model", "ease", "--out", out],
            cwd=desk, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "src"),
                           "TMPDIR": str(temporary)} | environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    first, second = fit("m"), fit("n")
    if "setpriv" in first.stderr:
        pytest.skip(first.stderr)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    kept = f"compiling kernels, kept in {temporary}/isotherm-12345/kernels, as no other folder can be written"
    assert first.stderr.count(kept) == 1
    assert "compiling kernels" not in second.stderr
    assert not list((tmp_path / "src").rglob("*.nbc"))
