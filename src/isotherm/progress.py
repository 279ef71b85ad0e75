"""Says what a long job is doing: bars on a terminal, plain lines elsewhere, nothing where not wanted.

Models and evaluation call ``stage``; who watches is chosen once, by ``watch_with``.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

Advance = Callable[[int], None]


class Watcher(Protocol):
    """What shows a stage while it runs."""

    def begin(self, title: str, total: int | None) -> Advance:
        """Show a new stage; the returned function is told how many steps were just done."""

    def set_status(self, text: str) -> None:
        """How far the running stage is, in words."""

    def end(self, title: str, seconds: float | None) -> None:
        """The stage is over; no seconds: it failed."""


class Silent:
    """Shows nothing."""

    def begin(self, title: str, total: int | None) -> Advance:
        return lambda steps: None

    def set_status(self, text: str) -> None:
        return None

    def end(self, title: str, seconds: float | None) -> None:
        return None


class Lines:
    """One plain line for each finished stage, and for a long one a line now and then: for logs and pipes."""

    def begin(self, title: str, total: int | None) -> Advance:
        self._title, self._told = title, time.monotonic()
        return lambda steps: None

    def set_status(self, text: str) -> None:
        if time.monotonic() - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            print(f"{self._title}: {text}", file=sys.stderr, flush=True)

    def end(self, title: str, seconds: float | None) -> None:
        if seconds is not None:
            print(f"{title} ({seconds:.1f} s)", file=sys.stderr, flush=True)


class Bars:
    """A bar for the running stage on a terminal, then one line for it."""

    def begin(self, title: str, total: int | None) -> Advance:
        from rich.console import Console
        from rich.progress import Progress

        self._progress = Progress(console=Console(stderr=True), transient=True)
        self._progress.start()
        self._title, self._task = title, self._progress.add_task(title, total=total)
        return lambda steps: self._progress.advance(self._task, steps)

    def set_status(self, text: str) -> None:
        self._progress.update(self._task, description=f"{self._title}: {text}")

    def end(self, title: str, seconds: float | None) -> None:
        self._progress.stop()
        Lines().end(title, seconds)


_SECONDS_BETWEEN_LINES = 10
_log = logging.getLogger(__name__)
_watcher: ContextVar[Watcher | None] = ContextVar("isotherm_watcher", default=None)
_depth: ContextVar[int] = ContextVar("isotherm_stage_depth", default=0)
_running: ContextVar[Watcher | None] = ContextVar("isotherm_running", default=None)


def watch_with(how: Literal["auto", "silent"]) -> None:
    """Choose the watcher: bars or lines by what stderr is ("auto"), or nothing ("silent")."""
    _watcher.set(Silent() if how == "silent" else Bars() if sys.stderr.isatty() else Lines())


@contextmanager
def stage(title: str, total: int | None = None) -> Iterator[Advance]:
    """Show ``title`` while the block runs. A stage inside a stage is not shown: one thing at a time.

    In a library call on a terminal the default is a bar; off a terminal it is silence.
    """
    watcher = _watcher.get() or (Bars() if sys.stderr.isatty() else Silent())
    if _depth.get():
        watcher = Silent()
    token = _depth.set(_depth.get() + 1)
    shown = _running.set(_running.get() or watcher)
    started, seconds = time.perf_counter(), None
    try:
        yield watcher.begin(title, total)
        seconds = time.perf_counter() - started
    finally:
        _depth.reset(token)
        _running.reset(shown)
        watcher.end(title, seconds)


def note(text: str) -> None:
    """Say once what a person should know of a job: a line where one watches, and a record in the log."""
    _log.info(text)
    watcher = _watcher.get()
    if not isinstance(watcher, Silent) and (watcher is not None or sys.stderr.isatty()):
        print(text, file=sys.stderr, flush=True)


def set_status(text: str) -> None:
    """Say in words how far the running stage is: an epoch, its losses, its pace."""
    watcher = _running.get()
    if watcher is not None:
        watcher.set_status(text)
