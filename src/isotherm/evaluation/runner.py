"""Fits models on a split and asks three questions of each: how well does it rank cold items among cold ones,
warm among warm ones, and all among all?

One pass over user blocks a model: score, hide what was seen, keep the top k, mark the hits. No users × items
array ever exists.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_array

from isotherm.data import Items, Split
from isotherm.data.interactions import row_blocks, with_entries
from isotherm.errors import ParameterError
from isotherm.evaluation.bootstrap import Comparison, Interval, holm, intervals, paired_p
from isotherm.files import write_json
from isotherm.models.base import Recommender, block_size
from isotherm.progress import stage
from isotherm.ranking.metrics import (
    USER_METRICS,
    coverage,
    exposure,
    gini,
    novelty,
    rank_hits,
    self_information,
)
from isotherm.ranking.topk import hide

Metrics = dict[str, Interval | float]


@dataclass(frozen=True)
class CandidateSet:
    """Candidates and targets both restricted to the same items."""

    name: str
    items: NDArray[np.bool_]  #: (n_items,)
    targets: csr_array  #: (n_users, n_items) of the users with a target here
    rows: NDArray[np.int64]  #: (n_users,) their rows among the test users


@dataclass(frozen=True)
class ModelResult:
    """What one model did: seconds to fit and to rank, and its metrics by candidate set."""

    parameters: str
    seconds: float
    rank_seconds: float
    metrics: dict[str, Metrics]  #: candidate set -> metric -> Interval over users, or one number a list set
    per_user: dict[str, dict[str, NDArray[np.float64]]]  #: candidate set -> metric -> one value a user


@dataclass(frozen=True)
class Evaluation:
    """Models side by side on one split."""

    split: dict[str, Any]
    models: dict[str, ModelResult]
    comparisons: list[Comparison]

    def to_dict(self) -> dict[str, Any]:
        """As ``evaluate --json`` writes it: {"split": …, "models": {name: {"seconds": …, "all": {…}}}}."""
        models = {
            name: {
                "parameters": result.parameters,
                "seconds": result.seconds,
                "rank_seconds": result.rank_seconds,
                **{
                    candidates: {metric: _plain(value) for metric, value in metrics.items()}
                    for candidates, metrics in result.metrics.items()
                },
            }
            for name, result in self.models.items()
        }
        return {
            "split": self.split,
            "models": models,
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
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


def evaluate(
    split: Split,
    models: Mapping[str, Recommender] | Iterable[tuple[str, Recommender]],
    items: Items | None = None,
    ks: Sequence[int] = (10,),
    seed: int = 0,
) -> Evaluation:
    """Fit each model on ``split.train`` and rank for each test user.

    models: name -> unfitted model; a generator of pairs is taken one at a time, so that one model is in
    memory.  items: the item table; only the items of the split are used.  ks: list lengths.
    seed: for the bootstrap and for lots among equal scores. The models are left fitted.
    """
    ks = sorted(set(ks))
    if not ks or ks[0] < 1:
        raise ParameterError(f"k must be whole numbers >= 1, not {ks}")
    known = None if items is None else items.of(split.train.items)
    sets = candidate_sets(split)
    results: dict[str, ModelResult] = {}
    for name, model in models.items() if isinstance(models, Mapping) else models:
        started = time.perf_counter()
        more = {"valid": split.valid} if model.trains_in_steps else {}
        model.fit(split.train, known, **more)
        fitted = time.perf_counter()
        lists = ranked_lists(model, split, sets, ks[-1], seed)
        ranked = time.perf_counter()
        metrics, per_user = measured(lists, split, sets, ks, seed)
        results[name] = ModelResult(repr(model), fitted - started, ranked - fitted, metrics, per_user)
        del model
    description = split.describe() | {
        "candidates": {s.name: {"items": int(s.items.sum()), "users": len(s.rows)} for s in sets}
    }
    return Evaluation(description, results, _compared(results, ks[0], seed))


def candidate_sets(split: Split) -> list[CandidateSet]:
    """all and, where some item is cold, cold and warm; a set without targets is left out."""
    cold = split.cold
    masks = {"all": np.ones_like(cold)}
    if cold.any():
        masks |= {"cold": cold, "warm": ~cold}
    sets = []
    for name, mask in masks.items():
        targets = with_entries(split.targets, mask[split.targets.indices])
        rows = np.flatnonzero(np.diff(targets.indptr))
        if len(rows):
            sets.append(CandidateSet(name, mask, targets[rows], rows))
    return sets


def ranked_lists(
    model: Recommender, split: Split, sets: Sequence[CandidateSet], k: int, seed: int = 0
) -> dict[str, NDArray[np.int32]]:
    """The k best columns of each set for its users, (n_users, k) int32, -1 where fewer are left.

    Among equal scores lots are drawn, user by user: item ids often follow popularity, and a model that
    knows nothing of new items must not profit from their order.
    """
    histories = split.histories.matrix
    n_users, n_items = histories.shape
    tie_seeds = np.random.default_rng(seed).integers(2**63, size=n_users, dtype=np.uint64)
    k = min(k, n_items)
    lists = {s.name: np.empty((n_users, k), dtype=np.int32) for s in sets}
    first = 0
    with stage(f"rank with {model.name}", n_users) as advance:
        for block in row_blocks(histories, block_size(n_items)):
            scores = model.score(block)
            hide(scores, block)
            rows = slice(first, first + block.shape[0])
            if split.negatives is not None:
                scores = _only_sampled(scores, split, split.negatives, rows)
            try:
                tops = model._best(scores, k, [s.items for s in sets], tie_seeds[rows])
            except ValueError as cause:
                raise ParameterError(f"{model!r}: {cause}") from cause
            for s, (columns, _) in zip(sets, tops, strict=True):
                lists[s.name][rows] = columns
            advance(block.shape[0])
            first += block.shape[0]
    return {s.name: lists[s.name][s.rows] for s in sets}


def _only_sampled(
    scores: NDArray[np.float32], split: Split, negatives: NDArray[np.int64], rows: slice
) -> NDArray[np.float32]:
    """The scores of each user's target and sampled negatives; -inf elsewhere."""
    target = split.targets.indices[split.targets.indptr[:-1][rows]]
    columns = np.column_stack([target, negatives[rows]])
    sampled = np.full_like(scores, -np.inf)
    np.put_along_axis(sampled, columns, np.take_along_axis(scores, columns, axis=1), axis=1)
    return sampled


