"""Says how far a long job is: a bar on a terminal, a line every ten seconds elsewhere, or nothing.

Models and evaluation tell their stages here; who watches is chosen once, for the process (``watch_with``) or
for a call (``verbose=``). Nothing is said elsewhere.

running     a job, its stages, and how far each is
wording     that in one line: number done of total, share, time spent, what is left
watchers    who shows it: nobody, plain lines, a bar
heartbeat   the thread by which lines are written while one long step runs
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Literal

from isotherm.progress.heartbeat import current_heartbeat
from isotherm.progress.running import Job, Stage, Watcher
from isotherm.progress.watchers import Bars, Lines, Silent, on_terminal, write

Advance = Callable[[float], None]  #: tells that steps were done; a part of one may be

_log = logging.getLogger(__name__)
_chosen: Literal["auto", "silent"] | None = None  # for the process
_verbose: ContextVar[bool | None] = ContextVar("isotherm_verbose", default=None)  # for a call
_job: ContextVar[Job | None] = ContextVar("isotherm_job", default=None)
_terminal = Lock()  # of the job whose bar is on it


def watch_with(how: Literal["auto", "silent"]) -> None:
    """Choose for the process what is shown where a call does not say it by ``verbose=``.

    "auto": what the command line shows, a bar on a terminal and lines elsewhere, and a line for each job that
    is over. "silent": nothing. Without a choice, jobs of ten seconds and more are shown in the same way.
    """
    global _chosen
    _chosen = how


@contextmanager
def watched(verbose: bool | None) -> Iterator[None]:
    """What ``verbose=`` of a call means, while the block runs, in this thread.

    True: plain lines, one for each stage that is over and one every ten seconds, on a terminal too. False:
    nothing. None: as the caller around it is shown, or as ``watch_with`` says.
    """
    if verbose is None:
        yield
        return
    choice, job = _verbose.set(verbose), _job.set(None)
    try:
        yield
    finally:
        _job.reset(job)
        _verbose.reset(choice)


@contextmanager
def stage(
    title: str, total: float | None = None, unit: str = "", done: float = 0, may_stop: bool = False
) -> Iterator[Advance]:
    """Show ``title`` while the block runs; the outermost stage is a job. Gives what tells of steps done.

    total: of steps, where that is known.  unit: what they are, in the plural.  done: how many an earlier run
    has done.  may_stop: whether fewer may turn out to be enough, so that what is left is told as the most.
    """
    with _running(Stage(title, total, unit, done, may_stop)) as advance:
        yield advance


@contextmanager
def series(title: str, total: int | None, unit: str) -> Iterator[Advance]:
    """Show that the jobs in the block are parts of a series: ``evaluate, model 2 of 4: fit ease``.

    title: empty for a series within another.  total: of its parts, where that is known; each is told by the
    function that this gives.  unit: what a part is, in the singular.
    """
    with _running(Stage(title, total, unit, is_series=True)) as advance:
        yield advance


def expect_stages(n: int) -> None:
    """Say of how many stages the running one is made: those that it will itself begin, one by one."""
    job = _current()
    if job is not None and job.stages:
        job.stages[-1].n_stages = n


def set_status(text: str) -> None:
    """Say in words how far the running stage is: an epoch, its losses, its pace."""
    job = _current()
    if job is not None and job.stages:
        job.stages[-1].status = text
        job.watcher.moved(job)


def note(text: str) -> None:
    """Say once what a person should know of a job: a line where one watches, and a record in the log."""
    _log.info(text)
    job = _current()
    watcher = job.watcher if job is not None else _watcher()
    if watcher.shows_notes:
        write(text)


@contextmanager
def _running(stage: Stage) -> Iterator[Advance]:
    job = _current()
    if job is None:
        with _new_job() as job, _within(job, stage) as advance:
            yield advance
    else:
        with _within(job, stage) as advance:
            yield advance


@contextmanager
def _within(job: Job, stage: Stage) -> Iterator[Advance]:
    job.begin(stage)
    completed = False
    try:
        yield lambda steps: job.advance(stage, steps)
        completed = True
    finally:
        job.end(stage, completed)


@contextmanager
def _new_job() -> Iterator[Job]:
    """A job of this thread, watched while it runs; of bars, there is one on the terminal at a time."""
    watcher = _watcher()
    has_bar = isinstance(watcher, Bars) and _terminal.acquire(blocking=False)
    if isinstance(watcher, Bars) and not has_bar:
        watcher = Lines("jobs")
    job = Job(watcher, os.getpid())
    token = _job.set(job)
    beats = current_heartbeat()
    if isinstance(watcher, Lines):
        beats.watch(job, watcher)
    try:
        yield job
    finally:
        beats.forget(job)
        _job.reset(token)
        if has_bar:
            _terminal.release()


def _current() -> Job | None:
    """The job that runs in this thread; what a forked process has inherited is its parent's."""
    job = _job.get()
    return job if job is not None and job.process == os.getpid() else None


def _watcher() -> Watcher:
    """Who watches a new job."""
    verbose = _verbose.get()
    if verbose is not None:
        return Lines("stages") if verbose else Silent()
    if _chosen == "silent":
        return Silent()
    if on_terminal():
        return Bars()
    return Lines("long" if _chosen is None else "jobs")
