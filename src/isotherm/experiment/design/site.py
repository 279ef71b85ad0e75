"""The users of a site as an experiment would have met them: exposed by their first event of the last days.

What they did before is the time before the experiment, for CUPED. Nothing was changed and there is one arm.
"""

import tempfile
from pathlib import Path

from isotherm.checks import whole
from isotherm.data.reading.source_files import Source
from isotherm.errors import EventLogError
from isotherm.experiment.log import EventLog, Rules, Users, Window, read_users
from isotherm.experiment.log.columns import Reader, source
from isotherm.experiment.log.sources import NUMBERED, Table
from isotherm.experiment.log.window import DAY, SECOND
from isotherm.experiment.log.workspace import reading_memory, workspace

SITE = "site"  #: name of the one arm, and of the experiment
_LONGEST = 28  # days, where they are not given


def site_users(
    events: Source, exposures: Source | None = None, days: int | None = None, rules: Rules | None = None
) -> Users:
    """Users of an event log.

    events, exposures: Parquet files, folders or globs.  days: how many of the last (UTC) are taken as the
    experiment; None for half of those that the log has, 28 at most. Raises EventLogError.
    """
    table = Table.of("events", events)
    lists = None if exposures is None else Table.of("exposures", exposures)
    with tempfile.TemporaryDirectory(prefix="isotherm-experiment-") as folder:
        assignments = Path(folder) / "assignments.parquet"
        start = _write_assignments(table, assignments, days)
        log = EventLog(table, Table.of("assignments", assignments), lists)
        return read_users(log, Window(SITE, (SITE,), start), rules)


def _write_assignments(table: Table, path: Path, days: int | None) -> float:
    """All in one arm from their first event of the last days on; returns the start, seconds since 1970."""
    import pyarrow.parquet as pq

    with workspace(list(table.files), reading_memory()) as db:
        reader = Reader.of(db, EventLog(table, table))
        time = f"least({reader.time(table)}, {reader.time(table, 'received')})"  # some clocks are ahead
        first, last = db.execute(f"SELECT min({time}), max({time}) FROM {source(table)}").fetchall()[0]
        if last is None:
            raise EventLogError(f"{table.files[0]}: holds no event with a time; give a log with events")
        known = last // DAY - first // DAY + 1
        taken = min(-(-known // 2), _LONGEST) if days is None else whole("days", days, 1)
        if days is not None and taken > known:
            raise EventLogError(f"{table.files[0]}: the log has {known} days, not {taken}; give fewer days")
        start = (last // DAY - taken + 1) * DAY
        ids = ", ".join(name for name in ("user_id", "user_id" + NUMBERED) if name in table.kinds)
        pq.write_table(
            db.sql(
                f"SELECT '{SITE}' AS experiment, '{SITE}' AS arm, {ids}, 'hash' AS reason, "
                f"make_timestamp(min({time})) AS timestamp FROM {source(table)} "
                f"WHERE {time} >= {start} AND user_id IS NOT NULL GROUP BY {ids}"
            ).to_arrow_table(),
            path,
        )
    return float(start / SECOND)
