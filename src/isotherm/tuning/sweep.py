"""A grid of β × keep × λ_A: every cell is trained, ranked on users it never saw, and its geometry measured.

A sweep is a folder: ``plan.json`` says what is swept, ``clicks`` is the stored log, ``cells`` holds one JSON
a finished cell and ``models`` its model. Cells run in processes of their own; a sweep that was cut off goes
on with the cells that are missing, and a cell with the epochs that are.
"""

import hashlib
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from isotherm.checks import between, seeded, whole
from isotherm.data import Interactions
from isotherm.data.hidden_clicks import checked_share
from isotherm.data.stored import is_stored
from isotherm.errors import ParameterError, TrainingError, brief
from isotherm.files import locked, told, write_json
from isotherm.folders import SWEEP, check_folder
from isotherm.models.registry import model_class
from isotherm.parameters import build
from isotherm.progress import set_status, stage
from isotherm.threads import thread_count
from isotherm.untrusted import DamagedError, Each, Number, Or, Whole, expect, read_json

#: kind of β, of mask -> the setting that is swept
_BETA = {"annealed": "cap", "constant": "value", "per-click": "gamma"}
_KEEP = {"bernoulli": "keep", "popularity": "keep", "scheduled": "end"}
_FEWEST_PAIRS = 20  # of users, for the geometry
METRICS = ("ndcg@100", "recall@20")
_FIGURES = (
    *(metric + end for metric in METRICS for end in ("", "_low", "_high")),
    *(
        "kl",
        "active",
        "rank",
        "drift",
        "relative_variance",
        "inside",
        "inside_copy",
        "helped",
        "random",
        "near",
    ),
    "far_related",
)
_RESULT = {"epochs": Whole(), "seconds": Number(least=0)} | dict.fromkeys(_FIGURES, Or(Number()))
_PLAN = {
    "model": str,
    "settings": dict,
    "cells": Each(dict),
    "holdout": Number(),
    "fold_in": Number(),
    "pairs": Whole(),
    "probe": Number(),
    "seed": Whole(),
    "log": str,
}


@dataclass(frozen=True)
class Plan:
    """What is swept.

    model: registry name.  settings: dotted, the same for all cells.  cells: name -> dotted settings of its
    own.
    holdout: share of the users that rank; fold_in: share of their clicks that is history.  pairs: of users,
    for the geometry.  probe: share of clicks that its masks keep, the same for all cells.  log: fingerprint
    of the clicks.
    """

    model: str
    settings: dict[str, Any]
    cells: dict[str, dict[str, Any]]
    holdout: float
    fold_in: float
    pairs: int
    probe: float
    seed: int
    log: str

    def built(self, cell: str) -> Any:
        """The unfitted model of a cell. Raises ParameterError."""
        return build(model_class(self.model), {**self.settings, **self.cells[cell]})


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: cells is a frame with one row a cell: beta, keep, anchors, what was measured.

    ndcg@100, recall@20 with _low and _high (95% intervals over test users); epochs, seconds; kl, active,
    rank; drift, relative_variance (of means over masks, of that between users); inside, helped
    (shares of random pairs), random, near, far_related (influence).
    names: the setting that each of beta, keep, anchors stands for.
    """

    plan: Plan
    names: dict[str, str]
    cells: pl.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"plan": asdict(self.plan), "names": self.names, "cells": self.cells.to_dicts()}

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict`` whole or not at all."""
        write_json(path, self.to_dict())


