"""The thread that writes a job's next line while one long step runs and tells nothing.

One for the process, begun with the first job that lines are written of, and asleep while there is none.
"""

import os
from contextlib import suppress
from threading import Condition, Thread

from isotherm.progress.running import Job
from isotherm.progress.watchers import Lines


class Heartbeat:
    """The jobs that lines are written of."""

    def __init__(self) -> None:
        self._jobs: dict[Job, Lines] = {}
        self._changed = Condition()
        self._thread: Thread | None = None
        self._is_asleep = False

    def watch(self, job: Job, lines: Lines) -> None:
        """See to its lines until ``forget``."""
        with self._changed:
            self._jobs[job] = lines
            if self._thread is None:
                self._thread = Thread(target=self._run, name="isotherm progress", daemon=True)
                with suppress(
                    RuntimeError
                ):  # a process that ends begins no thread: lines then come as steps do
                    self._thread.start()
            elif self._is_asleep:
                self._changed.notify()

    def forget(self, job: Job) -> None:
        """It is over."""
        with self._changed:
            self._jobs.pop(job, None)

    def beat(self) -> None:
        """Write the lines that are due."""
        with self._changed:
            jobs = list(self._jobs.items())
        for job, lines in jobs:
            lines.moved(job)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_asleep = not self._jobs
                # a job that begins meanwhile is due later than those that run
                waits = [lines.seconds_to_wait for lines in self._jobs.values()]
                self._changed.wait(max(min(waits), 0.01) if waits else None)
            self.beat()


_heartbeat = Heartbeat()


def current_heartbeat() -> Heartbeat:
    """Of this process."""
    return _heartbeat


def _begin_anew() -> None:
    """After a fork: the thread has stayed in the parent, and whose lock it held is unknown."""
    global _heartbeat
    _heartbeat = Heartbeat()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
