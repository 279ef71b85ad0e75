"""Which of two interleaved models the users prefer.

A list is won by the team whose items got more (Radlinski et al. 2008); lists without a winner say nothing.
The preference is the second model's share of the lists that were won. Lists of one user are alike, so a user
is one unit: the share is a ratio of sums over users, and its standard error that of the delta method with
users as clusters.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isotherm.checks import between
from isotherm.errors import InteractionsError
from isotherm.experiment.student_t import LEVEL, student_t
from isotherm.types import Float64, Int64

_EVEN = 0.5
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Wins:
    """What the teams got, list by list.

    users: (n_lists,) int64, which user saw the list, from 0.  first, second: (n_lists,) float64 >= 0, what
    the items of each team got.
    """

    users: Int64
    first: Float64
    second: Float64


@dataclass(frozen=True)
class Preference:
    """Which of two models the users prefer."""

    share: float  #: of the lists with a winner, those that the second model won; 0.5: neither is better
    low: float  #: end of the 95% interval, at least 0
    high: float  #: the other end, at most 1
    p: float  #: of no preference, two-sided: below 0.05 where the interval leaves 0.5 out
    click_share: float  #: the second model's share of what the items of both got
    lists: int  #: how many were shown
    won: tuple[int, int]  #: lists that the first and the second model won
    users: int  #: with at least one list that has a winner: the units of the test
    deviation: float  #: standard deviation of the share, times the square root of users

    def users_needed(self, power: float = 0.8, share: float | None = None, level: float = 0.05) -> int:
        """Users with a winner until a preference is found with this probability.

        share: the true share, that of this comparison by default.  level: of the two-sided test.
        Raises ParameterError where the share is 0.5, which no number of users tells from 0.5.
        """
        from scipy.stats import norm

        power = between("power", power, 0, 1, "()")
        level = between("level", level, 0, 1, "()")
        distance = between("share", self.share if share is None else share, 0, 1) - _EVEN
        between("share − 0.5, without its sign,", abs(distance), 0, 1, "(]")
        quantiles = float(norm.ppf(1 - level / 2) + norm.ppf(power))
        return max(2, math.ceil((quantiles * self.deviation / distance) ** 2))

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def compare(wins: Wins) -> Preference:
    """The preference of users, with its interval and p by Student's t over users.

    Where all users agree wholly, their signs decide (``student_t``), and the interval is [0, 1] where p is
    0.05 or more.
    Raises InteractionsError where no list has a winner.
    """
    ours, theirs = (wins.second > wins.first).astype(float), (wins.first > wins.second).astype(float)
    _, users = np.unique(wins.users, return_inverse=True)
    won: Float64 = np.bincount(users, ours).astype(np.float64)
    decided: Float64 = won + np.bincount(users, theirs)
    won, decided = won[decided > 0], decided[decided > 0]
    if not len(decided):
        raise InteractionsError(
            "no interleaved list has a winner: nothing can be compared until one team gets more clicks than "
            "the other; wait for clicks, or check that events and exposures are of the same users"
        )
    share = float(won.sum() / decided.sum())
    deviation = _deviation(won, decided, share)
    low, high, p = _interval(share, deviation, len(decided))
    credited = float(wins.first.sum() + wins.second.sum())
    return Preference(
        share, low, high, p,
        float(wins.second.sum()) / credited,
        len(wins.users),
        (int(theirs.sum()), int(ours.sum())),
        len(decided),
        deviation,
    )  # fmt: skip


def _deviation(won: Float64, decided: Float64, share: float) -> float:
    """√n times the standard error of a ratio of sums over n users (delta method); 0 for one user."""
    n = len(won)
    if n < 2:
        return 0.0
    residuals = (won - share * decided) / decided.mean()
    return float(np.sqrt(np.square(residuals).sum() / (n - 1)))


def _interval(share: float, deviation: float, n: int) -> tuple[float, float, float]:
    """Low, high and p of a share over n users."""
    apart, error = share - _EVEN, deviation / math.sqrt(n)
    if deviation <= _ROUNDING:
        apart, error = apart if abs(apart) > _ROUNDING else 0.0, 0.0
    half, p = student_t(apart, error, n)
    if not error and p >= 1 - LEVEL:
        return 0.0, 1.0, p
    return max(0.0, share - half), min(1.0, share + half), p