def sweep(
    clicks: Interactions,
    folder: str | os.PathLike[str],
    *,
    model: str = "multvae",
    betas: Sequence[float] = (),
    keeps: Sequence[float] = (),
    anchors: Sequence[float] = (),
    settings: Mapping[str, Any] | None = None,
    holdout: float = 0.1,
    fold_in: float = 0.8,
    pairs: int = 2000,
    probe: float = 0.5,
    seed: int = 0,
    jobs: int = 1,
) -> Sweep:
    """Train and measure every cell of the grid that ``folder`` does not hold yet.

    betas, keeps, anchors: values of β, of the mask's keep probability and of λ_A; where empty, the model's
    own.
    settings: dotted, for all cells.  jobs: cells at one time; they share the cores. Raises ParameterError
    where a setting is unknown or ``folder`` holds another sweep or anything else, TrainingError where a cell
    failed; finished cells stay.
    """
    whole("jobs", jobs, 1)
    holdout, fold_in, seed = (
        checked_share("holdout", holdout),
        checked_share("fold_in", fold_in),
        seeded("seed", seed),
    )
    pairs, probe = whole("pairs", pairs, _FEWEST_PAIRS), between("probe", probe, 0, 1, "(]")
    folder = Path(folder)
    names = _swept(model, settings or {}, betas, keeps)
    grid = {"beta": betas, "keep": keeps, "anchors": anchors}
    for what, name in names.items():
        if grid[what] and name in (settings or {}):
            raise ParameterError(f"{name} is both set and swept (--{what}); leave one of them out")
        if len({f"{value:g}" for value in grid[what]}) < len(grid[what]):
            raise ParameterError(f"--{what} names a value twice; give each once")
    values = {what: list(grid[what]) for what in names if grid[what]}
    cells = {
        ",".join(f"{what}={value:g}" for what, value in zip(values, point, strict=True)) or "model": {
            names[what]: float(value) for what, value in zip(values, point, strict=True)
        }
        for point in itertools.product(*values.values())
    }
    plan = Plan(
        model, dict(settings or {}), cells, holdout, fold_in, pairs, probe, seed, _fingerprint(clicks)
    )
    for cell in cells:
        plan.built(cell)  # says what is wrong before the work
    check_folder(folder, SWEEP)
    try:
        with locked(folder, wait=False):
            _begin(folder, plan, clicks)
            missing = [cell for cell in cells if not _result(folder, cell).exists()]
            for cell in set(cells) - set(missing):
                read_result(folder, cell)  # says what is damaged before the work
            _run(folder, missing, len(cells), jobs)
    except BlockingIOError as cause:
        raise ParameterError(
            f"{folder}: another sweep is at work there; wait for it, or name another folder"
        ) from cause
    return finished(folder, names)


def finished(folder: Path, names: dict[str, str]) -> Sweep:
    """The sweep in a folder, all cells done."""
    plan = read_plan(folder)
    rows = []
    for cell, own in plan.cells.items():
        swept = {what: own.get(name) for what, name in names.items()}
        rows.append({"cell": cell, **swept, **read_result(folder, cell)})
    return Sweep(plan, names, pl.DataFrame(rows, infer_schema_length=None))


def read_plan(folder: Path) -> Plan:
    """The plan of a sweep's folder. Raises ParameterError where it is damaged."""
    file = folder / SWEEP.manifest
    try:
        plan = expect(read_json(file), _PLAN, "plan")
        wrong = [cell for cell in plan["cells"] if Path(cell).name != cell]
        if wrong:
            raise DamagedError(f"{brief(wrong[0])} is no name of a cell")
    except (DamagedError, OSError) as cause:
        raise ParameterError(f"{file}: is damaged ({cause}); remove the folder or name another") from cause
    return Plan(**plan)


def read_result(folder: Path, cell: str) -> dict[str, Any]:
    """What was measured of a cell. Raises TrainingError where the file is damaged."""
    file = _result(folder, cell)
    try:
        row: dict[str, Any] = read_json(file)
        expect(row, _RESULT, "it")
    except (DamagedError, OSError) as cause:
        raise TrainingError(
            f"{file}: is damaged ({cause}); remove it, and the cell is measured again"
        ) from cause
    return row


def write_result(folder: Path, cell: str, row: Mapping[str, Any]) -> None:
    """Keep what was measured of a cell."""
    write_json(_result(folder, cell), row)


