"""What was shown and clicked of each item, by arm, of users who count."""

from typing import Any

import numpy as np
import polars as pl

from isotherm.experiment.log.clicks import SHOWN
from isotherm.experiment.log.columns import Reader
from isotherm.experiment.log.items import ItemSums
from isotherm.types import Array, Float64


def item_sums(reader: Reader, n_arms: int, kept: Array) -> ItemSums:
    """Sums of items.  kept: numbers of the users who count."""
    reader.db.register("kept_users", pl.DataFrame({"u": kept.astype(np.int32)}).to_arrow())
    answer = reader.db.sql(
        f"""SELECT item, arm, sum(shown)::DOUBLE, sum(clicks)::DOUBLE, sum(cold_shown)::DOUBLE,
        sum(cold_clicks)::DOUBLE FROM (
            SELECT u, item, 1 AS shown, 0 AS clicks, cold::INTEGER AS cold_shown, 0 AS cold_clicks
            FROM distinct_events WHERE day >= 0 AND {SHOWN}
        UNION ALL SELECT u, item, 0, clicks, 0, clicks * cold FROM clicked)
        SEMI JOIN kept_users USING (u) JOIN (SELECT u, arm FROM assigned) USING (u)
        GROUP BY item, arm ORDER BY item"""
    ).to_arrow_table()
    reader.db.unregister("kept_users")
    table: Any = pl.from_arrow(answer)
    ids = table[:, 0].rename("item_id")
    items = ids.unique(maintain_order=True)
    place = ids.rle_id().to_numpy()
    sums: list[Float64] = []
    for column in table.columns[2:]:
        sums.append(np.zeros((len(items), n_arms)))
        sums[-1][place, table["arm"].to_numpy()] = table[column].to_numpy()
    impressions, clicks, cold_impressions, cold_clicks = sums
    return ItemSums(items, impressions, clicks, cold_impressions, cold_clicks)
