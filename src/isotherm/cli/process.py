"""A command as a process: its streams, its last line, its exit code."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from isotherm.errors import PIPE_CLOSED, told


def command() -> int:
    """Run the command that the arguments name; its exit code, or an exception."""
    _open_streams()
    from isotherm.cli.app import app

    code: int | None = app(prog_name="isotherm", standalone_mode=False)
    sys.stdout.flush()
    return code or 0


def _open_streams() -> None:
    """Closed streams go nowhere, else the next file that is opened takes their number and what is printed.

    Characters that an encoding lacks are written as their numbers: ``\u03bb``.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def end(error: BaseException) -> int:
    """Say in one line what went wrong; the exit code."""
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        _discard(sys.stdout)  # whoever read it has seen enough
        return PIPE_CLOSED
    if isinstance(error, SystemExit):
        return _exit_code(error.code)
    show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
    if show is not None and isinstance(code, int):  # of the option parser
        with _if_heard():
            show()
            sys.stderr.flush()
        return code
    if os.environ.get("ISOTHERM_DEBUG"):
        import traceback

        traceback.print_exception(error)
    line, code = told(error)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC and not error.filename and _output_fails():
        line = f"error: standard output: {error.strerror}"
        _discard(sys.stdout)
    say(line)
    return code


def _exit_code(asked: Any) -> int:
    """What Python makes of ``sys.exit(asked)``."""
    if asked is None or isinstance(asked, int):
        return int(asked or 0)
    say(str(asked))
    return 1


def say(line: str) -> None:
    """A line on stderr, where anybody listens."""
    with _if_heard():
        print(line, file=sys.stderr, flush=True)


@contextmanager
def _if_heard() -> Iterator[None]:
    """What is written to stderr meanwhile is lost where nobody listens, or its device is full."""
    try:
        yield
    except (OSError, ValueError):
        _discard(sys.stderr)


def _output_fails() -> bool:
    try:
        print(flush=True)  # the failed write is no longer in the buffer
    except OSError:
        return True
    return False


def _discard(stream: TextIO) -> None:
    """What is left to write goes nowhere: Python would try once more at its end, and complain."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
