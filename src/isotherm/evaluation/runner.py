"""Fits models on a split and asks three questions of each: how well does it rank cold items among cold ones,
warm among warm ones, and all among all?
"""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from isotherm.data import Items, Split
from isotherm.errors import ParameterError, brief
from isotherm.evaluation.bootstrap import Comparison, holm, intervals, paired_p
from isotherm.evaluation.groups import LABELS, Grouping
from isotherm.evaluation.lists import (
    CandidateSet,
    found_of,
    information_of,
    ranked_lists,
    totals_of,
    values_of,
)
from isotherm.evaluation.prepared import Asked, Fold, Prepared
from isotherm.evaluation.results import Evaluation, Group, Groups, Metrics, ModelResult
from isotherm.evaluation.samples import Sample, pooled
from isotherm.linalg.csr import filter_entries
from isotherm.models.base import Recommender
from isotherm.models.fitting import FitOptions
from isotherm.types import Int32


def evaluate(
    split: Split | Sequence[Split],
    models: Mapping[str, Recommender] | Iterable[tuple[str, Recommender]],
    items: Items | None = None,
    ks: Sequence[int] = (10,),
    seed: int = 0,
    *,
    candidates: str = "catalogue",
    users: Iterable[Any] | None = None,
    by: Sequence[str] = (),
    fields: Sequence[str] | None = None,
) -> Evaluation:
    """Fit each model on ``split.train`` and rank for each test user.

    split: one, or the folds of ``k_fold``: then each model is fitted once a fold, and a user's value is the
    mean over the folds that ask something of this user; intervals and tests are over users.
    models: name -> unfitted model; a generator of pairs is taken one at a time, so that one model is in
    memory.  items: the item table.  ks: list lengths.  seed: for the bootstrap, and lots among equal scores.
    candidates: what may be shown: "catalogue", every item of the table, those that nobody ever clicked among
    the cold ones; or "clicked", the items of the split alone. Without a table both are the same; sampled
    negatives are drawn from the items of the split.
    users: ids of the only test users to measure, None for all.  by: groupings to measure besides, "clicks"
    (users by the clicks of their history) and "item-age" (items to find by their first click in train).
    fields: categories and tags of ``items`` that diversity and calibration are measured by, None for all.
    The models are left fitted, on the last fold.
    Raises ParameterError, SplitError, ItemsError, UnknownIdError.
    """
    asked = Asked.checked(items, ks, seed, candidates, users, by, fields)
    folds = Prepared([split] if isinstance(split, Split) else split, asked)
    results: dict[str, ModelResult] = {}
    for name, model in named(models):
        if name in results:
            raise ParameterError(f"two models are named {brief(name)}; give each a name of its own")
        results[name] = _result(model, folds, asked)
        del model
    if not results:
        raise ParameterError("there is no model to evaluate; models maps names to models")
    return Evaluation(folds.describe(), results, _compared(results, asked.ks[0], asked.seed))


def named(
    models: Mapping[str, Recommender] | Iterable[tuple[str, Recommender]],
) -> Iterator[tuple[str, Recommender]]:
    """Names and models. Raises ParameterError where there is something else."""
    if not isinstance(models, Iterable):
        raise ParameterError(f"models is name -> model, or pairs of name and model; not {brief(models)}")
    for pair in models.items() if isinstance(models, Mapping) else models:
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[1], Recommender):
            raise ParameterError(f"models is name -> model, or pairs of name and model; not {brief(pair)}")
        yield pair
        del pair


@dataclass(frozen=True)
class _Measures:
    """What one model did on one fold; by candidate set, groups by grouping and candidate set."""

    samples: dict[str, Sample]
    totals: dict[str, dict[str, float]]
    groups: dict[tuple[str, str], dict[str, Sample]]


