"""What the events of a server say of its experiments: its own log, exported and analysed as any other."""

import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isotherm.experiment.plan import Experiment
from isotherm.serving.shared.shared import SharedModel

if TYPE_CHECKING:
    from isotherm.experiment.analysis import Result

_INTERLEAVED = "Lists of both arms are merged into one here; export the log and compare the teams' clicks."
_NOBODY = "Nobody in both arms was shown anything yet."


@dataclass(frozen=True)
class ExperimentResult:
    """An analysis.  at: when it was made, seconds since 1970.  result: None where there is none, which
    ``words`` explain."""

    at: float
    result: "Result | None"
    words: tuple[str, ...]


class ExperimentResults:
    """Analyses of the experiments of a shared model; one is made anew at most every ``seconds``.

    The log is exported to a temporary folder that this process keeps, each time what is new in it.
    """

    def __init__(
        self, shared: SharedModel, seconds: float = 60.0, clock: Callable[[], float] = time.time
    ) -> None:
        self._shared, self._seconds, self._clock = shared, seconds, clock
        self._one = threading.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._made: dict[str, ExperimentResult] = {}

    def of(self, experiment: Experiment) -> ExperimentResult:
        """That of an experiment, no older than ``seconds``.

        Raises MissingPackageError without the extra experiment, DatabaseError, EventLogError.
        """
        with self._one:
            made = self._made.get(experiment.name)
            if made is None or not 0 <= self._clock() - made.at < self._seconds:
                made = self._made[experiment.name] = self._analysed(experiment, self._clock())
            return made

    def _analysed(self, experiment: Experiment, now: float) -> ExperimentResult:
        if experiment.kind == "interleaving":
            return ExperimentResult(now, None, (_INTERLEAVED,))
        counts = self._shared.experiments.counts(experiment.name)
        if sum(counts.get(arm, 0) > 0 for arm in experiment.arm_names) < 2:
            return ExperimentResult(now, None, (_NOBODY,))
        from isotherm.experiment.analysis import AnalysisOptions, analyze
        from isotherm.experiment.analysis.planned import planned
        from isotherm.experiment.log import EventLog, Window, read_users

        log = self._exported()
        window, schedule = Window.of(experiment), planned(experiment, log)
        users = read_users(EventLog.of_folder(log), window)
        found = analyze(users, schedule=schedule, options=AnalysisOptions(replicates=0))
        return ExperimentResult(now, found, tuple(found.words))

    def _exported(self) -> Path:
        """The folder of the log, with all that is kept until now."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="isotherm-experiments-")
        folder = Path(self._folder.name) / "log"
        self._shared.export_events(folder)
        return folder
