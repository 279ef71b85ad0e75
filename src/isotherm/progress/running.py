"""What runs: a job, the stages that run inside it one within another, and how far each is.

A job is the outermost stage of a thread, or a series of such: four models on one split. Who works tells its
stages of steps; who watches reads them, from another thread too.
"""

import time
from threading import Lock
from typing import Protocol

now = time.monotonic  #: the clock, in seconds


class Stage:
    """Some work, and how far it is.

    title: what is done.  total, unit: of how many what, where that is known; a part of a step counts.
    done: steps, those that were done before it began at first.  may_stop: whether it may be over before all
    are done.  is_series: of jobs, each a step.
    began, moved: when it began, and when a step was last done.  status: how far it is in words.
    n_begun: stages within it so far.  n_stages: how many there will be, where the work says so.
    """

    def __init__(
        self,
        title: str,
        total: float | None = None,
        unit: str = "",
        done: float = 0,
        may_stop: bool = False,
        is_series: bool = False,
    ) -> None:
        self.title, self.total, self.unit = title, total, unit
        self.may_stop, self.is_series = may_stop, is_series
        self.began = self.moved = now()
        self.done = self.done_before = float(done)
        self.status = ""
        self.n_begun = 0
        self.n_stages: int | None = None

    def seconds_left(self, at: float) -> float | None:
        """Seconds until all steps are done at the mean pace so far; None where nothing can be said.

        A step that takes longer than those before it counts at once, not only when it is done.
        """
        if self.total is None or not self.done_before < self.done < self.total:
            return None
        since, done = at - self.moved, self.done - self.done_before
        pace = max((self.moved - self.began) / done, (at - self.began) / (done + 1))
        left = pace * (self.total - self.done) - since
        return left if left >= 1 else None


class Watcher(Protocol):
    """What shows a job."""

    shows_notes: bool  #: whether lines that are no progress are shown, too

    def begin(self, job: "Job") -> None:
        """A stage has begun: the last of ``job.stages``."""

    def moved(self, job: "Job") -> None:
        """Steps were done, or a status was set: often, so it must cost little."""

    def end(self, job: "Job", stage: Stage, seconds: float | None) -> None:
        """A stage, no longer among ``job.stages``, is over; no seconds: it failed."""


class Job:
    """Stages that run one within another.

    process: the id of the process that it belongs to.
    """

    def __init__(self, watcher: Watcher, process: int) -> None:
        self.watcher, self.process, self.began = watcher, process, now()
        self._stages: list[Stage] = []
        self._lock = Lock()

    @property
    def stages(self) -> list[Stage]:
        """Those that run now, the outermost first."""
        with self._lock:
            return list(self._stages)

    def begin(self, stage: Stage) -> None:
        """A stage begins within those that run."""
        with self._lock:
            if self._stages:
                self._stages[-1].n_begun += 1
            self._stages.append(stage)
        self.watcher.begin(self)
        stage.began = stage.moved = now()  # the time that showing it took is not its own

    def advance(self, stage: Stage, steps: float) -> None:
        """Steps of a stage were done."""
        with self._lock:
            stage.done += steps
            stage.moved = now()
        self.watcher.moved(self)

    def end(self, stage: Stage, completed: bool) -> None:
        """A stage is over."""
        with self._lock:
            self._stages.remove(stage)
        self.watcher.end(self, stage, now() - stage.began if completed else None)
