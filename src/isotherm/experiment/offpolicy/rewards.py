"""What a shown item is likely to get: the model of rewards that doubly robust estimates lean on.

It is fitted across users (Chernozhukov et al. 2018): the predictions for a fifth of the users come from the
rows of the other four, so that no row is scored by a model that has seen it, or seen its user.
"""

from dataclasses import dataclass

import numpy as np

from isotherm.checks import above, whole
from isotherm.errors import ParameterError
from isotherm.experiment.offpolicy.logged import Logged
from isotherm.experiment.offpolicy.targets import Target
from isotherm.streams import stream
from isotherm.types import Bools, Float64, Int64

FOLDS = 5
SHRINKAGE = 100.0  # rows


@dataclass(frozen=True, eq=False)
class Predictions:
    """logged: (n,) float64, the predicted reward of each row.  expected: (n,) float64, of what the new policy
    would show at the place of the row."""

    logged: Float64
    expected: Float64


def cross_fitted(
    log: Logged, target: Target, folds: int = FOLDS, shrinkage: float = SHRINKAGE, seed: int = 0
) -> Predictions | None:
    """Predictions by the shrunk means of items at positions, each from other users' rows.

    folds: groups of users, >= 2.  shrinkage: > 0, see ``reward_table``.  None where the target does not tell
    the probabilities of other items. Raises ParameterError where there are fewer users than folds.
    """
    folds = whole("folds", folds, 2)
    if len(log.user_ids) < folds:
        raise ParameterError(
            f"{len(log.user_ids)} users make no {folds} folds; give fewer folds or more users"
        )
    groups = user_folds(len(log.user_ids), folds, seed)[log.users]
    logged, expected = np.empty(len(log)), np.empty(len(log))
    for fold in range(folds):
        scored = groups == fold
        table = reward_table(log, ~scored, above("shrinkage", shrinkage, 0))
        of_fold = target.expected(log, table)
        if of_fold is None:
            return None
        logged[scored] = table[log.actions, log.positions - 1][scored]
        expected[scored] = of_fold[scored]
    return Predictions(logged, expected)


def given_table(log: Logged, target: Target, table: Float64) -> Predictions | None:
    """Predictions of a model that is given.  table: (n_items, n_positions), rows as ``log.items``."""
    wanted = (len(log.items), log.n_positions)
    if np.shape(table) != wanted:
        raise ParameterError(f"the table of rewards is {np.shape(table)}, and {wanted} is needed")
    expected = target.expected(log, table)
    if expected is None:
        return None
    return Predictions(np.asarray(table[log.actions, log.positions - 1]), expected)


def user_folds(n_users: int, folds: int, seed: int) -> Int64:
    """(n_users,) the fold of each user; folds are as equal as can be."""
    return np.asarray(stream(seed, "reward folds").permutation(np.arange(n_users) % folds))


def reward_table(log: Logged, rows: Bools, shrinkage: float) -> Float64:
    """(n_items, n_positions) mean rewards of some rows, those of little data drawn to what is known without.

    An item's mean is drawn to the mean of all, and its mean at a position to its mean times what the position
    gets beside others, as if ``shrinkage`` rows more said so.
    """
    shape = (len(log.items), log.n_positions)
    at = np.ravel_multi_index((log.actions[rows], log.positions[rows] - 1), shape)
    size = shape[0] * shape[1]
    sums = np.bincount(at, log.rewards[rows], minlength=size).reshape(shape)
    counts = np.bincount(at, minlength=size).reshape(shape).astype(np.float64)
    overall = sums.sum() / max(counts.sum(), 1.0)
    at_position = (sums.sum(axis=0) + shrinkage * overall) / (counts.sum(axis=0) + shrinkage)
    of_item = (sums.sum(axis=1) + shrinkage * overall) / (counts.sum(axis=1) + shrinkage)
    factor = at_position / overall if overall else np.ones(shape[1])
    return np.asarray((sums + shrinkage * of_item[:, None] * factor) / (counts + shrinkage))
