"""Estimates of what a policy would get, from another policy's log.

IPS weights rewards (Horvitz and Thompson 1952). SNIPS divides by the weights instead of by the rows
(Swaminathan and Joachims 2015), position by position, so that adding a number to all rewards adds it to the
estimate. Doubly robust starts from a model of rewards and weights what it gets wrong (Dudík, Langford and Li
2011). Switch leaves out the weights above a threshold and trusts the model there (Wang, Agarwal and Dudík
2017, SWITCH-DR).

Each estimate is a function of sums over users: with them comes its influence, what each user moves it by.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from isotherm.checks import one_of
from isotherm.experiment.offpolicy.logged import Logged
from isotherm.experiment.offpolicy.rewards import Predictions
from isotherm.experiment.offpolicy.weights import Weights
from isotherm.types import Float64

PER = ("impression", "list")
_THRESHOLDS = 40


@dataclass(frozen=True, eq=False)
class Terms:
    """An estimate, by users.

    influence: (n_users,) float64 with sum 0, what each user moves the value by.  sums: (n_users, m) of each
    user.  combine: totals (…, m) -> values (…); of the sums over all users it gives the value.
    """

    value: float
    influence: Float64
    sums: Float64
    combine: Callable[[Float64], Float64]


def units(log: Logged, per: str) -> Float64:
    """(n,) what a row adds to the number that rewards are divided by: 1, or 1 for the first row of a list."""
    if one_of("per", per, PER) == "impression":
        return np.ones(len(log))
    return np.where(log.places == 0, 1.0, 0.0)


def mean_of(log: Logged, values: Float64, per: str) -> Terms:
    """The sum of values (n,) over the number of rows or lists."""
    counted = units(log, per)
    n_users = len(log.user_ids)
    columns = [np.bincount(log.users, each, minlength=n_users) for each in (values, counted)]
    sums: Float64 = np.stack(columns, axis=1).astype(np.float64)
    total, n = sums.sum(axis=0)
    value = float(total / n)
    return Terms(value, (sums[:, 0] - value * sums[:, 1]) / n, sums, _ratio)


def logged_mean(log: Logged, per: str) -> Terms:
    """What the logged policy got."""
    return mean_of(log, log.rewards, per)


def ips(log: Logged, weights: Weights, per: str) -> Terms:
    """Inverse propensity scoring."""
    return mean_of(log, weights.rows * log.rewards, per)


def snips(log: Logged, weights: Weights, per: str) -> Terms:
    """Self-normalised inverse propensity scoring: at each position the weighted mean of rewards."""
    n_users, last = len(log.user_ids), log.n_positions
    at = log.users * last + log.positions - 1

    def by_position(values: Float64 | None) -> Float64:
        return np.bincount(at, values, minlength=n_users * last).reshape(n_users, last).astype(np.float64)

    counted = np.bincount(log.users, units(log, per), minlength=n_users)
    weighted = by_position(weights.rows)
    rewards, rows = by_position(weights.rows * log.rewards), by_position(None)
    sums = np.concatenate([rewards, weighted, rows, counted[:, None]], axis=1)
    value = float(_by_positions(sums.sum(axis=0)))
    of_rows, of_weights = rows.sum(axis=0), weighted.sum(axis=0)
    means = _divided(rewards.sum(axis=0), of_weights)
    moved = (rewards - means * weighted) @ _divided(of_rows, of_weights) + rows @ means - value * counted
    return Terms(value, moved / counted.sum(), sums, _by_positions)


def doubly_robust(log: Logged, weights: Weights, predicted: Predictions, per: str) -> Terms:
    """What a model of rewards expects, and the weighted rest of what was logged."""
    rest = weights.rows * (log.rewards - predicted.logged)
    return mean_of(log, weights.before * predicted.expected + rest, per)


def switch(log: Logged, weights: Weights, predicted: Predictions, threshold: float, per: str) -> Terms:
    """Doubly robust where the weight is at most the threshold; beyond it, what the model expects alone."""
    trusted = weights.rows <= threshold
    rest = np.where(trusted, weights.rows * (log.rewards - predicted.logged), 0.0)
    return mean_of(log, weights.before * predicted.expected + rest, per)


def chosen_threshold(log: Logged, weights: Weights, predicted: Predictions, per: str) -> float:
    """The threshold with the least estimated variance + bias² (Wang, Agarwal and Dudík 2017, section 4).

    The bias is bounded by the largest reward times the share of the policy beyond the threshold, which is the
    mean of the weights there. Among quantiles of the weights; infinity leaves nothing out.
    """
    largest = float(np.abs(log.rewards).max())
    quantiles = np.quantile(weights.rows, np.linspace(0.5, 1, _THRESHOLDS))
    n = units(log, per).sum()

    def bound(threshold: float) -> float:
        influence = switch(log, weights, predicted, threshold, per).influence
        beyond = weights.rows[weights.rows > threshold].sum() / n
        return float(np.square(influence).sum() + (largest * beyond) ** 2)

    candidates = [*map(float, np.unique(quantiles)[:-1]), float("inf")]
    return min(reversed(candidates), key=bound)


def _ratio(totals: Float64) -> Float64:
    return _divided(totals[..., 0], totals[..., 1])


def _by_positions(totals: Float64) -> Float64:
    """Of rewards, weights and rows by position, and the number of units."""
    last = (totals.shape[-1] - 1) // 3
    rewards, weights, rows = (totals[..., last * n : last * (n + 1)] for n in range(3))
    return _divided((rows * _divided(rewards, weights)).sum(axis=-1), totals[..., -1])


def _divided(top: Float64, bottom: Float64) -> Float64:
    """top / bottom, and 0 where the bottom is 0."""
    return np.divide(top, bottom, out=np.zeros(np.broadcast(top, bottom).shape), where=bottom != 0)
