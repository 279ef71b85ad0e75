"""The folder of a sweep: its plan, the log, and what each finished cell left there.

``plan.json`` says what is swept, ``clicks`` is the stored log, ``cells`` holds one JSON a finished cell,
``models`` its model, ``runs`` the checkpoints of the cells at work.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isotherm.data import Interactions
from isotherm.data.stored import is_stored
from isotherm.errors import ParameterError, TrainingError
from isotherm.files import told, write_json
from isotherm.folders import SWEEP, check_folder
from isotherm.tuning.plan import Plan, differing
from isotherm.untrusted import DamagedError, Number, Or, Whole, expect, read_json

METRICS = ("ndcg@100", "recall@20")
FIGURES = (
    *(metric + end for metric in METRICS for end in ("", "_low", "_high")),
    *("kl", "active", "rank", "drift", "relative_variance", "inside", "inside_copy", "helped"),
    *("random", "near", "far_related"),
)
_RESULT = {"epochs": Whole(), "seconds": Number(least=0)} | dict.fromkeys(FIGURES, Or(Number()))


class SweepFolder:
    """Where a sweep keeps what it has done, so that one that was cut off goes on with what is missing."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @property
    def clicks(self) -> Path:
        """The stored log."""
        return self.path / "clicks"

    def model(self, cell: str) -> Path:
        """The saved model of a cell."""
        return self.path / "models" / cell

    def run(self, cell: str) -> Path:
        """The checkpoints of a cell at work."""
        return self.path / "runs" / cell

    def log(self, cell: str) -> Path:
        """What the process of a cell wrote."""
        return self.path / "cells" / f"{cell}.log"

    def result(self, cell: str) -> Path:
        """What was measured of a cell."""
        return self.path / "cells" / f"{cell}.json"

    def check(self) -> None:
        """Raises OutputError where the folder holds something that is no sweep."""
        check_folder(self.path, SWEEP)

    def begin(self, plan: Plan, clicks: Interactions) -> None:
        """Write the plan and the log, or see that they are there already. Raises ParameterError."""
        manifest = self.path / SWEEP.manifest
        if manifest.exists():
            differ = differing(json.loads(json.dumps(plan.to_dict())), self.read_plan().to_dict())
            if differ:
                raise ParameterError(
                    f"{self.path}: holds another sweep ({', '.join(differ)} differ); name another folder"
                )
        is_there = is_stored(self.clicks)
        if is_there and fingerprint(Interactions.open(self.clicks)) != plan.log:
            raise ParameterError(
                f"{self.clicks}: is not the log of this sweep; remove it, and the log is stored again"
            )
        write_json(manifest, plan.to_dict())  # first: from now on the folder is known as this sweep's
        if not is_there:
            clicks.store(self.clicks)
        with told(self.path / "cells"):
            (self.path / "cells").mkdir(exist_ok=True)

    def read_plan(self) -> Plan:
        """The plan. Raises ParameterError where it is damaged."""
        file = self.path / SWEEP.manifest
        try:
            return Plan.from_dict(read_json(file))
        except (DamagedError, OSError) as cause:
            raise ParameterError(
                f"{file}: is damaged ({cause}); remove the folder or name another"
            ) from cause

    def read_result(self, cell: str) -> dict[str, Any]:
        """What was measured of a cell. Raises TrainingError where the file is damaged."""
        file = self.result(cell)
        try:
            row: dict[str, Any] = read_json(file)
            expect(row, _RESULT, "it")
        except (DamagedError, OSError) as cause:
            raise TrainingError(
                f"{file}: is damaged ({cause}); remove it, and the cell is measured again"
            ) from cause
        return row

    def write_result(self, cell: str, row: Mapping[str, Any]) -> None:
        """Keep what was measured of a cell."""
        write_json(self.result(cell), row)


def fingerprint(clicks: Interactions) -> str:
    """Of all that the cells read of a log and that their models keep of it: clicks, ids, times."""
    digest = hashlib.sha256()
    for positions in (clicks.matrix.indptr, clicks.matrix.indices):
        digest.update(np.ascontiguousarray(positions, np.int64).data)
    digest.update(np.ascontiguousarray(clicks.matrix.data, np.float32).data)
    for ids in (clicks.users, clicks.items):
        digest.update(repr(ids.values.to_list()).encode("utf-8", errors="surrogatepass"))
    if clicks.timestamps is not None:
        digest.update(np.ascontiguousarray(clicks.timestamps.to_physical().to_numpy()).data)
    return digest.hexdigest()[:16]
