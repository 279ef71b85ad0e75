"""What happened, as the tables of an event log: written by this process, or by a server and set to simulated
times.

A server writes the time of its own clock to what it logs itself (lists, first exposures). All days of the
practice platform pass within minutes, so its rows get the time at which the viewer came on the simulated day.
The times of events are the viewers' own, and stay.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from isotherm.errors import EventLogError
from isotherm.experiment.practice.days import Done
from isotherm.experiment.practice.titles import Titles
from isotherm.experiment.practice.viewers import DAY, FIRST_ID, Viewers
from isotherm.types import Array, Float64, Int32, Int64

Tables = dict[str, pl.DataFrame]
_TO_NEXT = 15  # seconds between looks at places of a list


def events_before(viewers: Viewers, titles: Titles, start: float, seed: int) -> pl.DataFrame:
    """Clicks before the first day: event_id, type, user_id, item_id, time (seconds since 1970), value."""
    viewer, title, time = viewers.watched_before(seed)
    return _events("before", "click", viewers.ids[viewer], titles.ids.gather(title), start + time, None)


def events_of(done: Done, viewers: Viewers, titles: Titles, start: float) -> pl.DataFrame:
    """Clicks, and for each the seconds watched, and conversions."""
    row, place = np.nonzero(done.clicked)
    time = start + done.day[row] * DAY + done.second[row] + (place + 1) * _TO_NEXT
    users, items = viewers.ids[done.viewer[row]], titles.ids.gather(done.shown[row, place])
    of_day = pl.Series(done.day[row]).cast(pl.String)
    bought = done.bought[row, place]
    some = np.flatnonzero(bought)
    return pl.concat(
        [
            _events(of_day, "click", users, items, time, None),
            _events(of_day, "watch", users, items, time + 1, done.watched[row, place]),
            _events(of_day.gather(some), "conversion", users[some], items.gather(some), time[some] + 2, None),
        ]
    )


def _events(
    place: pl.Series | str, kind: str, users: Int64, items: pl.Series, time: Float64, value: Float64 | None
) -> pl.DataFrame:
    """One type.  place: what sets apart the same type, user and item."""
    columns = {"user_id": users, "item_id": items, "time": time}
    values = pl.lit(None, dtype=pl.Float64) if value is None else pl.Series(value, dtype=pl.Float64)
    where = pl.lit(place) if isinstance(place, str) else place
    frame = pl.DataFrame(columns).with_columns(value=values, type=pl.lit(kind), place=where)
    event = pl.format("{}-{}-{}-{}", "type", "place", "user_id", "item_id")
    return frame.select(event.alias("event_id"), "type", "user_id", "item_id", "time", "value")


def own_tables(
    done: Done,
    events: pl.DataFrame,
    viewers: Viewers,
    titles: Titles,
    of: tuple[str, Sequence[str], Int64, float],
) -> Tables:
    """The log of a run without a server.  of: name of the experiment, its arms, (n_viewers,) the place of
    each viewer's arm, start in seconds since 1970."""
    experiment, arms, arm, start = of
    time = start + done.day * DAY + done.second
    exposures = pl.DataFrame(
        {
            "request_id": [f"{day}-{viewer}" for day, viewer in zip(done.day, done.viewer, strict=True)],
            "user_id": viewers.ids[done.viewer],
            "arm": pl.Series([arms[place] for place in arm[done.viewer]]),
            "timestamp": _moments(time),
            "items": [titles.ids.gather(shown[shown >= 0]).to_list() for shown in done.shown],
            "cold": _cold_ranks(done.shown, titles),
        }
    ).with_columns(experiment=pl.lit(experiment))
    first = exposures.sort("timestamp").unique("user_id", keep="first", maintain_order=True)
    assignments = first.select("experiment", "arm", "user_id", "timestamp", reason=pl.lit("hash"))
    return {"events": _timed(events), "assignments": assignments, "exposures": exposures}


def _cold_ranks(shown: Int32, titles: Titles) -> list[list[int]]:
    cold = (shown >= 0) & (titles.comes[shown] >= 0)
    return [(np.flatnonzero(each) + 1).tolist() for each in cold]


def _timed(events: pl.DataFrame) -> pl.DataFrame:
    """Events as a log has them: each received a second after its time."""
    time = events["time"].to_numpy()
    received = {"timestamp": _moments(time), "received": _moments(time + 1)}
    return events.drop("time").with_columns(**received)


def served_tables(exported: Path, began: Sequence[float], comings: Float64, start: float) -> Tables:
    """The log that a server exported, at simulated times.

    began: seconds since 1970 at which each simulated day really began, and at which the last one ended.
    comings: (n_viewers, days) second of the day at which each viewer came.
    Raises EventLogError where the server logged a list that no viewer asked for.
    """
    events = pl.read_parquet(exported / "events-*.parquet")
    tables = {
        "events": events.with_columns(received=pl.col("timestamp") + pl.duration(seconds=1)).drop(
            "late", "future"
        )
    }
    for name in ("assignments", "exposures"):
        table = pl.read_parquet(exported / name / "*.parquet")
        day = np.searchsorted(began, table["timestamp"].dt.epoch("us").to_numpy() / 1e6, side="right") - 1
        viewer = table["user_id"].to_numpy() - FIRST_ID
        inside = (day >= 0) & (day < comings.shape[1])
        second = comings[viewer, np.where(inside, day, 0)]
        if not inside.all() or np.isnan(second).any():
            raise EventLogError(
                f"{name}: the server logged what no viewer asked for; use a database of its own"
            )
        tables[name] = table.with_columns(timestamp=_moments(start + day * DAY + second))
    return tables


def write_tables(tables: Tables, folder: Path) -> None:
    """Each as NAME.parquet, as ``EventLog.of_folder`` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")


def _moments(seconds: Array) -> pl.Series:
    """Seconds since 1970 as times in UTC."""
    return pl.Series(np.round(seconds * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC"))
