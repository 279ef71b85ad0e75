"""What was shown and clicked of each item, by arm, of users who count; and by random groups of users."""

from typing import Any

import numpy as np
import polars as pl

from isotherm.experiment.log.clicks import SHOWN
from isotherm.experiment.log.columns import Reader
from isotherm.experiment.log.items import ItemSums
from isotherm.streams import stream
from isotherm.types import Array, Int64

_GROUPS = 20  # random groups that the users of the smallest arm are split into, or more
_MOST_USERS = 1_000  # of a group: the more, the likelier that each group is shown all items
_MOST_GROUPS = 100  # of an arm


def item_sums(reader: Reader, n_arms: int, kept: Int64, arm: Array) -> ItemSums:
    """Sums of items.  kept: numbers of the users who count.  arm: theirs."""
    group = random_groups(np.asarray(arm), n_arms)
    users = {"u": kept.astype(np.int32), "arm": np.asarray(arm, dtype=np.int32), "part": group}
    reader.db.register("kept_users", pl.DataFrame(users).to_arrow())
    reader.run(
        f"""CREATE TABLE item_parts AS SELECT item, arm, part, sum(shown) AS shown, sum(clicks) AS clicks,
        sum(cold_shown) AS cold_shown, sum(cold_clicks) AS cold_clicks FROM (
            SELECT item, arm, part, count(*) AS shown, 0 AS clicks, count(*) FILTER (cold) AS cold_shown,
            0 AS cold_clicks FROM distinct_events JOIN kept_users USING (u) WHERE day >= 0 AND {SHOWN}
            GROUP BY item, arm, part
        UNION ALL SELECT item, arm, part, 0, clicks, 0, clicks * cold FROM clicked JOIN kept_users USING (u))
        GROUP BY item, arm, part"""
    )
    reader.db.unregister("kept_users")
    table = _frame(
        reader,
        """SELECT item, arm, sum(shown)::DOUBLE, sum(clicks)::DOUBLE, sum(cold_shown)::DOUBLE,
        sum(cold_clicks)::DOUBLE FROM item_parts GROUP BY item, arm ORDER BY item""",
    )
    ids = table[:, 0].rename("item_id")
    place, arms = ids.rle_id().to_numpy(), table["arm"].to_numpy()
    sums = np.zeros((4, ids.n_unique(), n_arms))
    for number, column in enumerate(table.columns[2:]):
        sums[number, place, arms] = table[column].to_numpy()
    shown, clicks, cold_shown, cold_clicks = sums
    covered = _covered(reader, group, n_arms, arm)
    return ItemSums(ids.unique(maintain_order=True), shown, clicks, cold_shown, cold_clicks, covered)


def random_groups(arm: Array, n_arms: int) -> Array:
    """(n_users,) the group of each user within the arm; -1 for those left over: all groups have one size.

    20 groups of the smallest arm, and of a large one up to 100 of 1,000 users each; no group at all where an
    arm has fewer than 20 users.
    """
    groups = np.full(len(arm), -1, dtype=np.int32)
    size = min(int(np.bincount(arm, minlength=n_arms).min()) // _GROUPS, _MOST_USERS)
    for number in range(n_arms if size else 0):
        users = stream(0, "groups of users", number).permutation(np.flatnonzero(arm == number))
        whole = min(len(users) // size, _MOST_GROUPS) * size
        groups[users[:whole]] = np.arange(whole) // size
    return groups


def _covered(reader: Reader, group: Array, n_arms: int, arm: Array) -> tuple[Int64, ...]:
    """For each arm the distinct items shown to each of its groups; empty where there are no groups."""
    if not (group >= 0).any():
        return ()
    shown = _frame(
        reader,
        "SELECT arm, part, count(*) AS n FROM item_parts WHERE part >= 0 AND shown > 0 GROUP BY arm, part",
    )
    covered = [np.zeros(group[arm == number].max() + 1, dtype=np.int64) for number in range(n_arms)]
    for number, part, n in shown.iter_rows():
        covered[number][part] = n
    return tuple(covered)


def _frame(reader: Reader, query: str) -> pl.DataFrame:
    answer: Any = pl.from_arrow(reader.db.sql(query).to_arrow_table())
    return answer  # type: ignore[no-any-return]
