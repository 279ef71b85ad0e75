"""What is measured on lists: how well they find the targets, and what they are like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.data import Items, Split
from isotherm.evaluation.candidates import CandidateSet
from isotherm.evaluation.user_values import Metrics, MetricValues, UserValues
from isotherm.features.profiles import ItemProfiles
from isotherm.ranking.diversity import calibration, intra_list_diversity
from isotherm.ranking.metrics import (
    USER_METRICS,
    coverage,
    exposure,
    gini,
    novelty,
    rank_hits,
    self_information,
    share_in_lists,
)
from isotherm.types import Float64, Int32, UserItems


@dataclass(frozen=True)
class MetadataVectors:
    """The metadata of the items, in the two forms that lists are measured by."""

    fields: list[str]
    directions: csr_array  #: (n_items, n_values), rows of unit length
    shares: csr_array  #: (n_items, n_values), rows that sum to 1

    @classmethod
    def of(cls, items: Items, fields: Sequence[str] | None = None) -> "MetadataVectors":
        """Of ``fields``, or of all categories and tags."""
        profiles = ItemProfiles.of(items, fields)
        return cls(profiles.fields, profiles.directions(items), profiles.shares(items))


def measure_lists(
    lists: Mapping[str, Int32], split: Split, sets: Sequence[CandidateSet], ks: Sequence[int], seed: int
) -> dict[str, Metrics]:
    """Metrics of ranked lists by candidate set.

    lists: as ``ranked_lists`` gives them, at least as long as the largest of ``ks``.  seed: of the intervals.
    """
    metrics: dict[str, Metrics] = {}
    information = item_information(split)
    for candidates in sets:
        columns = lists[candidates.name]
        users = split.histories.users.take(candidates.user_rows)
        values = UserValues(users, user_metrics(columns, split, candidates, ks, information))
        metrics[candidates.name] = {**values.intervals(seed), **exposure_metrics(columns, candidates, ks)}
    return metrics


def item_information(split: Split) -> Float64:
    """(n_items,) self-information of each item in bits, from the clicks of the split's train."""
    train_users = int((np.diff(split.train.matrix.indptr) > 0).sum())
    return self_information(split.train.item_clicks(), train_users)


def user_metrics(
    columns: Int32,
    split: Split,
    candidates: CandidateSet,
    ks: Sequence[int],
    information: Float64,
    vectors: MetadataVectors | None = None,
) -> MetricValues:
    """Every metric of each user's list.

    columns: (n_users, k) items of the lists.  information: of ``item_information``.  vectors: for diversity
    and calibration.
    """
    values = ranking_metrics(columns, candidates.targets, ks)
    if candidates.of_both_kinds:
        values |= {f"new_share@{k}": share_in_lists(columns[:, :k], candidates.new) for k in ks}
    values |= {f"novelty@{k}": novelty(columns[:, :k], information) for k in ks}
    if vectors is not None and vectors.fields:
        histories = split.histories.matrix[candidates.user_rows]
        for k in ks:
            values[f"diversity@{k}"] = intra_list_diversity(columns[:, :k], vectors.directions)
        for k in ks:
            divergence = calibration(columns[:, :k], histories, vectors.shares)
            values |= {f"calibration-kl@{k}": divergence.kl, f"calibration-js@{k}": divergence.js}
    return values


def ranking_metrics(columns: Int32, targets: UserItems, ks: Sequence[int]) -> MetricValues:
    """How well the list of each user finds the user's targets, at least one each."""
    hits, n_targets = rank_hits(columns, targets), np.diff(targets.indptr)
    return {f"{name}@{k}": metric(hits, n_targets, k) for k in ks for name, metric in USER_METRICS.items()}


def exposure_metrics(columns: Int32, candidates: CandidateSet, ks: Sequence[int]) -> dict[str, float]:
    """Metrics of all lists together: how many candidates they show, and how evenly."""
    metrics: dict[str, float] = {}
    for k in ks:
        counts = exposure(columns[:, :k], len(candidates.items))[candidates.items]
        metrics |= {f"coverage@{k}": coverage(counts), f"gini@{k}": gini(counts)}
    return metrics
