"""The plan of a sweep: the model, its cells, and how each is ranked and measured."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from isotherm.checks import between, seeded, whole
from isotherm.data.hidden_clicks import checked_share
from isotherm.errors import IsothermError, brief
from isotherm.models.registry import model_class
from isotherm.parameters import build
from isotherm.untrusted import DamagedError, Each, Number, Whole, expect

_LEAST_PAIRS = 20

_SCHEMA = {
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
class SweepOptions:
    """How all cells of a sweep are ranked and measured. Raises ParameterError or SplitError.

    Parameters:
        holdout (between 0 and 1, both left out; default 0.1): share of the users that rank.
        fold_in (between 0 and 1, both left out; default 0.8): share of their clicks that is history.
        pairs (>= 20; default 2000): pairs of users, for the geometry.
        probe (in (0, 1]; default 0.5): share of clicks that the geometry's masks keep.
        seed (>= 0; default 0): of split, pairs and masks.
    """

    holdout: float = 0.1
    fold_in: float = 0.8
    pairs: int = 2000
    probe: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        checked = {
            "holdout": checked_share("holdout", self.holdout),
            "fold_in": checked_share("fold_in", self.fold_in),
            "pairs": whole("pairs", self.pairs, _LEAST_PAIRS),
            "probe": between("probe", self.probe, 0, 1, "(]"),
            "seed": seeded("seed", self.seed),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Plan:
    """What is swept.

    model: registry name.  settings: dotted, the same for all cells.  cells: name -> dotted settings of the
    cell.  log: fingerprint of the clicks.
    """

    model: str
    settings: dict[str, Any]
    cells: dict[str, dict[str, Any]]
    options: SweepOptions
    log: str

    def build(self, cell: str) -> Any:
        """The unfitted model of a cell. Raises ParameterError."""
        return build(model_class(self.model), {**self.settings, **self.cells[cell]})

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, the options beside the rest."""
        facts = {"model": self.model, "settings": self.settings, "cells": self.cells, "log": self.log}
        return facts | asdict(self.options)

    @classmethod
    def from_dict(cls, facts: Any) -> "Plan":
        """What ``to_dict`` gave. Raises DamagedError where it is not of that kind."""
        facts = dict(expect(facts, _SCHEMA, "plan"))
        wrong = [cell for cell in facts["cells"] if Path(cell).name != cell]
        if wrong:
            raise DamagedError(f"{brief(wrong[0])} is no name of a cell")
        try:
            options = SweepOptions(**{field.name: facts.pop(field.name) for field in fields(SweepOptions)})
        except IsothermError as cause:
            raise DamagedError(str(cause)) from cause
        return cls(**facts, options=options)


def differing(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """What two plans differ in, their cells aside."""
    return [name for name in first if name != "cells" and first[name] != second[name]]
