"""The policy that is asked about: with which probability it would have shown what was shown."""

from typing import Protocol

import numpy as np
import polars as pl

from isotherm.errors import ParameterError
from isotherm.experiment.offpolicy.logged import Logged, rows_of
from isotherm.experiment.plan import Exploration
from isotherm.models.base import Recommender
from isotherm.types import Bools, Float64, Int64

_BLOCK = 4096  # lists


class Target(Protocol):
    """A policy, asked about the rows of one log."""

    def probabilities(self, log: Logged) -> Float64:
        """(n,) in [0, 1]: of the item of each row, at its position, given the items before it."""

    def expected(self, log: Logged, values: Float64) -> Float64 | None:
        """(n,) what the policy would get at the place of each row, were ``values`` the rewards.

        values: (n_items, n_positions). None where the probabilities of other items are not known.
        """


class Column:
    """Probabilities of the logged items alone.  values: (n,) in [0, 1]."""

    def __init__(self, values: Float64) -> None:
        self._values = np.asarray(values, dtype=np.float64)
        if not ((self._values >= 0) & (self._values <= 1)).all():
            raise ParameterError("the target's propensities must be numbers from 0 to 1")

    def probabilities(self, log: Logged) -> Float64:
        """As they are given. Raises ParameterError where there are not as many as rows."""
        if len(self._values) != len(log):
            raise ParameterError(
                f"{len(self._values):,} target propensities for {len(log):,} rows; give one each"
            )
        return self._values

    def expected(self, log: Logged, values: Float64) -> None:
        """Not known."""


class ActionTable:
    """A policy that knows no context.

    table: (n_items, n_positions), rows as ``Logged.items``; columns sum to at most 1.
    """

    def __init__(self, table: Float64) -> None:
        self._table = np.asarray(table, dtype=np.float64)
        if (self._table < 0).any() or (self._table.sum(axis=0) > 1 + 1e-9).any():
            raise ParameterError(
                "a table of propensities needs numbers >= 0 that sum to at most 1 a position"
            )

    def probabilities(self, log: Logged) -> Float64:
        """Of item and position of each row."""
        return np.asarray(self._table[log.actions, log.positions - 1])

    def expected(self, log: Logged, values: Float64) -> Float64:
        """The same for all rows of a position."""
        return np.asarray((self._table * values).sum(axis=0)[log.positions - 1])


class ModelRanking:
    """A model's lists for the users of a log, as a server with this exploration would draw them.

    model: fitted on clicks before the log: a model that has seen them leaves out what was clicked.
    exploration: None for the best item at each place. As there, a place is drawn from what is left of the
    ``pool`` best items.  exclude_seen: whether the model leaves out what its users had clicked.
    """

    def __init__(
        self, model: Recommender, exploration: Exploration | None = None, exclude_seen: bool = True
    ) -> None:
        if exploration is not None:
            exploration.check("exploration")
        self._model, self._exploration, self._exclude_seen = model, exploration, exclude_seen
        self._ranked: tuple[Logged, Int64, Float64] | None = None

    def probabilities(self, log: Logged) -> Float64:
        """Of each item, given the items before it in its list."""
        return self._over_lists(log, None)

    def expected(self, log: Logged, values: Float64) -> Float64:
        """Of what the model would show at each place, given the items before it."""
        return self._over_lists(log, values)

    def _over_lists(self, log: Logged, values: Float64 | None) -> Float64:
        """(n,) probabilities, or what is expected where values are given."""
        found = np.zeros(len(log))
        if self._ranked is None or self._ranked[0] is not log:
            self._ranked = (log, *self._pools(log))
        _, pools, scores = self._ranked
        for block in range(0, len(log.starts), _BLOCK):
            first, many = log.starts[block : block + _BLOCK], log.lengths[block : block + _BLOCK]
            users = log.users[log.order[first]]
            self._block(log, values, (pools[users], scores[users]), (first, many), found)
        return found

    def _block(
        self,
        log: Logged,
        values: Float64 | None,
        ranked: tuple[Int64, Float64],
        lists: tuple[Int64, Int64],
        found: Float64,
    ) -> None:
        """Place after place of a block of lists. ranked: (n_lists, pool) items, -1 for none, and scores."""
        (pool, scores), (first, many) = ranked, lists
        left = np.isfinite(scores)
        for place in range(int(many.max())):
            going = np.flatnonzero(many > place)
            row = log.order[first[going] + place]
            shares = place_shares(left[going], scores[going], place + 1, self._exploration)
            shown = pool[going] == log.actions[row][:, None]
            if values is None:
                found[row] = (shares * shown).sum(axis=1)
            else:
                at = log.positions[row, None] - 1
                worth = values[np.maximum(pool[going], 0), at]
                fallback = values.mean(axis=0)[at]  # items that the log never showed
                found[row] = (shares * np.where(pool[going] >= 0, worth, fallback)).sum(axis=1)
            left[going] &= ~shown

    def _pools(self, log: Logged) -> tuple[Int64, Float64]:
        """(n_users, pool): the best items of each user as rows of ``log.items``, -1 for one that the log
        never showed; and scores, -inf where a list is shorter."""
        pool = self._exploration.pool if self._exploration else int(log.places.max()) + 1
        self._check_ids(log)
        best = self._model.recommend(log.user_ids, pool, self._exclude_seen, unknown="popular")
        place = pl.DataFrame({"user_id": log.user_ids}).with_row_index("user")
        best = best.join(place, on="user_id", how="inner")
        items = np.full((len(log.user_ids), pool), -1, dtype=np.int64)
        scores = np.full(items.shape, -np.inf)
        at = best["user"].to_numpy(), best["rank"].to_numpy().astype(np.int64) - 1
        items[at] = rows_of(best["item_id"], log.items)
        scores[at] = best["score"].to_numpy()
        return items, scores

    def _check_ids(self, log: Logged) -> None:
        """Raise ParameterError where the ids of the log are not those of the model."""
        for what, ids, known in (
            ("users", log.user_ids, self._model.users_.values),
            ("items", log.items, self._model.items_.values),
        ):
            if set(ids.to_list()).isdisjoint(known.to_list()):
                raise ParameterError(
                    f"the model knows none of the {what} of the log ({ids.dtype} there, {known.dtype} in the "
                    "model); name the model of this log, with ids of the same type"
                )


def place_shares(left: Bools, scores: Float64, rank: int, exploration: Exploration | None) -> Float64:
    """(n_lists, pool) probabilities with which each of the pool's items is shown at a place.

    left: (n_lists, pool), which are not in the list yet; the pool is in the order of scores, best first.
    scores: (n_lists, pool).  rank: the place, from 1.  Without exploration, and before its ``from_rank``, the
    best that is left stands there. All 0 where nothing is left.
    """
    best = np.zeros(left.shape)
    some = left.any(axis=1)
    best[np.flatnonzero(some), left[some].argmax(axis=1)] = 1.0
    if exploration is None or rank < exploration.from_rank:
        return best
    if exploration.kind == "epsilon":
        drawn = left.astype(np.float64)
    else:
        masked = np.where(left, scores, -np.inf)
        top = np.where(some, masked.max(axis=1), 0.0)
        drawn = np.exp((masked - top[:, None]) / exploration.temperature)
    drawn /= np.maximum(drawn.sum(axis=1, keepdims=True), 1e-300)
    return exploration.share * drawn + (1 - exploration.share) * best
