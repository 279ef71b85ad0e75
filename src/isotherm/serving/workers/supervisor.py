"""The parent: starts the workers, puts another in the place of one that died, and ends them all."""

import fcntl
import logging
import os
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from isotherm.errors import IsothermError
from isotherm.serving.app.rates import new_file
from isotherm.serving.workers.channel import METRICS, WORKER, Task
from isotherm.serving.workers.process import WorkerProcess
from isotherm.serving.workers.settings import ServerSettings
from isotherm.threads import thread_count

_log = logging.getLogger(__name__)
DATABASE = "ISOTHERM_DB"  #: variable of the environment that holds the URL of a database: not for workers
_LOOK_EVERY = 0.5  # seconds
_FLUSH_SECONDS = 5.0  # for what a worker still writes once no request is left
_PREFIX, _RATES = "isotherm-serve-", "rates"  # of a server's folder, and a file in it
_YOUNG_SECONDS = 60.0  # a folder may just be made
_LONGEST_WAIT = 30.0  # before a worker that could not start is started again
#: of glibc: what is freed of the columns that changes made goes back to the system, not to one arena of many
_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_TRIM_THRESHOLD_": "1048576"}
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Supervisor:
    """Of ``n_workers`` that take connections from ``listener``, which it closes in the end."""

    def __init__(self, settings: ServerSettings, listener: socket.socket, n_workers: int) -> None:
        self._settings, self._listener, self._n = settings, listener, n_workers
        self._selector = selectors.DefaultSelector()
        self._workers: dict[int, WorkerProcess] = {}
        self._waiting: dict[int, float] = {}  # number of a worker -> when it is started again
        self._failures = [0] * n_workers
        self._signals: list[int] = []
        self._is_running = False
        self._environment: dict[str, str] = {}
        self._rates = -1
        self._verified: Sequence[str] = ()

    def run(
        self, prepare: Callable[[], Sequence[str]], verify: Callable[[], object], ready: Callable[[], object]
    ) -> int:
        """Serve until a signal says to end. Returns the exit code.

        prepare: what is to be done before a worker opens the database, while the first one imports what it
        needs; returns what tells the models from others.  verify: reads those models as a whole, while the
        first worker loads them; none listens before. Both may raise.
        ready: called once the first worker answers; the others, whose start would only slow it down, follow.
        Raises IsothermError where the first cannot start.
        """
        logging.basicConfig(format="%(asctime)s %(levelname)s server: %(message)s")
        with self._files(), self._listening_to_signals():
            try:
                self._start_first(prepare, verify)
                if self._is_running:
                    ready()
                while not self._signals:
                    self._start_waiting()
                    self._look()
                return self._end()
            finally:
                self._kill_all()
                self._listener.close()

    def _start_first(self, prepare: Callable[[], Sequence[str]], verify: Callable[[], object]) -> None:
        first = self._started(0)
        self._verified = prepare()
        self._tell(first)
        verify()
        first.go()
        while not self._signals and not first.ready:
            self._look()
        if first.ready:
            self._is_running = True
            self._waiting = dict.fromkeys(range(1, self._n), 0.0)

    def _started(self, number: int) -> WorkerProcess:
        files = [self._listener.fileno(), self._rates]
        worker = WorkerProcess.start(number, files, {**self._environment, WORKER: str(number)})
        self._workers[number] = worker
        return worker

    def _tell(self, worker: WorkerProcess) -> None:
        port = self._listener.fileno()
        worker.tell(Task(worker.number, port, self._rates, self._verified, self._settings))
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)

    def _start_waiting(self) -> None:
        for number, moment in list(self._waiting.items()):
            if time.monotonic() >= moment:
                del self._waiting[number]
                worker = self._started(number)
                self._tell(worker)
                worker.go()

    def _look(self) -> None:
        """Take in what workers say and which have ended, for a moment at most."""
        for key, _ in self._selector.select(_LOOK_EVERY):
            worker = key.data
            if worker is None:
                key.fileobj.recv(2**10)  # type: ignore[union-attr]  # signals, noted by their handler
            elif not worker.listen():
                self._selector.unregister(worker.channel)
                self._bury(worker)
        for worker in self._workers.values():
            if worker.hangs:
                _log.error("worker %d (process %d) hangs: it is killed", worker.number, worker.pid)
                worker.kill()

    def _bury(self, worker: WorkerProcess) -> None:
        """Note that a worker has ended; another one takes its place, later where the last ones failed."""
        code = worker.ended()
        del self._workers[worker.number]
        self._forget_gauges(worker.number)
        if self._signals:
            return
        if not self._is_running:
            raise IsothermError(worker.reason)
        self._failures[worker.number] = 0 if worker.ready else self._failures[worker.number] + 1
        wait = min(_LONGEST_WAIT, 2.0 ** self._failures[worker.number] - 1)
        what = f"died ({_ending(code)})" if worker.ready else f"cannot start: {worker.reason}"
        _log.error("worker %d %s; it is started again in %g s", worker.number, what, wait)
        self._waiting[worker.number] = time.monotonic() + wait

    def _end(self) -> int:
        """Tell the workers to end, and wait. Returns 0 where each ended as it should."""
        self._listener.close()  # the last worker closes the port, once nobody waits there
        for worker in self._workers.values():
            worker.end()
        ending = self._settings.ending
        until = time.monotonic() + ending.drain_seconds + ending.grace_seconds + _FLUSH_SECONDS
        n_signals = len(self._signals)
        while self._workers and time.monotonic() < until and len(self._signals) == n_signals:
            self._look()
        if self._workers:
            _log.error("%d of the workers did not end in time: killed", len(self._workers))
        return 1 if self._workers else 0

    def _kill_all(self) -> None:
        for worker in list(self._workers.values()):
            worker.kill()
            worker.ended()

    def _forget_gauges(self, number: int) -> None:
        """What a dead worker held; what it counted stays."""
        for file in Path(self._environment[METRICS]).glob(f"gauge_live*_{number}.db"):
            file.unlink(missing_ok=True)

    @contextmanager
    def _files(self) -> Iterator[None]:
        """A folder for metrics, and the file of rates where there is a limit; in memory where it can be."""
        memory = Path("/dev/shm")
        above = memory if os.access(memory, os.W_OK | os.X_OK) else None
        _clear_dead(Path(above or tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=above))
        self._environment = _environment(folder, self._n)
        try:
            with new_file(folder / _RATES) as rates:
                fcntl.flock(rates, fcntl.LOCK_SH)  # held by all processes that have the file open from here
                self._rates = rates.fileno()
                yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        """Note signals instead of ending by them, and wake up."""
        woken, wakes = socket.socketpair()
        for end in (woken, wakes):
            end.setblocking(False)
        handlers = {number: signal.signal(number, self._note_signal) for number in _SIGNALS}
        before = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        self._selector.register(woken, selectors.EVENT_READ)
        try:
            yield
        finally:
            self._selector.close()
            signal.set_wakeup_fd(before)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            woken.close()
            wakes.close()

    def _note_signal(self, number: int, _: object) -> None:
        self._signals.append(number)


def _clear_dead(above: Path) -> None:
    """Remove the folders of servers of which every process was killed."""
    for folder in above.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is in use, or somebody else's
            if time.time() - folder.stat().st_mtime < _YOUNG_SECONDS:
                continue
            with open(folder / _RATES, "rb") as rates:
                fcntl.flock(rates, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)


def _environment(folder: Path, n_workers: int) -> dict[str, str]:
    """The environment of workers: they import what this process imports, and share the cores.

    The C library shall not keep free memory apart for each of some thirty threads.
    """
    threads = str(max(1, thread_count() // n_workers))
    counts = dict.fromkeys(("OMP_NUM_THREADS", "ISOTHERM_THREADS", "OPENBLAS_NUM_THREADS"), threads)
    paths = os.pathsep.join(each for each in sys.path if each)
    ours = {"OMP_WAIT_POLICY": "passive", "PYTHONPATH": paths, METRICS: str(folder)}
    given = {name: value for name, value in os.environ.items() if name != DATABASE}
    return {**_MEMORY, **given, **counts, **ours}


def _ending(code: int) -> str:
    """How a process ended."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
