"""Counts of events by the rules they met."""

from isotherm.experiment.log.columns import Reader
from isotherm.experiment.log.event_table import (
    AFTER_END,
    BEFORE,
    CLICK,
    LISTED,
    OTHER,
    TOO_EARLY,
    WATCH,
)

_ORDER = f"""SELECT count(*) FROM (SELECT time, max(time) OVER (PARTITION BY u ORDER BY received
    RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS latest FROM distinct_events
    WHERE u IS NOT NULL AND type <> {LISTED}) WHERE latest > time"""


def counts_of_events(reader: Reader) -> dict[str, int]:
    """Name of a count in ``Counts`` -> how many."""
    conditions = {
        "late": "late",
        "future": "future",
        "other_types": f"type = {OTHER}",
        "without_value": f"type = {WATCH} AND micros IS NULL",
        "without_exposure": "u IS NULL",
        "before_exposure": f"day = {BEFORE}",
        "before_window": f"day = {TOO_EARLY}",
        "after_end": f"day = {AFTER_END}",
        "measured": "day >= 0",
        "measured_clicks": f"day >= 0 AND type = {CLICK}",
    }
    asked = ", ".join(
        f"count(*) FILTER (WHERE {condition}) AS {name}" for name, condition in conditions.items()
    )
    found = reader.row(f"SELECT count(*), {asked} FROM distinct_events WHERE type <> {LISTED}")
    counts = dict(zip(("distinct_rows", *conditions), found, strict=True))
    rows = reader.log.events.rows
    attributed, clicked = reader.row(
        "SELECT coalesce(sum(attributed), 0)::BIGINT, count(DISTINCT (u, item, shown)) FROM clicked"
    )
    return {
        **{name: counts[name] for name in conditions if name != "measured_clicks"},
        "rows": rows,
        "repeated": rows - counts["distinct_rows"],
        "out_of_order": reader.row(_ORDER)[0],
        "unattributed_clicks": counts["measured_clicks"] - attributed,
        "repeated_clicks": attributed - clicked,
    }