def _swept(
    model: str, settings: Mapping[str, Any], betas: Sequence[float], keeps: Sequence[float]
) -> dict[str, str]:
    """Each of beta, keep and anchors -> its dotted setting in this model."""
    made = build(model_class(model), settings)
    if not hasattr(made, "anchors") or not hasattr(made, "mask"):
        raise ParameterError(
            f"a sweep is over multvae, multdae or recvae; {model} has no mask and no anchors"
        )
    names = {}
    if hasattr(made, "beta"):
        names["beta"] = f"beta.{_BETA[made.beta.name]}"
    elif betas:
        raise ParameterError(f"{model} has no β to sweep; leave --beta out")
    if made.mask.name in _KEEP:
        names["keep"] = f"mask.{_KEEP[made.mask.name]}"
    elif keeps:
        raise ParameterError(f"mask={made.mask.name} keeps everything; leave --keep out or the mask in")
    return names | {"anchors": "anchors.weight"}


def _begin(folder: Path, plan: Plan, clicks: Interactions) -> None:
    """Write the plan and the log, or see that they are there already."""
    file = folder / SWEEP.manifest
    if file.exists():
        there = asdict(read_plan(folder))
        mine = json.loads(json.dumps(asdict(plan)))
        differ = [name for name in mine if name != "cells" and mine[name] != there[name]]
        if differ:
            raise ParameterError(
                f"{folder}: holds another sweep ({', '.join(differ)} differ); name another folder"
            )
    stored = folder / "clicks"
    is_there = is_stored(stored)
    if is_there and _fingerprint(Interactions.open(stored)) != plan.log:
        raise ParameterError(
            f"{stored}: is not the log of this sweep; remove it, and the log is stored again"
        )
    write_json(file, asdict(plan))  # first: from now on the folder is known as this sweep's
    if not is_there:
        clicks.store(stored)


def _fingerprint(clicks: Interactions) -> str:
    """Of all that the cells read of a log and that their models keep of it: clicks, ids, times."""
    found = hashlib.sha256()
    for part in (clicks.matrix.indptr, clicks.matrix.indices):
        found.update(np.ascontiguousarray(part, np.int64).data)
    found.update(np.ascontiguousarray(clicks.matrix.data, np.float32).data)
    for ids in (clicks.users, clicks.items):
        found.update(repr(ids.values.to_list()).encode("utf-8", errors="surrogatepass"))
    if clicks.timestamps is not None:
        found.update(np.ascontiguousarray(clicks.timestamps.to_physical().to_numpy()).data)
    return found.hexdigest()[:16]


def _run(folder: Path, cells: list[str], n_cells: int, jobs: int) -> None:
    """Each cell in a process of its own, ``jobs`` at a time."""
    threads = str(max(1, thread_count() // jobs))
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "ISOTHERM_THREADS": threads}
    environment |= {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": threads}
    with told(folder / "cells"):
        (folder / "cells").mkdir(exist_ok=True)
    waiting = list(cells)
    running: dict[str, subprocess.Popen[bytes]] = {}
    with stage(f"sweep of {n_cells} cells", n_cells) as advance:
        advance(n_cells - len(cells))
        try:
            while waiting or running:
                while waiting and len(running) < jobs:
                    cell = waiting.pop(0)
                    with open(_told(folder, cell), "wb") as words:
                        running[cell] = subprocess.Popen(
                            [sys.executable, "-m", "isotherm.tuning.cell", str(folder), cell],
                            stdout=words,
                            stderr=words,
                            env=environment,
                        )
                time.sleep(0.05)
                for cell in [name for name, process in running.items() if process.poll() is not None]:
                    if running.pop(cell).returncode:
                        raise TrainingError(_failure(folder, cell))
                    _told(folder, cell).unlink()
                    advance(1)
                    set_status(f"{cell} done")
        finally:
            for process in running.values():
                process.terminate()
                process.wait()


def _failure(folder: Path, cell: str) -> str:
    lines = _told(folder, cell).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"cell {cell} failed: {lines[-1] if lines else 'it was killed'}; see {_told(folder, cell)}"


def _result(folder: Path, cell: str) -> Path:
    return folder / "cells" / f"{cell}.json"


def _told(folder: Path, cell: str) -> Path:
    return folder / "cells" / f"{cell}.log"
