"""What is known of each user of an experiment: a row for a user, a column for what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import polars as pl

from isotherm.errors import ParameterError, brief
from isotherm.experiment.log.counts import Counts
from isotherm.experiment.log.daily import Daily
from isotherm.experiment.log.items import ItemSums
from isotherm.types import Bools, Float64, Int32

#: columns of ``Users`` that metrics read, all float64
MEASURES = (
    "impressions",
    "clicks",
    "clicks_on_shown",
    "watch_seconds",
    "conversions",
    "cold_impressions",
    "cold_clicks",
    "before_impressions",
    "before_clicks",
    "before_watch",
)
DERIVED = ("converted",)  #: columns that follow from others
GROUPS = ("fewer", "5-10", "11-50", "51-100", "100+")  #: of users, by clicks before their first exposure
_LEAST = (5, 11, 51, 101)  # clicks of the groups after the first
_FLAGS = ("bot", "outlier", "several_arms")


@dataclass(frozen=True, eq=False)
class Users:
    """Exposed users of an experiment, in the order of their ids: (n_users,) each column.

    What is counted is counted from the first exposure of a user to the end of the experiment; ``before_…`` is
    what the log holds from before that exposure. Flagged users are in it; ``kept`` leaves them out.
    """

    arms: tuple[str, ...]  #: names, the control first
    ids: pl.Series  #: of the users
    arm: Int32  #: place in ``arms``: of the first exposure
    first: Int32  #: day of the first exposure, 0 for that of the experiment's start (UTC)
    impressions: Float64  #: items shown
    clicks: Float64  #: all clicks
    clicks_on_shown: Float64  #: clicks on impressions, at most one each
    watch_seconds: Float64
    conversions: Float64  #: events of type conversion
    cold_impressions: Float64  #: impressions of items while they were cold
    cold_clicks: Float64  #: clicks on such impressions, at most one each
    before_impressions: Float64
    before_clicks: Float64
    before_watch: Float64  #: seconds
    clicks_before_group: Int32  #: place in GROUPS
    bot: Bools
    outlier: Bools  #: above a cap
    several_arms: Bools
    weights: Int32 | None = None  #: version of the plan's weights that drew the arm, -1 or None: not known
    caps: Mapping[str, float] = field(default_factory=dict)  #: column -> winsorising threshold, of all arms
    days: int = 1  #: of the experiment, up to its last measured one
    daily: Daily | None = None
    items: ItemSums | None = None
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def of(cls, arms: tuple[str, ...], arm: Any, **columns: Any) -> "Users":
        """Users with the columns given; the others are zero, ids count from 0, and groups follow from
        ``before_clicks``.

        arm: (n_users,) places in ``arms``.

        >>> from isotherm.experiment.log import Users
        >>> Users.of(("a", "b"), [0, 1], clicks=[3, 4]).clicks
        array([3., 4.])
        """
        n = len(arm)
        known = {each.name for each in fields(cls)}
        unknown = [name for name in columns if name not in known]
        if unknown:
            raise ParameterError(f"{brief(unknown[0])} is no column of users")
        made: dict[str, Any] = {name: np.zeros(n) for name in MEASURES}
        made |= {name: np.zeros(n, dtype=bool) for name in _FLAGS}
        made |= {"ids": pl.Series("user_id", np.arange(n)), "first": np.zeros(n, dtype=np.int32)}
        for name, values in columns.items():
            made[name] = np.asarray(values, dtype=made[name].dtype) if name in MEASURES + _FLAGS else values
        made.setdefault("clicks_before_group", group_of(made["before_clicks"]))
        return cls(arms=arms, arm=np.asarray(arm, dtype=np.int32), **made)

    def __len__(self) -> int:
        return len(self.arm)

    def column(self, name: str) -> Float64:
        """(n_users,) a column of MEASURES, or a derived one: ``converted``, 1 for users with a conversion.

        Raises ParameterError for another name.
        """
        if name == "converted":
            return (self.conversions > 0).astype(np.float64)
        if name not in MEASURES:
            raise ParameterError(f"{brief(name)} is no column; they are {', '.join(MEASURES + DERIVED)}")
        return np.asarray(getattr(self, name))

    def capped(self, name: str) -> Float64:
        """A column, winsorised: no value above the column's cap."""
        return np.minimum(self.column(name), self.caps.get(name, np.inf))

    @property
    def kept(self) -> "Users":
        """Without bots and users in several arms; outliers stay."""
        return self.take(~(self.bot | self.several_arms))

    def take(self, chosen: Any) -> "Users":
        """Some rows (a mask, or places in any order, also repeated); all else stays as it is."""
        rows = np.asarray(chosen)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        others = ("arms", "ids", "weights", "caps", "days", "daily", "items", "counts")
        taken = {
            each.name: getattr(self, each.name)[rows] for each in fields(self) if each.name not in others
        }
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, ids=self.ids[rows], weights=weights, **taken)


def group_of(clicks: Any) -> Int32:
    """(n_users,) the place in GROUPS of users with so many clicks before their first exposure.

    >>> from isotherm.experiment.log import group_of
    >>> group_of([0, 4, 5, 10, 11, 50, 51, 100, 101])
    array([0, 0, 1, 1, 2, 2, 3, 3, 4], dtype=int32)
    """
    return np.searchsorted(_LEAST, np.asarray(clicks), side="right").astype(np.int32)
