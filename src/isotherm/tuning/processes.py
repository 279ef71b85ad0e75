"""Cells in processes of their own, some at a time, which share the cores."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence

from isotherm.errors import TrainingError
from isotherm.progress import stage
from isotherm.threads import thread_count
from isotherm.tuning.folder import SweepFolder

_LOOK_EVERY = 0.05  # seconds


def run_cells(folder: SweepFolder, cells: Sequence[str], n_cells: int, jobs: int) -> None:
    """Train and measure ``cells``, ``jobs`` at a time; the others of ``n_cells`` are done.

    Raises TrainingError where a cell failed; the other processes end with it.
    """
    environment = _environment(max(1, thread_count() // jobs))
    waiting = list(cells)
    running: dict[str, subprocess.Popen[bytes]] = {}
    with stage("sweep", n_cells, "cells", n_cells - len(cells)) as advance:
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    cell = waiting.pop(0)
                    running[cell] = _start(folder, cell, environment)
                time.sleep(_LOOK_EVERY)
                for cell in [name for name, process in running.items() if process.poll() is not None]:
                    if running.pop(cell).returncode:
                        raise TrainingError(_failure(folder, cell))
                    folder.log(cell).unlink()
                    advance(1)
        finally:
            for process in running.values():
                process.terminate()
                process.wait()


def _environment(threads: int) -> dict[str, str]:
    """The environment of a process that may use so many threads."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "ISOTHERM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    return {**os.environ, **counts, "OMP_WAIT_POLICY": "passive"}


def _start(folder: SweepFolder, cell: str, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "isotherm.tuning.cell", str(folder.path), cell]
    with open(folder.log(cell), "wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _failure(folder: SweepFolder, cell: str) -> str:
    log = folder.log(cell)
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"cell {cell} failed: {lines[-1] if lines else 'it was killed'}; see {log}"
