"""A sweep: every cell of a grid of β × keep × λ_A is trained, ranked on users it never saw, and measured.

Cells run in processes of their own; a sweep that was cut off goes on with the cells that are missing, and a
cell with the epochs that are.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from isotherm.checks import verbosity, whole
from isotherm.data import Interactions
from isotherm.errors import ParameterError
from isotherm.files import locked, write_json
from isotherm.progress import watched
from isotherm.tuning.folder import SweepFolder, fingerprint
from isotherm.tuning.grid import Grid, swept_settings
from isotherm.tuning.plan import Plan, SweepOptions
from isotherm.tuning.processes import run_cells


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: cells is a frame with one row per cell: beta, keep, anchors, what was measured.

    ndcg@100, recall@20 with _low and _high (95% intervals over test users); epochs, seconds; kl, active,
    rank; drift; relative_variance (of means over masks, of that between users); inside, helped (shares of
    random pairs), inside_copy; random, near, far_related (influence).
    names: the setting that each of beta, keep, anchors stands for.
    """

    plan: Plan
    names: dict[str, str]
    cells: pl.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"plan": self.plan.to_dict(), "names": self.names, "cells": self.cells.to_dicts()}

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict`` whole or not at all."""
        write_json(path, self.to_dict())


def run_sweep(
    clicks: Interactions,
    path: str | os.PathLike[str],
    grid: Grid,
    *,
    model: str = "multvae",
    settings: Mapping[str, Any] | None = None,
    options: SweepOptions | None = None,
    jobs: int = 1,
    verbose: bool | None = None,
) -> Sweep:
    """Train and measure every cell of the grid that the folder at ``path`` does not hold yet.

    settings: dotted, for all cells.  jobs: cells at one time; they share the cores.  verbose: what is shown
    meanwhile, as in ``fit``.
    Raises ParameterError where a setting is unknown or the folder holds another sweep or anything else,
    TrainingError where a cell failed; finished cells stay.
    """
    whole("jobs", jobs, 1)
    options, settings, folder = options or SweepOptions(), dict(settings or {}), SweepFolder(path)
    names = swept_settings(model, settings, grid)
    plan = Plan(model, settings, grid.cells(names), options, fingerprint(clicks))
    for cell in plan.cells:
        plan.build(cell)  # says what is wrong before the work
    folder.check()
    try:
        with locked(folder.path, wait=False):
            folder.begin(plan, clicks)
            missing = [cell for cell in plan.cells if not folder.result(cell).exists()]
            for cell in set(plan.cells) - set(missing):
                folder.read_result(cell)  # says what is damaged before the work
            with watched(verbosity(verbose)):
                run_cells(folder, missing, len(plan.cells), jobs)
    except BlockingIOError as cause:
        raise ParameterError(
            f"{folder.path}: another sweep is at work there; wait for it, or name another folder"
        ) from cause
    return _finished(folder, names)


def _finished(folder: SweepFolder, names: dict[str, str]) -> Sweep:
    """The sweep in a folder, all cells done."""
    plan = folder.read_plan()
    rows = []
    for cell, settings in plan.cells.items():
        swept = {axis: settings.get(name) for axis, name in names.items()}
        rows.append({"cell": cell, **swept, **folder.read_result(cell)})
    return Sweep(plan, names, pl.DataFrame(rows, infer_schema_length=None))
