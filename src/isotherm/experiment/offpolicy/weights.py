"""How much more often the new policy would have shown what was shown, and whether that is enough to tell.

The weight of a row is the new policy's probability over the logged one. In a list, three models say what of
it a reward depends on: on item and position alone (``item-position``; Li et al. 2018: the row's own ratio of
the probabilities of an item at a position), on the items up to it (``cascade``; McInerney et al. 2020: the
product of the ratios so far, each given the items before), or on all of the list (``list``: the product of
all). The more it may depend on, the less is assumed and the wider is the interval.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isotherm.checks import above, at_least, between, one_of
from isotherm.errors import OverlapError
from isotherm.experiment.offpolicy.logged import Logged
from isotherm.types import Float64

LISTS = ("item-position", "cascade", "list")
_SURE = 3.0  # standard errors


@dataclass(frozen=True, eq=False)
class Weights:
    """Importance weights of the rows of a log.

    rows: (n,) float64 >= 0, clipped.  before: (n,) the weight of what the place of a row was reached by: 1
    where only the row itself counts.  unclipped: (n,) of the rows.
    """

    rows: Float64
    before: Float64
    unclipped: Float64


@dataclass(frozen=True)
class OverlapRules:
    """When a log says too little of a policy. Raises ParameterError.

    Parameters:
        least_size (>= 2; default 100): effective sample size, in rows, below which no estimate is given.
        most_share (in (0, 1]; default 0.05): of all weight, that one row may carry.
        most_missing (in (0, 1]; default 0.1): how far the mean weight, which is 1 where the log supports all
            that the policy shows, may be from 1, if it is so by more than three standard errors.
    """

    least_size: float = 100.0
    most_share: float = 0.05
    most_missing: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "least_size", at_least("least_size", self.least_size, 2))
        object.__setattr__(self, "most_share", between("most_share", self.most_share, 0, 1, "(]"))
        object.__setattr__(self, "most_missing", between("most_missing", self.most_missing, 0, 1, "(]"))


@dataclass(frozen=True)
class Overlap:
    """How much a log says of a policy."""

    rows: int
    users: int
    size: float  #: effective sample size, (Σw)² / Σw² (Kish 1965), in rows
    mean_weight: float  #: before clipping; 1 where the log supports all that the policy shows
    error: float  #: standard error of the mean weight, users as clusters
    largest: float  #: weight
    largest_share: float  #: of all weight, that of the largest
    without: float  #: share of rows that the policy would never show
    clipped: float  #: share of rows whose weight was clipped
    lost: float  #: share of all weight that clipping took

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def importance_weights(
    log: Logged, target: Float64, lists: str = "item-position", clip: float | None = None
) -> Weights:
    """The weights of a log's rows for a policy that shows them with probability ``target`` (n,).

    clip: weights above it are set to it; None for none. Clipped estimates are biased towards less.
    """
    one_of("lists", lists, LISTS)
    ratios = target / log.propensities
    rows, before = ratios, np.ones(len(log))
    if lists != "item-position":
        rows, before = _products(log, ratios)
    if lists == "list":
        last = log.starts + log.lengths - 1
        whole = np.empty(len(log))
        whole[log.order] = np.repeat(rows[log.order[last]], log.lengths)
        rows = whole
    if clip is None:
        return Weights(rows, before, rows)
    most = above("clip", clip, 0)
    return Weights(np.minimum(rows, most), np.minimum(before, most), rows)


def _products(log: Logged, ratios: Float64) -> tuple[Float64, Float64]:
    """Of each row the product of ratios of its list up to it, and that before it."""
    rows, before = ratios.copy(), np.ones(len(log))
    ordered, places = log.order, log.places[log.order]
    for place in range(1, int(places.max()) + 1):
        here = np.flatnonzero(places == place)
        before[ordered[here]] = rows[ordered[here - 1]]
        rows[ordered[here]] *= before[ordered[here]]
    return rows, before


def measure_overlap(log: Logged, weights: Weights) -> Overlap:
    """How much the log says of the policy of these weights."""
    w, unclipped = weights.rows, weights.unclipped
    total, squares, whole = float(w.sum()), float(np.square(w).sum()), float(unclipped.sum())
    users = np.bincount(log.users, unclipped - unclipped.mean(), minlength=len(log.user_ids)) / len(log)
    n = len(users)
    error = float(np.sqrt(np.square(users).sum() * n / max(n - 1, 1)))
    return Overlap(
        rows=len(log),
        users=n,
        size=total**2 / squares if squares else 0.0,
        mean_weight=whole / len(log),
        error=error,
        largest=float(w.max()),
        largest_share=float(w.max()) / total if total else 1.0,
        without=float((w == 0).mean()),
        clipped=float((unclipped > w).mean()),
        lost=1 - total / whole if whole else 0.0,
    )


def check_overlap(log: Logged, weights: Weights, overlap: Overlap, rules: OverlapRules) -> None:
    """Raise OverlapError, with words and a cure, where the log says too little of the policy."""
    if overlap.size < rules.least_size:
        raise OverlapError(
            f"the log says too little of the new policy: its {overlap.rows:,} rows are worth "
            f"{overlap.size:.1f} (effective sample size), and {rules.least_size:g} are needed; log more "
            "lists, explore a larger share, or ask about a policy nearer to the logged one"
        )
    if overlap.largest_share > rules.most_share:
        raise OverlapError(
            f"one row carries {overlap.largest_share:.1%} of all weight, and {rules.most_share:.1%} is the "
            "most; log more lists, explore a larger share, or clip the weights"
        )
    _check_support(overlap, rules)
    empty = np.bincount(log.positions, weights.rows)[np.unique(log.positions)] == 0
    if empty.any():
        position = int(np.unique(log.positions)[empty.argmax()])
        raise OverlapError(
            f"at position {position} the log shows nothing that the new policy would; leave it out, or "
            "explore there"
        )


def _check_support(overlap: Overlap, rules: OverlapRules) -> None:
    """The mean weight is 1, but for chance, before any is clipped."""
    away = overlap.mean_weight - 1
    if abs(away) <= max(rules.most_missing, _SURE * overlap.error):
        return
    if away < 0:
        raise OverlapError(
            f"the log never shows about {-away:.0%} of what the new policy would (mean weight "
            f"{overlap.mean_weight:.3f}, and 1 where the log supports it all); explore all of what the new "
            "policy may show, or give it the pool of items that was logged"
        )
    raise OverlapError(
        f"the mean weight is {overlap.mean_weight:.3f}, and 1 where propensities are right; check that both "
        "columns are probabilities of the same thing: of the item at its position, given the items before it"
    )
