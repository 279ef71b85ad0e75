"""The k best items of many users, a block of users at a time: memory grows with the block alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from isotherm.checks import truth, whole
from isotherm.memory import users_per_block
from isotherm.models.requests.catalogue import Catalogue
from isotherm.models.requests.item_filter import ItemFilter
from isotherm.models.requests.recommendations import answers
from isotherm.models.requests.requested import Requested
from isotherm.models.requests.scores import note_fallback
from isotherm.models.scorer import Scorer
from isotherm.types import Int64, UserItems

_ROWS = 2**19  # of a block's frame


@dataclass(frozen=True)
class Audience:
    """Whom to answer, their histories taken when they are needed.

    ids: (n,) as they come back.  histories: of the users at some positions, (n_positions, n_items) CSR.
    positions: (n,) where each stood among those who were given.
    """

    ids: pl.Series
    histories: Callable[[Int64], UserItems]
    positions: Int64

    @classmethod
    def of_users(cls, model: Scorer, ids: pl.Series, rows: Int64, skip: bool) -> "Audience":
        """Fitted users by their rows; of row -1, without a history.  skip: whether to leave these out."""
        positions = np.flatnonzero(rows >= 0) if skip else np.arange(len(rows))
        if len(positions) < len(rows):
            ids, rows = ids.gather(positions), rows[positions]
        return cls(ids, lambda block: model.histories_of(rows[block]), positions)

    @classmethod
    def of_histories(cls, requested: Requested) -> "Audience":
        """Unseen users."""
        histories = requested.histories
        return cls(requested.ids, lambda block: histories[block], requested.positions)

    def block(self, users: Int64) -> Requested:
        """Some users, as a request of their own."""
        return Requested(self.ids.gather(users), self.histories(users), users, len(self.ids))


@dataclass(frozen=True)
class ListOptions:
    """What is wanted.  k: items a user.  exclude_seen: whether clicked ones are left out.  titles: whether
    columns for people follow.
    """

    k: int
    exclude_seen: bool
    titles: bool

    @classmethod
    def checked(cls, k: int, exclude_seen: bool, titles: bool) -> "ListOptions":
        """Raises ParameterError."""
        return cls(whole("k", k, 1), truth("exclude_seen", exclude_seen), truth("titles", titles))


def default_block(n_items: int, k: int) -> int:
    """Users of a block: some whole blocks of scoring, so that their lists have about half a million rows."""
    scored = users_per_block(n_items)
    return scored * max(_ROWS // (min(k, n_items) * scored), 1)


def recommendation_blocks(
    model: Scorer,
    audience: Audience,
    options: ListOptions,
    shown: ItemFilter,
    size: int | None,
    first: int,
) -> Iterator[pl.DataFrame]:
    """The lists of ``size`` users at a time, from block ``first`` on; of nobody, one empty frame.

    Raises ParameterError, at once.
    """
    size = default_block(model.n_items, options.k) if size is None else whole("users_per_block", size, 1)
    return _blocks(model, audience, options, shown, size, whole("first_block", first, 0))


def _blocks(
    model: Scorer, audience: Audience, options: ListOptions, shown: ItemFilter, size: int, first: int
) -> Iterator[pl.DataFrame]:
    catalogue = Catalogue.of(model) if options.titles else None
    n, begun = len(audience.ids), first * size
    by_popularity = np.zeros(n, dtype=bool)
    for begin in range(begun, max(n, 1), size):
        users = np.arange(begin, min(begin + size, n))
        filtered = shown.take(audience.positions[users])
        block = audience.block(users)
        lists = answers(model, block, options.k, options.exclude_seen, filtered, catalogue)
        by_popularity[users] = lists[1]
        yield lists[0]
    note_fallback(by_popularity[begun:])
