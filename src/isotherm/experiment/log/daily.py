"""Sums, and sums of products, of what users did: a row for each day and arm."""

from dataclasses import dataclass

from isotherm.types import Float64, Int64


@dataclass(frozen=True, eq=False)
class Moments:
    """First and second moments over users of several columns, by day and arm.

    From them follow means, ratios of sums, their variances by the delta method, and CUPED.
    """

    columns: tuple[str, ...]  #: names, as in ``Users``
    n: Int64  #: (days, arms) users
    sums: Float64  #: (days, arms, columns) Σ x over these users
    products: Float64  #: (days, arms, columns, columns) Σ x·y over these users

    def index(self, column: str) -> int:
        """The place of a column. Raises ValueError where there is none of that name."""
        return self.columns.index(column)


@dataclass(frozen=True, eq=False)
class Daily:
    """The columns of users day by day. Flagged users (bots, several arms) are left out.

    Columns on what came before the first exposure are the same on each day of a user.
    """

    to_date: Moments  #: by day of the experiment: all that users did up to its end; users exposed by then
    of_day: Moments  #: by day of the experiment: what users did on it; users exposed by then
    since_first: Moments  #: by days since the first exposure: what users did on it; users with such a day
