"""What an evaluation gives: figures by model, candidate set and metric, as JSON and as a frame."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import polars as pl

from isotherm.checks import one_of
from isotherm.data.wording import counted
from isotherm.errors import ParameterError
from isotherm.evaluation.bootstrap import Interval
from isotherm.evaluation.groups import LABELS
from isotherm.evaluation.over_folds import OverFolds
from isotherm.evaluation.paired import Comparison
from isotherm.evaluation.side_by_side import SetsOfGroups, comparison_frame
from isotherm.evaluation.user_values import Metrics, UserValues
from isotherm.evaluation.warnings import warnings_of
from isotherm.files import finite, write_json
from isotherm.types import Float64


@dataclass(frozen=True)
class Group:
    """Some of the users, or some of the items to find: how many users they concern, and their metrics."""

    users: int  #: how many
    metrics: dict[str, Interval]  #: metric -> mean over them


Groups = dict[str, dict[str, dict[str, Group]]]  #: grouping -> candidate set -> label -> Group
GroupValues = dict[str, dict[str, dict[str, UserValues]]]  #: the same -> one value per user for each metric


@dataclass(frozen=True)
class ModelResult:
    """What one model did: seconds to fit and to rank, all folds together; metrics by candidate set."""

    parameters: str  #: its settings
    seconds: float  #: to fit
    rank_seconds: float  #: to rank
    metrics: dict[str, Metrics]  #: candidate set -> metric -> Interval over users, or one number per list set
    per_user: dict[str, dict[str, Float64]]  #: candidate set -> metric -> one value per user
    users: dict[str, pl.Series] = field(default_factory=dict)  #: candidate set -> their ids, in that order
    groups: Groups = field(default_factory=dict)  #: those asked for: grouping -> candidate set -> label
    group_values: GroupValues = field(default_factory=dict)  #: of these and of history: one value per user
    folds: dict[str, dict[str, OverFolds]] = field(default_factory=dict)  #: of several folds: set -> metric
    learned: dict[str, float] = field(default_factory=dict)  #: what the last fit chose of open settings

    def mean(self, candidates: str, metric: str) -> float:
        """A metric of a candidate set: its mean over users, or the one number of all lists. KeyError."""
        value = self.metrics[candidates][metric]
        return value.mean if isinstance(value, Interval) else value

    def values_of(self, candidates: str) -> UserValues:
        """One value per user for each metric of a candidate set."""
        return UserValues(self.users[candidates], self.per_user[candidates])

    def sets_of_groups(self, by: str | None) -> SetsOfGroups:
        """Candidate set -> label -> one value per user for each metric; for None one group, "", of all.

        Raises ParameterError for a grouping that was not measured.
        """
        if by is None:
            return {name: {"": self.values_of(name)} for name in self.per_user}
        if isinstance(by, str) and by in LABELS and by not in self.group_values:
            known = " and ".join(self.group_values)
            raise ParameterError(f"by {by!r} is not measured, {known} is; give evaluate by=[{by!r}]")
        return self.group_values[one_of("by", by, tuple(LABELS))]


@dataclass(frozen=True)
class Evaluation:
    """Models side by side on one split, or on the folds of one log."""

    split: dict[str, Any]  #: counts and settings
    models: dict[str, ModelResult]  #: name -> what it did
    comparisons: list[Comparison]  #: of every pair of models, on hr and ndcg of the shortest lists
    complete: bool = True  #: whether all models are measured; while ``evaluate`` runs, not yet
    to_come: list[str] = field(default_factory=list)  #: models still to be measured, where they are known

    def __repr__(self) -> str:
        users, clicks = counted(self.split["test_users"], "user"), counted(self.split["test_clicks"], "click")
        return f"Evaluation({self.split['protocol']}; {', '.join(self.models)}; {clicks} of {users} to find)"

    @property
    def warnings(self) -> list[str]:
        """What to beware of, a sentence each: few users, new items shown far more or less than clicked."""
        return warnings_of(self.split, self.models)

    def to_dict(self) -> dict[str, Any]:
        """As ``evaluate --json`` writes it: {"split": …, "models": {name: {"seconds": …, "all": {…}}}}.

        "warnings" tells what to beware of. Groups, where they were asked for, are at
        models → name → "groups" → grouping → candidates → label. Of several folds, or cuts in time, the mean
        over them, the spread between them (standard deviation) and the value of each are at
        models → name → "folds" → candidates → metric. "complete" is false, and "to_come" names models, in
        what is written while ``evaluate`` runs. p_holm is corrected for all "comparisons".
        """
        return {
            "complete": self.complete,
            "to_come": self.to_come,
            "split": self.split,
            "warnings": self.warnings,
            "models": {name: _model(result) for name, result in self.models.items()},
            "comparisons": [_comparison(comparison) for comparison in self.comparisons],
        }

    def compare(
        self,
        first: str,
        second: str,
        by: str | None = None,
        *,
        metric: str | Sequence[str] | None = None,
        candidates: str | Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Model ``first`` minus model ``second``, user by user: a row for each candidate set and metric.

        by: "history" for a row for each group of users by the clicks of their history, or a grouping that
        ``evaluate`` was asked for; None for all users together.  metric: names of metrics of users, None for
        hr and ndcg of the shortest lists.  candidates: names of candidate sets, None for all.
        Columns: group (with ``by``), candidates, metric, users, difference (mean over users), low and high
        (its 95% interval), p, p_holm. Interval and p are of one paired t-test, of the row alone: the interval
        leaves 0 out exactly where p < 0.05. p_holm is p corrected for all rows of the frame (Holm 1979).
        Raises ParameterError for a name that is not there, with those that are.

        >>> import numpy as np
        >>> from isotherm import EASE, Interactions, Popularity, evaluate
        >>> from isotherm.data.splits import leave_one_out
        >>> two_tastes = np.kron(np.eye(2), np.ones((12, 8)))
        >>> split = leave_one_out(Interactions.from_csr(two_tastes))
        >>> result = evaluate(split, {"popularity": Popularity(), "ease": EASE(l2=1)}, ks=[3])
        >>> frame = result.compare("ease", "popularity", by="history", metric="hr@3")
        >>> frame.select("group", "users").rows()
        [('6-10', 24)]
        """
        pair = [(name, self._result(n, name)) for n, name in (("first", first), ("second", second))]
        (ours, theirs) = [(name, result.sets_of_groups(by)) for name, result in pair]
        frame = comparison_frame(ours, theirs, metric, candidates)
        return frame.drop("group") if by is None else frame

    def _result(self, argument: str, name: str) -> ModelResult:
        return self.models[one_of(argument, name, tuple(self.models))]

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

    def folds_frame(self) -> pl.DataFrame:
        """fold, cut (null without times), model, candidates, metric, value; empty where there is one fold."""
        cuts = [fold.get("cut_date", fold.get("cut")) for fold in self.split.get("folds", [])]
        rows = [
            {"fold": fold + 1, "cut": cuts[fold], "model": name, "candidates": candidates, "metric": metric,
             "value": value}
            for name, result in self.models.items()
            for candidates, metrics in result.folds.items()
            for metric, figures in metrics.items()
            for fold, value in enumerate(figures.values)
        ]  # fmt: skip
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
    return {**asdict(comparison), "difference": finite(asdict(comparison.difference))}


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
    if result.learned:
        document["learned"] = dict(result.learned)
    if result.folds:
        document["folds"] = {
            candidates: {metric: value.to_dict() for metric, value in metrics.items()}
            for candidates, metrics in result.folds.items()
        }
    return document


def _metrics(metrics: Mapping[str, Interval | float]) -> dict[str, dict[str, float]]:
    return {metric: _plain(value) for metric, value in metrics.items()}


def _plain(value: Interval | float) -> dict[str, float]:
    return asdict(value) if isinstance(value, Interval) else {"mean": value}
