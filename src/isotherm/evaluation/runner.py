"""Fits models on a split and asks three questions of each: how well does it rank cold items among cold ones,
warm among warm ones, and all among all?
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from operator import length_hint
from typing import Any

import numpy as np

from isotherm.checks import verbosity
from isotherm.data import Items, Split
from isotherm.errors import ParameterError, brief
from isotherm.evaluation.groups import LABELS
from isotherm.evaluation.lists import ranked_lists
from isotherm.evaluation.measures import exposure_metrics, item_information, user_metrics
from isotherm.evaluation.options import EvaluationOptions, called
from isotherm.evaluation.over_folds import over_folds
from isotherm.evaluation.paired import Comparison, compared, corrected
from isotherm.evaluation.prepared import PreparedFold, PreparedFolds
from isotherm.evaluation.results import Evaluation, Group, ModelResult
from isotherm.evaluation.user_values import Metrics, UserValues, mean_over_folds
from isotherm.models.base import Recommender
from isotherm.models.fit_inputs import FitOptions
from isotherm.parameters import shown
from isotherm.progress import series, watched

AfterModel = Callable[[Evaluation], object]


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
    available_column: str | None = None,
    verbose: bool | None = None,
    after_model: AfterModel | None = None,
) -> Evaluation:
    """Fit each model on ``split.train`` and rank for each test user.

    split: one, or several of one log (of ``k_fold``, of ``rolling``, or one for each of several seeds): then
    each model is fitted once per split, and a user's value is the mean over those that ask something of this
    user; intervals and tests are over users.  models: name -> unfitted model; a generator of pairs is taken
    one at a time, so that one model is in memory.  items: the item table.  ks: list lengths.  seed: for the
    bootstrap, and lots among equal scores.
    candidates: what may be shown: "catalogue", every item of the table, those that nobody ever clicked among
    the cold ones; or "clicked", the items of the split alone; sampled negatives are drawn from these.
    users: ids of the only test users to measure, None for all.  by: groupings to measure besides, "history"
    (users by the clicks of their history), "users" (returning and new ones; always measured of a temporal
    split) and "item-age" (items to find by their first click in train).
    fields: categories and tags of ``items`` that diversity and calibration are measured by, None for all.
    available_column: field of ``items`` with the date from which an item is available, ``available_from``
    where the table has one; the candidates of a temporal split are the items available, or clicked, before
    the end of its test.  verbose: what is shown meanwhile, as in ``fit``.
    after_model: called with the Evaluation so far after each model, say to write it; it is ``complete`` after
    the last (of a generator, once evaluate returns).  The models are left fitted, on the last split.
    Raises ParameterError for what is no possible argument, SplitError where no user has something to find,
    ItemsError where ``items`` lacks a clicked item, UnknownIdError for ``users`` that are not in the log.

    >>> import numpy as np
    >>> from isotherm import EASE, Interactions, Popularity, evaluate
    >>> from isotherm.data.splits import leave_one_out
    >>> from scipy.sparse import csr_array
    >>> two_tastes = np.kron(np.eye(2), np.ones((6, 4)))  # two groups of users, each with other items
    >>> split = leave_one_out(Interactions.from_csr(csr_array(two_tastes)))
    >>> result = evaluate(split, {"popularity": Popularity(), "ease": EASE(l2=1)}, ks=[1])
    >>> result.models["ease"].mean("all", "hr@1")
    1.0
    >>> result.to_frame().filter(metric="hr@1").columns
    ['model', 'candidates', 'metric', 'mean', 'low', 'high']
    """
    options = EvaluationOptions.checked(items, ks, seed, candidates, users, by, fields, available_column)
    folds = PreparedFolds([split] if isinstance(split, Split) else split, options)
    with watched(verbosity(verbose)):
        return _measured_models(models, folds, options, called("after_model", after_model, "Evaluation"))


def _measured_models(
    models: Mapping[str, Recommender] | Iterable[tuple[str, Recommender]],
    folds: PreparedFolds,
    options: EvaluationOptions,
    after_model: AfterModel | None,
) -> Evaluation:
    """One model after the other. Raises ParameterError where two have one name, or there is none."""
    results: dict[str, ModelResult] = {}
    with series("evaluate", length_hint(models) or None, "model") as advance:
        for name, model in named(models):
            if name in results:
                raise ParameterError(f"two models are named {brief(name)}; give each a name of its own")
            results[name] = _measured(model, folds, options)
            del model
            if after_model is not None:
                after_model(_so_far(models, folds, dict(results), options))
            advance(1)
    if not results:
        raise ParameterError("there is no model to evaluate; models maps names to models")
    return _evaluation(folds, results, options)


def _so_far(
    models: Mapping[str, Recommender] | Iterable[tuple[str, Recommender]],
    folds: PreparedFolds,
    results: dict[str, ModelResult],
    options: EvaluationOptions,
) -> Evaluation:
    """What is measured, and, where the models have a number, what is still to come."""
    to_come = [name for name in models if name not in results] if isinstance(models, Mapping) else []
    complete = isinstance(models, Mapping) and not to_come
    return replace(_evaluation(folds, results, options), complete=complete, to_come=to_come)


def _evaluation(
    folds: PreparedFolds, results: dict[str, ModelResult], options: EvaluationOptions
) -> Evaluation:
    return Evaluation(folds.describe(), results, _compared(results, options.ks[0]))


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
class _FoldResult:
    """What one model did on one fold, by candidate set."""

    values: dict[str, UserValues]
    exposure: dict[str, dict[str, float]]  #: metrics of all lists together
    groups: dict[str, dict[str, dict[str, UserValues]]]  #: grouping -> candidate set -> label -> metrics

    def means(self) -> dict[str, dict[str, float]]:
        """Candidate set -> metric -> its mean over users, or the one number of all lists."""
        return {name: {**values.means(), **self.exposure[name]} for name, values in self.values.items()}


def _measured(model: Recommender, folds: PreparedFolds, options: EvaluationOptions) -> ModelResult:
    """Fit and measure one model, on one fold after the other."""
    seconds = rank_seconds = 0.0
    results = []
    with series("", len(folds), "fold") as advance:
        for fold in folds:
            started = time.perf_counter()
            fit_options = FitOptions(valid=fold.split.valid).accepted_by(model)
            model.fit(fold.split.train, fold.items, fit_options)
            fitted = time.perf_counter()
            results.append(_fold_result(model, fold, options))
            seconds += fitted - started
            rank_seconds += time.perf_counter() - fitted
            advance(1)
    names = list(dict.fromkeys(name for result in results for name in result.values))
    values = {
        name: mean_over_folds([result.values[name] for result in results if name in result.values])
        for name in names
    }
    group_values = {
        by: _group_values(by, [result.groups[by] for result in results]) for by in results[0].groups
    }
    return ModelResult(
        shown(model),
        seconds,
        rank_seconds,
        {name: _metrics(name, values[name], results, options.seed) for name in names},
        {name: each.values for name, each in values.items()},
        {name: each.users for name, each in values.items()},
        {by: _groups(group_values[by], options.seed) for by in folds.by},
        group_values,
        over_folds([result.means() for result in results]),
        model.learned_settings(),
    )


def _fold_result(model: Recommender, fold: PreparedFold, options: EvaluationOptions) -> _FoldResult:
    """Measure a fitted model on its fold."""
    lists = ranked_lists(model, fold.split, fold.sets, options.ks[-1], options.seed)
    information = item_information(fold.split)
    result = _FoldResult({}, {}, {by: {} for by in fold.compared_by})
    for candidates in fold.sets:
        name, columns = candidates.name, lists[candidates.name]
        metrics = user_metrics(columns, fold.split, candidates, options.ks, information, fold.vectors)
        values = result.values[name] = UserValues(fold.users_of(candidates), metrics)
        result.exposure[name] = exposure_metrics(columns, candidates, options.ks)
        for by, grouping in fold.compared_by.items():
            result.groups[by][name] = grouping.divide(values, columns, candidates, options.ks)
    return result


def _metrics(candidates: str, values: UserValues, folds: Sequence[_FoldResult], seed: int) -> Metrics:
    """Intervals of the metrics of users, means over the folds of those of all lists together."""
    exposure = [fold.exposure[candidates] for fold in folds if candidates in fold.exposure]
    means = {metric: float(np.mean([fold[metric] for fold in exposure])) for metric in exposure[0]}
    return {**values.intervals(seed), **means}


def _group_values(
    by: str, folds: Sequence[Mapping[str, Mapping[str, UserValues]]]
) -> dict[str, dict[str, UserValues]]:
    """Candidate set -> label -> metrics of one grouping, all folds together."""
    values: dict[str, dict[str, UserValues]] = {}
    for candidates in dict.fromkeys(name for fold in folds for name in fold):
        of_folds = [fold.get(candidates, {}) for fold in folds]
        values[candidates] = {
            label: mean_over_folds([fold[label] for fold in of_folds if label in fold])
            for label in LABELS[by]
            if any(label in fold for fold in of_folds)
        }
    return values


def _groups(values: Mapping[str, Mapping[str, UserValues]], seed: int) -> dict[str, dict[str, Group]]:
    """The figures of the groups of one grouping."""
    return {
        candidates: {label: Group(len(group.users), group.intervals(seed)) for label, group in groups.items()}
        for candidates, groups in values.items()
    }


def _compared(results: Mapping[str, ModelResult], k: int) -> list[Comparison]:
    """Every pair of models on hr@k and ndcg@k of every candidate set."""
    comparisons = []
    for first, second in combinations(results, 2):
        for candidates in results[first].metrics:
            for metric in (f"hr@{k}", f"ndcg@{k}"):
                pair = [(name, results[name].values_of(candidates)) for name in (first, second)]
                comparisons.append(compared(candidates, metric, *pair))
    return corrected([each for each in comparisons if each is not None])
