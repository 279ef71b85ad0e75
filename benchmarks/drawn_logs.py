"""Event logs of experiments, drawn at random and written as Parquet a day at a time: no more is in memory.

The columns are those of the server's export. Each list of ten is seen as ten impressions, of which a few are
clicked, watched and lead to a conversion; some users do far more than others. Some rows are repeated, late,
or dated in the future.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

START = 1_767_225_600_000_000  #: of the experiment: 2026-01-01, in microseconds
SECOND = 1_000_000
DAY = 86_400 * SECOND
LISTED = 10
CLICKED, WATCHED, CONVERTED = 0.08, 0.6, 0.02
REPEATED, LATE, FUTURE = 0.01, 0.005, 0.0005
EVENTS_OF_A_LIST = LISTED * (1 + CLICKED * (1 + WATCHED + CONVERTED)) * (1 + REPEATED)
ARMS = ("control", "treatment")
NEW_SHARE = 0.05  # of the items: they are cold until the experiment's middle
_TIME = pa.timestamp("us", "UTC")
_TYPES = ("impression", "click", "watch", "conversion")


@dataclass(frozen=True)
class DrawnLog:
    """How large a log is."""

    n_events: int
    n_users: int
    n_items: int = 20_000
    days_before: int = 7
    days: int = 21
    lift: float = 1.05  #: click rate of the treatment over that of the control
    seed: int = 0


def write_log(folder: Path, log: DrawnLog) -> int:
    """Write events/, exposures/ and assignments.parquet below ``folder``. Returns how many events.

    Each user is exposed once at least.
    """
    for name in ("events", "exposures"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(log.seed)
    first = np.full(log.n_users, np.iinfo(np.int64).max)
    written = 0
    for number, users in enumerate(_users_of_days(log, rng)):
        times = START + (number - log.days_before) * DAY + rng.integers(0, DAY, len(users))
        items = (log.n_items * rng.random((len(users), LISTED)) ** 2).astype(np.int64)
        if number >= log.days_before:
            np.minimum.at(first, users, times)
            _write_lists(folder / "exposures" / f"day-{number:03}.parquet", users, times, items, log)
        events = _events(users, times, items, number >= log.days_before, log, rng)
        written += _write_events(folder / "events" / f"day-{number:03}.parquet", events, number, rng)
    columns = {
        "experiment": pa.repeat("new", log.n_users),
        "arm": pa.array(np.array(ARMS)[np.arange(log.n_users) % 2]),
        "user_id": np.arange(log.n_users),
        "timestamp": pa.array(first, _TIME),
        "reason": pa.repeat("hash", log.n_users),
    }
    pq.write_table(pa.table(columns), folder / "assignments.parquet", compression="zstd")
    return written


def _users_of_days(log, rng):
    """For each day the users of its lists: who does much stands there often, and each at least once."""
    n_lists = max(round(log.n_events / EVENTS_OF_A_LIST), 2 * log.n_users)
    activity = rng.lognormal(0, 1, log.n_users).cumsum()
    n_before = n_lists * log.days_before // (log.days_before + log.days)

    def drawn(n):
        return np.searchsorted(activity, rng.random(n) * activity[-1]).astype(np.int64)

    yield from np.array_split(drawn(n_before), max(log.days_before, 1))[: log.days_before]
    once = rng.permutation(log.n_users)
    users = np.concatenate([once, drawn(max(n_lists - n_before - log.n_users, 0))])
    yield from np.array_split(rng.permutation(users), log.days)


def _events(users, times, items, in_experiment, log, rng):
    """Columns of a day: all that was seen, then what was clicked of it, watched of that, and converted."""
    user, item = np.repeat(users, LISTED), items.ravel()
    time = np.repeat(times, LISTED) + SECOND
    rate = np.where(in_experiment & (user % 2 == 1), CLICKED * log.lift, CLICKED)
    clicked = np.flatnonzero(rng.random(len(user)) < rate)
    watched = clicked[rng.random(len(clicked)) < WATCHED]
    converted = clicked[rng.random(len(clicked)) < CONVERTED]
    rows = np.concatenate([np.arange(len(user)), clicked, watched, converted])
    sizes = [len(user), len(clicked), len(watched), len(converted)]
    kind = np.repeat(np.arange(4, dtype=np.int8), sizes)
    later = np.repeat([0, 20, 600, 900], sizes) * rng.random(len(rows))
    value = np.where(kind == 2, np.minimum(rng.lognormal(7, 1.5, len(rows)), 1e6), np.nan)
    return user[rows], item[rows], kind, time[rows] + (later * SECOND).astype(np.int64), value


def _write_events(file, events, number, rng):
    """Write a day in the order of its receipt, with its faults. Returns how many rows."""
    user, item, kind, time, value = events
    n = len(time)
    delay = (rng.exponential(2 * SECOND, n)).astype(np.int64)
    delay[rng.random(n) < LATE] = 2 * DAY
    delay[rng.random(n) < FUTURE] = -3600 * SECOND
    received = time + delay
    order = np.concatenate([np.arange(n), np.flatnonzero(rng.random(n) < REPEATED)])
    order = order[np.argsort(received[order], kind="stable")]
    # a hash of a counter: 16 characters that do not compress, as those of real ids
    hashed = (
        (np.arange(n, dtype=np.uint64) + np.uint64(number << 40)) * np.uint64(0x9E3779B97F4A7C15)
    ).byteswap()
    ids = np.frombuffer(hashed.tobytes().hex().encode(), dtype="S16")
    text = pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), n, [None, pa.py_buffer(ids)])
    columns = {
        "event_id": text.take(pa.array(order)).cast(pa.binary()).cast(pa.string()),
        "user_id": user[order],
        "item_id": item[order],
        "type": pa.DictionaryArray.from_arrays(kind[order], list(_TYPES)).cast(pa.string()),
        "timestamp": pa.array(time[order], _TIME),
        "received": pa.array(received[order], _TIME),
        "value": pa.array(value[order], from_pandas=True),
    }
    pq.write_table(pa.table(columns), file, compression="zstd", row_group_size=250_000)
    return len(order)


def _write_lists(file, users, times, items, log):
    """Write the lists of a day; new items are cold until the experiment's middle."""
    new = items >= log.n_items * (1 - NEW_SHARE)
    cold = new & (times < START + log.days * DAY // 2)[:, None]
    ends = pa.array(np.arange(0, items.size + 1, LISTED, dtype=np.int32))
    columns = {
        "request_id": pa.array(times).cast(pa.string()),
        "user_id": users,
        "experiment": pa.repeat("new", len(users)),
        "arm": pa.array(np.array(ARMS)[users % 2]),
        "model": pa.repeat("ease", len(users)),
        "timestamp": pa.array(times, _TIME),
        "items": pa.ListArray.from_arrays(ends, pa.array(items.ravel())),
        "cold": pa.ListArray.from_arrays(ends, pa.array(cold.ravel())),
    }
    pq.write_table(pa.table(columns), file, compression="zstd")
