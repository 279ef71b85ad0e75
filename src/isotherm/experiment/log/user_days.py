"""What each user did on each day, a block of users at a time: memory is that of a block, never of a log."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from isotherm.experiment.log.clicks import SHOWN
from isotherm.experiment.log.columns import Reader
from isotherm.experiment.log.event_table import BEFORE, CLICK, CONVERSION, WATCH
from isotherm.experiment.log.users import MEASURES
from isotherm.types import Array, Bools, Float64, Int64

#: columns of a day, in this order; seconds of watching are microseconds here, so that sums are exact
OF_DAY = MEASURES[:7]
_USERS = 250_000  # of a block


@dataclass(frozen=True)
class Block:
    """A block of users and their days, ordered by both; each user has a row for the day of its exposure."""

    arm: Int64  #: (n_users,)
    first: Int64  #: (n_users,) day of the first exposure
    several: Bools  #: (n_users,)
    fast: Bools  #: (n_users,) too many clicks within a minute
    user: Int64  #: (n_rows,) place in the block
    day: Int64  #: (n_rows,) of the experiment, or BEFORE, TOO_EARLY, AFTER_END
    done: Int64  #: (n_rows, 7) OF_DAY

    def totals(self, of: Bools) -> Int64:
        """(n_users, 7) sums over some of the rows."""
        n = len(self.arm)
        rows, user = self.done[of], self.user[of]
        if not len(rows):
            return np.zeros((n, len(OF_DAY)), dtype=np.int64)
        starts = np.flatnonzero(np.diff(user, prepend=-1))
        sums = np.zeros((n, len(OF_DAY)), dtype=np.int64)
        sums[user[starts]] = np.add.reduceat(rows, starts, axis=0)
        return sums

    @property
    def before(self) -> Int64:
        """(n_users, 3) impressions, clicks and microseconds of watching before the first exposure."""
        return self.totals(self.day == BEFORE)[:, [0, 1, 3]]

    @property
    def most_on_a_day(self) -> Int64:
        """(n_users,) impressions of the day with the most of them."""
        most = np.zeros(len(self.arm), dtype=np.int64)
        measured = self.day >= 0
        np.maximum.at(most, self.user[measured], self.done[measured, 0])
        return most


def make_user_days(reader: Reader, first_day: str) -> None:
    """Make the table user_days.  first_day: of a user of assigned, in SQL."""
    of_type = f"coalesce(sum(micros) FILTER (type = {WATCH}), 0)::BIGINT"
    reader.run(
        f"""CREATE TABLE user_days AS SELECT u, day, sum(impressions)::BIGINT, sum(clicks)::BIGINT,
        sum(on_shown)::BIGINT, sum(micros)::BIGINT,
        sum(conversions)::BIGINT, sum(cold)::BIGINT, sum(cold_clicks)::BIGINT FROM (
            SELECT u, day, count(*) FILTER ({SHOWN}) AS impressions,
            count(*) FILTER (type = {CLICK}) AS clicks, 0 AS on_shown, {of_type} AS micros,
            count(*) FILTER (type = {CONVERSION}) AS conversions, count(*) FILTER ({SHOWN} AND cold) AS cold,
            0 AS cold_clicks FROM distinct_events WHERE u IS NOT NULL GROUP BY u, day
        UNION ALL SELECT u, day, 0, 0, clicks, 0, 0, 0, clicks * cold FROM clicked
        UNION ALL SELECT u, {first_day}, 0, 0, 0, 0, 0, 0, 0 FROM assigned)
        GROUP BY u, day"""
    )


def blocks(reader: Reader, n_users: int, first_day: str) -> Iterator[Block]:
    """All users, a block at a time."""
    for begin in range(0, max(n_users, 1), _USERS):
        span = f"u >= {begin} AND u < {begin + _USERS}"
        users = reader.db.execute(
            f"SELECT arm, ({first_day})::INTEGER AS first, several, f.u IS NOT NULL AS fast "
            f"FROM (SELECT * FROM assigned WHERE {span}) AS a LEFT JOIN fast_clickers AS f USING (u) "
            "ORDER BY a.u"
        ).fetchnumpy()
        rows = reader.db.execute(f"SELECT * FROM user_days WHERE {span} ORDER BY u, day").fetchnumpy()
        columns = [np.asarray(each, dtype=np.int64) for each in rows.values()]
        yield Block(
            np.asarray(users["arm"], dtype=np.int64),
            np.asarray(users["first"], dtype=np.int64),
            np.asarray(users["several"], dtype=bool),
            np.asarray(users["fast"], dtype=bool),
            columns[0] - begin,
            columns[1],
            np.stack(columns[2:], axis=1),
        )


def in_units(done: Array) -> Float64:
    """Counts and microseconds (their fourth column) as counts and seconds."""
    values = done.astype(np.float64)
    values[:, 3] /= 1e6
    return values
