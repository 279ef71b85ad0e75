"""A metric fold by fold: its mean over the folds, or cuts in time, and its spread between them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class OverFolds:
    """A metric of one candidate set, fold by fold.

    >>> from isotherm.evaluation.over_folds import OverFolds
    >>> OverFolds.of([0.25, None, 0.75])
    OverFolds(mean=0.5, spread=0.3535533905932738, values=[0.25, None, 0.75])
    """

    mean: float  #: of the folds, each of which counts alike
    spread: float  #: standard deviation between folds (n − 1), 0 of one
    values: list[float | None]  #: of each fold, None where it has no such candidates

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "OverFolds":
        """Of one value a fold, not all None."""
        known = [value for value in values if value is not None]
        spread = float(np.std(known, ddof=1)) if len(known) > 1 else 0.0
        return cls(float(np.mean(known)), spread, list(values))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def over_folds(folds: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, OverFolds]]:
    """Candidate set -> metric -> figures over folds, of the means of each fold; empty where there is one."""
    if len(folds) == 1:
        return {}
    names = dict.fromkeys(
        (candidates, metric) for fold in folds for candidates in fold for metric in fold[candidates]
    )
    figures: dict[str, dict[str, OverFolds]] = {}
    for candidates, metric in names:
        values = [fold.get(candidates, {}).get(metric) for fold in folds]
        figures.setdefault(candidates, {})[metric] = OverFolds.of(values)
    return figures


def fold_labels(folds: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells the folds of ``Evaluation.split`` apart in a table: cuts in time, folds, seeds, or numbers.

    Of a cut the day, or the whole moment where days are not enough.

    >>> from isotherm.evaluation.over_folds import fold_labels
    >>> fold_labels([{"seed": 3}, {"seed": 5}])
    ['seed 3', 'seed 5']
    """
    if "cut" in folds[0]:
        moments = [str(fold.get("cut_date", fold["cut"])) for fold in folds]
        days = [moment[:10] for moment in moments]
        return days if len(set(days)) == len(days) else moments
    for name in ("fold", "seed"):
        labels = [f"{name} {fold.get(name)}" for fold in folds]
        if name in folds[0] and len(set(labels)) == len(labels):
            return labels
    return [f"split {n}" for n in range(1, len(folds) + 1)]