def measured(
    lists: Mapping[str, NDArray[np.int32]],
    split: Split,
    sets: Sequence[CandidateSet],
    ks: Sequence[int],
    seed: int,
) -> tuple[dict[str, Metrics], dict[str, dict[str, NDArray[np.float64]]]]:
    """Metrics of ranked lists by candidate set, and the same of each user.

    lists: as ``ranked_lists`` gives them, at least as long as the largest of ``ks``.
    """
    train_users = int((np.diff(split.train.matrix.indptr) > 0).sum())
    information = self_information(split.train.item_clicks(), train_users)
    metrics: dict[str, Metrics] = {}
    per_user: dict[str, dict[str, NDArray[np.float64]]] = {}
    for s in sets:
        columns = lists[s.name]
        hits, n_targets = rank_hits(columns, s.targets), np.diff(s.targets.indptr)
        values = {f"{name}@{k}": of(hits, n_targets, k) for k in ks for name, of in USER_METRICS.items()}
        values |= {f"novelty@{k}": novelty(columns[:, :k], information) for k in ks}
        metrics[s.name] = dict(
            zip(values, intervals(np.column_stack(list(values.values())), seed), strict=True)
        )
        for k in ks:
            shown = exposure(columns[:, :k], split.train.n_items)[s.items]
            metrics[s.name] |= {f"coverage@{k}": coverage(shown), f"gini@{k}": gini(shown)}
        per_user[s.name] = values
    return metrics, per_user


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


def _plain(value: Interval | float) -> dict[str, float]:
    return asdict(value) if isinstance(value, Interval) else {"mean": value}
