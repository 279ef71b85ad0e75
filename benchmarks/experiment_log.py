"""Analysing an event log of 50 million events and 2 million users: seconds, memory, and the floor.

    python benchmarks/experiment_log.py [--log FOLDER]

The log is drawn and written to a temporary folder, or to FOLDER, and read from there again the next time. The
floor is DuckDB reading every column of every file once. Memory is what the process holds over what it held
before it began; the limits are 60 s and 8 GiB on two cores.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import SMOKE, peak_memory, report, size
from drawn_logs import ARMS, DAY, SECOND, START, DrawnLog, write_log

from isotherm import progress
from isotherm.experiment.analysis import analyze
from isotherm.experiment.log import EventLog, Window, read_users
from isotherm.experiment.log.columns import source
from isotherm.experiment.log.workspace import reading_memory, workspace
from isotherm.threads import thread_count

LOG = DrawnLog(size(50_000_000, 3_000), size(2_000_000, 100), size(20_000, 50))
WINDOW = Window("new", ARMS, START / SECOND, (START + LOG.days * DAY) / SECOND)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", default=None)
    given = parser.parse_args().log
    progress.watch_with("silent")
    with tempfile.TemporaryDirectory(prefix="isotherm-benchmark-") as temporary:
        folder = Path(given or temporary)
        if not (folder / "assignments.parquet").exists():
            write_log(folder, LOG)
        floor, _ = _floor(folder)
        n_bytes, told = peak_memory(_whole, folder)
        again, floor_cpu = _floor(folder)
        tables = [*EventLog.of_folder(folder).tables]
    rows = [
        {"what": "the whole analysis", "measured": told["seconds"], "unit": "s", "target": "<= 60"},
        {"what": "of it, reading the log", "measured": told["reading"], "unit": "s"},
        {"what": "processor time", "measured": told["cpu"], "unit": "s"},
        {"what": "floor: each column read once", "measured": min(floor, again), "unit": "s"},
        {"what": "reading over the floor", "measured": told["reading"] / min(floor, again), "unit": "times"},
        {"what": "the floor's processor time", "measured": floor_cpu, "unit": "s"},
        {"what": "memory", "measured": n_bytes / 2**30, "unit": "GiB", "target": "<= 8"},
    ]
    sizes = {table.name: table.rows for table in tables}
    report("experiment_log", rows, threads=thread_count(), rows_of_tables=sizes, counts=told["counts"])


def _whole(folder: Path) -> Callable[[], Any]:
    progress.watch_with("silent")
    log = EventLog.of_folder(folder)

    def run() -> dict[str, Any]:
        started, cpu = time.perf_counter(), time.process_time()
        users = read_users(log, WINDOW)
        reading = time.perf_counter() - started
        goal = analyze(users).goal
        seconds = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - cpu}
        assert SMOKE or (goal and goal.effect and abs(1 + goal.effect.estimate - LOG.lift) < 0.02)
        return {**seconds, "reading": reading, "counts": users.counts.as_dict()}

    return run


def _floor(folder: Path) -> tuple[float, float]:
    """Seconds, and seconds of processors, that DuckDB takes to read every column of every file."""
    log = EventLog.of_folder(folder)
    with workspace(log.files, reading_memory()) as db:
        started, cpu = time.perf_counter(), time.process_time()
        for table in log.tables:
            columns = ", ".join(f"max({column})" for column in table.kinds)
            db.execute(f"SELECT {columns} FROM {source(table)}").fetchall()
        return time.perf_counter() - started, time.process_time() - cpu


if __name__ == "__main__":
    main()
