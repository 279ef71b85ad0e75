"""Lists of the best items for each test user, and what is measured on them.

One pass over user blocks a model: score, hide what was seen, list the best, mark the hits. No users × items
array ever exists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from isotherm.data import Items, Split
from isotherm.errors import ParameterError
from isotherm.evaluation.results import Metrics
from isotherm.evaluation.samples import Sample, Values
from isotherm.features.profiles import ItemProfiles
from isotherm.linalg.csr import filter_entries, row_blocks
from isotherm.memory import users_per_block
from isotherm.models.base import Recommender
from isotherm.progress import stage
from isotherm.ranking.diversity import calibration, intra_list_diversity
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
from isotherm.types import Bools, Float32, Float64, Int32, Int64


@dataclass(frozen=True)
class CandidateSet:
    """Candidates and targets both restricted to the same items."""

    name: str
    items: Bools  #: (n_items,)
    targets: csr_array  #: (n_users, n_items) of the users with a target here
    rows: Int64  #: (n_users,) their rows among the test users


def candidate_sets(split: Split, users: Bools | None = None) -> list[CandidateSet]:
    """all and, where some item is cold, cold and warm; a set without targets is left out.

    users: (test users,) flags of the only ones to ask, None for all.
    """
    cold = split.cold
    masks = {"all": np.ones_like(cold)}
    if cold.any():
        masks |= {"cold": cold, "warm": ~cold}
    sets = []
    for name, mask in masks.items():
        targets = filter_entries(split.targets, mask[split.targets.indices])
        asked = np.diff(targets.indptr) > 0
        rows = np.flatnonzero(asked if users is None else asked & users)
        if len(rows):
            sets.append(CandidateSet(name, mask, targets[rows], rows))
    return sets


def ranked_lists(
    model: Recommender, split: Split, sets: Sequence[CandidateSet], k: int, seed: int = 0
) -> dict[str, Int32]:
    """The list of each set for its users, (n_users, k) int32, -1 where fewer items are left.

    Among equal scores lots are drawn, user by user: item ids often follow popularity, and a model that
    knows nothing of new items must not profit from their order.
    Raises ParameterError where the model's scores are not numbers, or of another shape.
    """
    n_users, n_items = split.histories.matrix.shape
    tie_seeds = np.random.default_rng(seed).integers(2**63, size=n_users, dtype=np.uint64)
    asked = np.unique(np.concatenate([s.rows for s in sets])) if sets else np.arange(0)
    histories = split.histories.matrix if len(asked) == n_users else split.histories.matrix[asked]
    k = min(k, n_items)
    lists = {s.name: np.empty((len(asked), k), dtype=np.int32) for s in sets}
    first = 0
    with stage(f"rank with {model.name}", len(asked)) as advance:
        for block in row_blocks(histories, users_per_block(n_items)):
            scores = _scores(model, block)
            hide(scores, block)
            here = slice(first, first + block.shape[0])
            if split.negatives is not None:
                scores = _only_sampled(scores, split, split.negatives, asked[here])
            try:
                tops = model.rank(scores, k, [s.items for s in sets], tie_seeds[asked[here]])
            except ValueError as cause:
                raise ParameterError(f"{model!r}: {cause}") from cause
            for s, (columns, _) in zip(sets, tops, strict=True):
                lists[s.name][here] = columns
            advance(block.shape[0])
            first += block.shape[0]
    return {s.name: lists[s.name][np.searchsorted(asked, s.rows)] for s in sets}


def _scores(model: Recommender, block: csr_array) -> Float32:
    """A model's scores of a block, ours to write to. Raises ParameterError for another shape."""
    given = np.asarray(model.score(block))
    if given.shape != block.shape or given.dtype.kind not in "fiub":
        raise ParameterError(
            f"{model!r}: score gave an array of shape {given.shape} and type {given.dtype} where numbers of "
            f"shape {block.shape} are needed"
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and still in order
        return np.require(given, np.float32, ["C", "W"])


def _only_sampled(scores: Float32, split: Split, negatives: Int64, rows: Int64) -> Float32:
    """The scores of each user's target and sampled negatives; -inf elsewhere."""
    target = split.targets.indices[split.targets.indptr[rows]]
    columns = np.column_stack([target, negatives[rows]])
    sampled = np.full_like(scores, -np.inf)
    np.put_along_axis(sampled, columns, np.take_along_axis(scores, columns, axis=1), axis=1)
    return sampled


@dataclass(frozen=True)
class Profiles:
    """What items are about, in the two forms that lists are measured by."""

    fields: list[str]
    directions: csr_array  #: (n_items, n_values), rows of unit length
    shares: csr_array  #: (n_items, n_values), rows that sum to 1

    @classmethod
    def of(cls, items: Items, fields: Sequence[str] | None = None) -> "Profiles":
        """By ``fields``, or all categories and tags."""
        profiles = ItemProfiles.of(items, fields)
        return cls(profiles.fields, profiles.directions(items), profiles.shares(items))


def measured(
    lists: Mapping[str, Int32],
    split: Split,
    sets: Sequence[CandidateSet],
    ks: Sequence[int],
    seed: int,
) -> tuple[dict[str, Metrics], dict[str, Values]]:
    """Metrics of ranked lists by candidate set, and the same of each user.

    lists: as ``ranked_lists`` gives them, at least as long as the largest of ``ks``.
    """
    metrics: dict[str, Metrics] = {}
    per_user: dict[str, Values] = {}
    information = information_of(split)
    for s in sets:
        sample = Sample(
            split.histories.users.take(s.rows), values_of(lists[s.name], split, s, ks, information)
        )
        metrics[s.name] = {**sample.intervals(seed), **totals_of(lists[s.name], s, ks)}
        per_user[s.name] = sample.values
    return metrics, per_user


def information_of(split: Split) -> Float64:
    """(n_items,) self-information of each item in bits, from the clicks of the split's train."""
    train_users = int((np.diff(split.train.matrix.indptr) > 0).sum())
    return self_information(split.train.item_clicks(), train_users)


def values_of(
    columns: Int32,
    split: Split,
    s: CandidateSet,
    ks: Sequence[int],
    information: Float64,
    profiles: Profiles | None = None,
) -> Values:
    """Every metric of each user's list."""
    values = found_of(columns, s.targets, ks)
    values |= {f"novelty@{k}": novelty(columns[:, :k], information) for k in ks}
    if profiles is not None and profiles.fields:
        histories = split.histories.matrix[s.rows]
        for k in ks:
            values[f"diversity@{k}"] = intra_list_diversity(columns[:, :k], profiles.directions)
        for k in ks:
            kl, js = calibration(columns[:, :k], histories, profiles.shares)
            values |= {f"calibration-kl@{k}": kl, f"calibration-js@{k}": js}
    return values


def found_of(columns: Int32, targets: csr_array, ks: Sequence[int]) -> Values:
    """How well each user's targets, at least one each, are found."""
    hits, n_targets = rank_hits(columns, targets), np.diff(targets.indptr)
    return {f"{name}@{k}": of(hits, n_targets, k) for k in ks for name, of in USER_METRICS.items()}


def totals_of(columns: Int32, s: CandidateSet, ks: Sequence[int]) -> dict[str, float]:
    """Metrics of all lists together."""
    totals: dict[str, float] = {}
    for k in ks:
        shown = exposure(columns[:, :k], len(s.items))[s.items]
        totals |= {f"coverage@{k}": coverage(shown), f"gini@{k}": gini(shown)}
    return totals
