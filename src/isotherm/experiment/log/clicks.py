"""Which clicks count for which impressions, and who clicks faster than a person."""

from isotherm.experiment.log.columns import Reader
from isotherm.experiment.log.event_table import CLICK, IMPRESSION, LISTED
from isotherm.experiment.log.rules import Rules
from isotherm.experiment.log.window import SECOND

SHOWN = f"type IN ({IMPRESSION}, {LISTED})"


def make_clicked(reader: Reader, rules: Rules) -> None:
    """Make the table clicked (u, item, day, clicks, shown, cold, attributed): impressions that were clicked.

    A click counts for the last impression of its item to its user at or before it, if that is no older than
    ``rules.click_hours``; both are of the experiment's days.  clicks: 1, or the number of clicks where
    repeated clicks count.  day: of the first click, or of those counted.  shown: tells an
    impression from others of its item.  attributed: clicks on it.
    """
    once = rules.one_click_an_impression
    day, grouped = ("min(day)", "") if once else ("day", ", day")
    # only what has been clicked at all is put in order: a tenth of the impressions or less
    reader.run(
        f"""CREATE TABLE clicked AS SELECT u, item, {day} AS day, {"1" if once else "count(*)"} AS clicks,
        last AS shown, last & 1 AS cold, count(*) AS attributed FROM (
            SELECT u, item, day, type, time, max(CASE WHEN {SHOWN} THEN time * 2 + cold::INTEGER END)
            OVER (PARTITION BY u, item ORDER BY time) AS last FROM distinct_events SEMI JOIN (
                SELECT DISTINCT u, item FROM distinct_events WHERE type = {CLICK} AND day >= 0)
            USING (u, item)
            WHERE day >= 0 AND ({SHOWN} OR type = {CLICK}))
        WHERE type = {CLICK} AND time - (last - (last & 1)) // 2 <= {round(rules.click_hours * 3600 * SECOND)}
        GROUP BY u, item, last{grouped}"""
    )


def make_fast_clickers(reader: Reader, rules: Rules) -> None:
    """Make the table fast_clickers (u): users with too many clicks within a minute of the clock."""
    reader.run(
        f"CREATE TABLE fast_clickers AS SELECT DISTINCT u FROM (SELECT u FROM distinct_events "
        f"WHERE type = {CLICK} AND day >= 0 GROUP BY u, time // {60 * SECOND} "
        f"HAVING count(*) > {rules.bot_clicks_a_minute})"
    )
