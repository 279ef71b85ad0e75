"""Adds up moments of users by day and arm, a block of users at a time."""

import numpy as np

from isotherm.experiment.log.daily import Daily, Moments
from isotherm.experiment.log.user_days import OF_DAY, Block, in_units
from isotherm.experiment.log.users import DERIVED, MEASURES
from isotherm.types import Bools, Float64, Int64

COLUMNS = MEASURES + DERIVED  #: of all moments: seven of the day, three of the time before, converted
_CONVERSIONS = OF_DAY.index("conversions")
_BEFORE = slice(len(OF_DAY), len(MEASURES))


class DailySums:
    """Moments so far.  n_days, n_arms: of the experiment."""

    def __init__(self, n_days: int, n_arms: int) -> None:
        self._n_arms = n_arms
        self._to_date = _Sums(n_days, n_arms)
        self._of_day = _Sums(n_days, n_arms)
        self._since = _Sums(n_days, n_arms)
        #: what came before the first exposure: by its day, and by the days that were left from it on
        self._before = _Sums(n_days, n_arms)
        self._before_left = _Sums(n_days, n_arms)
        self._n_days = n_days

    def add(self, block: Block, kept: Bools, before: Float64) -> None:
        """Add a block.  kept: (n_users,) who counts.  before: (n_users, 3) in counts and seconds."""
        rows = np.flatnonzero((block.day >= 0) & kept[block.user])
        user, day, done = block.user[rows], block.day[rows], block.done[rows]
        arm, first = block.arm[user], block.first[user]
        begins = np.diff(user, prepend=-1) != 0
        so_far = _cumulative(done, begins)
        previous = _with_before(so_far - done, before[user])
        previous[begins] = 0
        self._to_date.add(day, arm, _with_before(so_far, before[user]), previous)
        of_day = _with_before(done, before[user])
        self._of_day.add(day, arm, of_day)
        self._since.add(day - first, arm, of_day)
        users = np.flatnonzero(kept)
        alone = np.zeros((len(users), len(COLUMNS)))
        alone[:, _BEFORE] = before[users]
        self._before.add(block.first[users], block.arm[users], alone)
        self._before_left.add(self._n_days - 1 - block.first[users], block.arm[users], alone)

    def daily(self) -> Daily:
        """The moments of all blocks."""
        exposed = self._before.added_up()
        left = self._before_left.added_up(backwards=True)
        to_date = self._to_date.added_up()
        return Daily(
            Moments(COLUMNS, exposed.n, to_date.sums, to_date.products),
            _joined(self._of_day, exposed),
            _joined(self._since, left),
        )


class _Sums:
    """Users, sums and products by (day, arm)."""

    def __init__(self, n_days: int, n_arms: int) -> None:
        self.n: Int64 = np.zeros((n_days, n_arms), dtype=np.int64)
        self.sums: Float64 = np.zeros((n_days, n_arms, len(COLUMNS)))
        self.products: Float64 = np.zeros((n_days, n_arms, len(COLUMNS), len(COLUMNS)))

    def add(self, day: Int64, arm: Int64, values: Float64, less: Float64 | None = None) -> None:
        """Add rows; of ``less``, if given, what these rows replace."""
        n_arms = self.n.shape[1]
        key = day * n_arms + arm
        order = np.argsort(key, kind="stable")
        edges = np.searchsorted(key[order], np.arange(self.n.size + 1))
        for place in np.flatnonzero(np.diff(edges)):
            at = divmod(int(place), n_arms)
            rows = order[edges[place] : edges[place + 1]]
            self.n[at] += len(rows)
            self.sums[at] += values[rows].sum(axis=0)
            self.products[at] += values[rows].T @ values[rows]
            if less is not None:
                self.sums[at] -= less[rows].sum(axis=0)
                self.products[at] -= less[rows].T @ less[rows]

    def added_up(self, backwards: bool = False) -> "_Sums":
        """Of each day and all before it; backwards, of each day and all after it."""
        step = -1 if backwards else 1
        total = _Sums(*self.n.shape)
        total.n = self.n[::step].cumsum(axis=0)[::step]
        total.sums = self.sums[::step].cumsum(axis=0)[::step]
        total.products = self.products[::step].cumsum(axis=0)[::step]
        return total


def _joined(of_day: _Sums, users: _Sums) -> Moments:
    """Moments over users of whom only those who did something that day are in ``of_day``.

    What came before the first exposure counts for the others, too: it is as in ``users``.
    """
    sums, products = of_day.sums.copy(), of_day.products.copy()
    sums[:, :, _BEFORE] = users.sums[:, :, _BEFORE]
    products[:, :, _BEFORE, _BEFORE] = users.products[:, :, _BEFORE, _BEFORE]
    return Moments(COLUMNS, users.n, sums, products)


def _cumulative(done: Int64, begins: Bools) -> Int64:
    """(n_rows, 7) sums of each user's rows up to each of them.  begins: the first rows of users."""
    sums = done.cumsum(axis=0)
    starts = np.flatnonzero(begins)
    lengths = np.diff(starts, append=len(done))
    return np.asarray(sums - np.repeat((sums - done)[starts], lengths, axis=0))


def _with_before(done: Int64, before: Float64) -> Float64:
    """(n_rows, columns) what was done, what came before, and whether there is a conversion."""
    converted = done[:, _CONVERSIONS, None] > 0
    return np.concatenate([in_units(done), before, converted], axis=1)
