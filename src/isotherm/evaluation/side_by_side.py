"""Two models compared, in all candidate sets, metrics and groups that are asked for, as a frame."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from isotherm.checks import one_of
from isotherm.errors import ParameterError, brief
from isotherm.evaluation.paired import Comparison, compared, corrected
from isotherm.evaluation.user_values import UserValues

SetsOfGroups = Mapping[str, Mapping[str, UserValues]]  #: candidate set -> label -> metrics

_SCHEMA = {
    "group": pl.String,
    "candidates": pl.String,
    "metric": pl.String,
    "users": pl.Int64,
    "difference": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p": pl.Float64,
    "p_holm": pl.Float64,
}


class ComparisonFrame(pl.DataFrame):
    """A frame that shows all its columns as text: polars itself leaves out those beyond the eighth."""

    def __str__(self) -> str:
        with pl.Config(tbl_cols=-1, tbl_width_chars=160):
            return super().__str__()

    def __repr__(self) -> str:
        return str(self)


def comparison_frame(
    first: tuple[str, SetsOfGroups],
    second: tuple[str, SetsOfGroups],
    metric: str | Iterable[str] | None,
    candidates: str | Iterable[str] | None,
) -> pl.DataFrame:
    """As ``Evaluation.compare`` gives it, with a column of groups.

    first, second: name of a model, and its metrics.  Raises ParameterError.
    """
    (first_name, ours), (second_name, theirs) = first, second
    sets = _chosen("candidates", candidates, list(ours))
    metrics = _metrics(metric, [values for name in sets for values in ours[name].values()])
    labels: list[str] = []
    comparisons: list[Comparison] = []
    for name in sets:
        for each in metrics:
            for label, values in ours[name].items():
                pair = (first_name, values), (second_name, theirs[name][label])
                comparison = compared(name, each, *pair) if each in values.values else None
                if comparison is not None:
                    labels.append(label)
                    comparisons.append(comparison)
    rows = [_row(*row) for row in zip(labels, corrected(comparisons), strict=True)]
    return ComparisonFrame(rows, schema=_SCHEMA, orient="row")


def _row(label: str, each: Comparison) -> tuple[Any, ...]:
    difference = each.difference
    figures = difference.mean, difference.low, difference.high, each.p, each.p_holm
    return label, each.candidates, each.metric, each.users, *figures


def _metrics(metric: str | Iterable[str] | None, groups: Sequence[UserValues]) -> list[str]:
    """The names asked for; hr and ndcg of the shortest lists for None. Raises ParameterError."""
    known = list(dict.fromkeys(name for values in groups for name in values.values))
    k = min((int(name.rpartition("@")[2]) for name in known), default=0)
    wanted = [f"hr@{k}", f"ndcg@{k}"] if metric is None else metric
    return _chosen("metric", wanted, known)


def _chosen(name: str, value: str | Iterable[str] | None, known: Sequence[str]) -> list[str]:
    """The names asked for, each once; all that are known for None. Raises ParameterError."""
    if value is None:
        return list(known)
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, Iterable):
        raise ParameterError(f"{name} must be one of {', '.join(map(repr, known))}, not {brief(value)}")
    return list(dict.fromkeys(one_of(name, each, tuple(known)) for each in listed))
