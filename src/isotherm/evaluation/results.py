"""What an evaluation gives: figures by model, candidate set and metric, as JSON and as a frame."""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from isotherm.evaluation.bootstrap import Interval
from isotherm.evaluation.paired import Comparison
from isotherm.evaluation.user_values import UserValues
from isotherm.evaluation.warnings import warnings_of
from isotherm.files import write_json
from isotherm.types import Float64

Metrics = dict[str, Interval | float]


@dataclass(frozen=True)
class Group:
    """Some of the users, or some of the items to find: how many users they concern, and their metrics."""

    users: int
    metrics: dict[str, Interval]


Groups = dict[str, dict[str, dict[str, Group]]]  #: grouping -> candidate set -> label -> Group


@dataclass(frozen=True)
class ModelResult:
    """What one model did: seconds to fit and to rank, all folds together; metrics by candidate set."""

    parameters: str
    seconds: float
    rank_seconds: float
    metrics: dict[str, Metrics]  #: candidate set -> metric -> Interval over users, or one number per list set
    per_user: dict[str, dict[str, Float64]]  #: candidate set -> metric -> one value per user
    users: dict[str, pl.Series] = field(default_factory=dict)  #: candidate set -> their ids, in that order
    groups: Groups = field(default_factory=dict)

    def mean(self, candidates: str, metric: str) -> float:
        """A metric of a candidate set: its mean over users, or the one number of all lists. KeyError."""
        value = self.metrics[candidates][metric]
        return value.mean if isinstance(value, Interval) else value

    def values_of(self, candidates: str) -> UserValues:
        """One value per user for each metric of a candidate set."""
        return UserValues(self.users[candidates], self.per_user[candidates])


@dataclass(frozen=True)
class Evaluation:
    """Models side by side on one split, or on the folds of one log."""

    split: dict[str, Any]
    models: dict[str, ModelResult]
    comparisons: list[Comparison]

    @property
    def warnings(self) -> list[str]:
        """What to beware of, a sentence each: few users, new items shown far more or less than clicked."""
        return warnings_of(self.split, self.models)

    def to_dict(self) -> dict[str, Any]:
        """As ``evaluate --json`` writes it: {"split": …, "models": {name: {"seconds": …, "all": {…}}}}.

        "warnings" tells what to beware of. Groups, where they were asked for, are at
        models → name → "groups" → grouping → candidates → label.
        """
        return {
            "split": self.split,
            "warnings": self.warnings,
            "models": {name: _model(result) for name, result in self.models.items()},
            "comparisons": [_comparison(comparison) for comparison in self.comparisons],
        }

    def write_json(self, path: str | os.PathLike[str]) -> None:
        """Write ``to_dict`` whole or not at all."""
        write_json(path, self.to_dict())

    def to_frame(self) -> pl.DataFrame:
        """model, candidates, metric, mean, low, high; no interval for metrics of whole sets of lists."""
        rows = [
            {"model": name, "candidates": candidates, "metric": metric, **_plain(value)}
            for name, result in self.models.items()
            for candidates, metrics in result.metrics.items()
            for metric, value in metrics.items()
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def groups_frame(self) -> pl.DataFrame:
        """by, group, users, model, candidates, metric, mean, low, high; empty where nothing was grouped."""
        rows = [
            {"by": by, "group": label, "users": group.users, "model": name, "candidates": candidates,
             "metric": metric, **asdict(value)}
            for name, result in self.models.items()
            for by, sets in result.groups.items()
            for candidates, groups in sets.items()
            for label, group in groups.items()
            for metric, value in group.metrics.items()
        ]  # fmt: skip
        return pl.DataFrame(rows, infer_schema_length=None)


def _comparison(comparison: Comparison) -> dict[str, Any]:
    """As plain JSON: the end of an interval that has none is null."""
    difference = {
        name: value if math.isfinite(value) else None for name, value in asdict(comparison.difference).items()
    }
    return {**asdict(comparison), "difference": difference}


def _model(result: ModelResult) -> dict[str, Any]:
    document: dict[str, Any] = {
        "parameters": result.parameters,
        "seconds": result.seconds,
        "rank_seconds": result.rank_seconds,
    }
    document |= {candidates: _metrics(metrics) for candidates, metrics in result.metrics.items()}
    if result.groups:
        document["groups"] = {
            by: {
                candidates: {
                    label: {"users": group.users, **_metrics(group.metrics)}
                    for label, group in groups.items()
                }
                for candidates, groups in sets.items()
            }
            for by, sets in result.groups.items()
        }
    return document


def _metrics(metrics: Mapping[str, Interval | float]) -> dict[str, dict[str, float]]:
    return {metric: _plain(value) for metric, value in metrics.items()}


def _plain(value: Interval | float) -> dict[str, float]:
    return asdict(value) if isinstance(value, Interval) else {"mean": value}
