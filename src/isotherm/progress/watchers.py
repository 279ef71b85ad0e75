"""Who shows a job: nobody, plain lines now and then, or a bar on a terminal."""

import sys
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Literal

from isotherm.progress import running
from isotherm.progress.running import Job, Stage
from isotherm.progress.wording import line, place

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_DRAWINGS = 0.1  # of a bar

Ended = Literal["long", "jobs", "stages"]


def write(text: str) -> None:
    """A line on stderr as it is now, in one piece, where anybody listens."""
    stream = sys.stderr
    if stream is not None:
        with suppress(OSError, ValueError):  # nobody listens any more: no reason for the work to end
            stream.write(f"{text}\n")
            stream.flush()


def on_terminal() -> bool:
    """Whether stderr is one."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except ValueError:  # it is closed
        return False


class Silent:
    """Shows nothing."""

    shows_notes = False

    def begin(self, job: Job) -> None:
        return None

    def moved(self, job: Job) -> None:
        return None

    def end(self, job: Job, stage: Stage, seconds: float | None) -> None:
        return None


class Lines:
    """A line for each ten seconds that a job takes, and one for what is over: for logs, pipes and notebooks.

    ended: of what is told that it is over: of a job that has been told of before, "long"; of each job; or of
    the stages of a fit, too.
    """

    def __init__(self, ended: Ended) -> None:
        self.shows_notes = ended != "long"
        self._ended, self._told = ended, False
        self._lock = Lock()
        self._due = running.now() + SECONDS_BETWEEN_LINES

    @property
    def seconds_to_wait(self) -> float:
        """Until the next line."""
        return self._due - running.now()

    def begin(self, job: Job) -> None:
        self.moved(job)

    def moved(self, job: Job) -> None:
        """Write a line where it is time."""
        at = running.now()
        if at < self._due:
            return
        with self._lock:
            if at < self._due:
                return
            self._due, self._told = at + SECONDS_BETWEEN_LINES, True
        stages = job.stages
        if stages:
            write(line(stages, at))

    def end(self, job: Job, stage: Stage, seconds: float | None) -> None:
        if seconds is None:
            return
        above = job.stages
        is_job = not stage.is_series and all(each.is_series for each in above)
        of_fit = bool(above) and above[-1].n_stages is not None
        if self._ended == "long":
            wanted = self._told and not above
        else:
            wanted = is_job or (self._ended == "stages" and of_fit)
        if wanted:
            where = place([*above, stage])[0] if of_fit else stage.title
            write(f"{where} ({seconds:.1f} s)")


class Bars:
    """A bar for the job that runs on a terminal, then one line for it."""

    shows_notes = True

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._shown: tuple[Stage, TaskID] | None = None  # whose steps the bar counts
        self._drawn = 0.0

    def begin(self, job: Job) -> None:
        if self._progress is not None:
            self._draw(job)
        elif not job.stages[-1].is_series:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(console=Console(stderr=True), transient=True)
            self._draw(job)
            self._progress.start()

    def moved(self, job: Job) -> None:
        if self._progress is not None and running.now() - self._drawn >= _SECONDS_BETWEEN_DRAWINGS:
            self._draw(job)

    def end(self, job: Job, stage: Stage, seconds: float | None) -> None:
        if stage.is_series or self._progress is None:
            return
        if not all(each.is_series for each in job.stages):
            self._draw(job)
            return
        self._progress.stop()
        self._progress = self._shown = None
        if seconds is not None:
            write(f"{stage.title} ({seconds:.1f} s)")

    def _draw(self, job: Job) -> None:
        self._drawn = running.now()
        where, counted = place(job.stages)
        if self._progress is None or counted is None:
            return
        text = f"{where}: {counted.status}" if counted.status else where
        if self._shown is not None and self._shown[0] is counted:
            task, total = self._shown[1], counted.total
            self._progress.update(task, description=text, total=total, completed=counted.done)
            return
        if self._shown is not None:  # rich reckons what is left from the steps of a task
            self._progress.remove_task(self._shown[1])
        task = self._progress.add_task(text, total=counted.total, completed=int(counted.done))
        self._shown = counted, task