def _measures(model: Recommender, fold: Fold, asked: Asked) -> _Measures:
    lists = ranked_lists(model, fold.split, fold.sets, asked.ks[-1], asked.seed)
    information = information_of(fold.split)
    samples, totals, groups = {}, {}, {}
    for s in fold.sets:
        columns = lists[s.name]
        values = values_of(columns, fold.split, s, asked.ks, information, fold.profiles)
        samples[s.name] = Sample(fold.users_of(s), values)
        totals[s.name] = totals_of(columns, s, asked.ks)
        for name, grouping in fold.groupings.items():
            groups[name, s.name] = _grouped(samples[s.name], columns, s, grouping, asked.ks)
    return _Measures(samples, totals, groups)


def _grouped(
    sample: Sample, columns: Int32, s: CandidateSet, grouping: Grouping, ks: Sequence[int]
) -> dict[str, Sample]:
    """A candidate set's sample by group: some of the users, or all users with some of their targets."""
    found = {}
    for number, label in enumerate(grouping.labels):
        if grouping.divides == "users":
            group = sample.take(np.flatnonzero(grouping.of[s.rows] == number))
        else:
            targets = filter_entries(s.targets, grouping.of[s.targets.indices] == number)
            rows = np.flatnonzero(np.diff(targets.indptr))
            group = Sample(sample.users.gather(rows), found_of(columns[rows], targets[rows], ks))
        if len(group.users):
            found[label] = group
    return found


def _result(model: Recommender, folds: Prepared, asked: Asked) -> ModelResult:
    """Fit and measure one model, on one fold after the other."""
    seconds = rank_seconds = 0.0
    parts = []
    for fold in folds:
        started = time.perf_counter()
        options = FitOptions(valid=fold.split.valid).accepted_by(model)
        model.fit(fold.split.train, fold.items, options)
        fitted = time.perf_counter()
        parts.append(_measures(model, fold, asked))
        seconds += fitted - started
        rank_seconds += time.perf_counter() - fitted
    names = list(dict.fromkeys(name for part in parts for name in part.samples))
    samples = {name: pooled([part.samples[name] for part in parts if name in part.samples]) for name in names}
    metrics: dict[str, Metrics] = {}
    for name in names:
        totals = [part.totals[name] for part in parts if name in part.totals]
        means = {metric: float(np.mean([each[metric] for each in totals])) for metric in totals[0]}
        metrics[name] = {**samples[name].intervals(asked.seed), **means}
    return ModelResult(
        repr(model),
        seconds,
        rank_seconds,
        metrics,
        {name: sample.values for name, sample in samples.items()},
        {name: sample.users for name, sample in samples.items()},
        _groups([part.groups for part in parts], asked),
    )


def _groups(parts: Sequence[Mapping[tuple[str, str], dict[str, Sample]]], asked: Asked) -> Groups:
    """The groups of all folds together."""
    groups: Groups = {by: {} for by in asked.by}
    for by, candidates in dict.fromkeys(key for part in parts for key in part):
        folds = [part.get((by, candidates), {}) for part in parts]
        order = [label for label in LABELS[by] if any(label in fold for fold in folds)]
        samples = {label: pooled([fold[label] for fold in folds if label in fold]) for label in order}
        groups[by][candidates] = {
            label: Group(len(sample.users), sample.intervals(asked.seed)) for label, sample in samples.items()
        }
    return groups


def _compared(results: Mapping[str, ModelResult], k: int, seed: int) -> list[Comparison]:
    """Every pair of models on hr@k and ndcg@k of every candidate set."""
    rows = []
    for first, second in combinations(results, 2):
        for candidates, values in results[first].per_user.items():
            for metric in (f"hr@{k}", f"ndcg@{k}"):
                differences = values[metric] - results[second].per_user[candidates][metric]
                difference = intervals(differences[:, None], seed)[0]
                rows.append((candidates, metric, first, second, difference, paired_p(differences)))
    corrected = holm([row[-1] for row in rows])
    return [Comparison(*row, p_holm) for row, p_holm in zip(rows, corrected, strict=True)]
