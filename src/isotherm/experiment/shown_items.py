"""Which shown item an event belongs to: lists and events -> one row for each item of each list.

An event belongs to the latest list before it that showed its item to its user, and to none where that was
longer ago than a stated time. Several clicks on one shown item are one.
"""

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from isotherm.checks import at_least
from isotherm.data.reading.times import UNITS, common_unit, iso_times
from isotherm.errors import InteractionsError

DAY = 86_400.0  #: seconds
#: types of events whose values add up; of the others it counts whether there was one
SUMMED = ("watch",)
_MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class ShownItems:
    """Items of lists with what they got.

    frame: one row for each shown item, those of a list one after the other: list (row of the list, from 0),
    user_id, item_id, position (from 1), reward (Float64), and the columns of lists that were asked for.
    counts: without_user (lists that nobody is known to have seen), repeated (events that came twice),
    unmatched (events of the type that belong to no list).
    """

    frame: pl.DataFrame
    counts: dict[str, int]


def shown_items(
    lists: pl.DataFrame,
    events: pl.DataFrame,
    event: str = "click",
    within: float = DAY,
    columns: Collection[str] = (),
) -> ShownItems:
    """Join lists with the events on them.

    lists: user_id, timestamp, items (a list a row) and ``columns``: lists of the same lengths, such as
    propensities and teams.  events: user_id, item_id, type, timestamp; event_id and value where there are.
    event: the type that counts: 1 for a shown item with at least one, the sum of values for watch.
    within: seconds after a list until which its events count, >= 0.
    Raises InteractionsError that names the table and the column where one is missing or cannot be used.
    """
    limit = at_least("within", within, 0) * _MICROSECONDS
    _check(lists, ("user_id", "timestamp", "items", *columns), "exposures")
    _check(events, ("user_id", "item_id", "type", "timestamp"), "events")
    known = lists.filter(pl.col("user_id").is_not_null())
    shown = _one_row_an_item(known, columns)
    wanted = events.filter(pl.col("type") == event)
    once = wanted.unique("event_id", keep="first") if "event_id" in events.columns else wanted
    rewards, unmatched = _rewards(shown, _same_ids(once, shown), event in SUMMED, limit)
    rewarded = shown.join(rewards, on=["list", "position"], how="left", maintain_order="left")
    counts = {
        "without_user": lists.height - known.height,
        "repeated": wanted.height - once.height,
        "unmatched": unmatched,
    }
    return ShownItems(rewarded.drop("moment").with_columns(pl.col("reward").fill_null(0.0)), counts)


def _check(frame: pl.DataFrame, columns: Collection[str], table: str) -> None:
    """Raise InteractionsError where a column is missing."""
    for name in columns:
        if name not in frame.columns:
            cure = {
                "propensities": "; log propensities: give the experiment's plan an exploration",
                "teams": "; teams are logged by an experiment of the kind interleaving",
            }.get(name, "")
            raise InteractionsError(f"{table}: column {name!r} is missing{cure}")
        if name in ("items", "propensities", "teams") and not isinstance(
            frame[name].dtype, pl.List | pl.Array
        ):
            raise InteractionsError(
                f"{table}: column {name!r} is {frame[name].dtype}; write a list for each list that was shown"
            )


def _one_row_an_item(lists: pl.DataFrame, columns: Collection[str]) -> pl.DataFrame:
    """The shown items of lists, in their order, without rewards; moment: microseconds."""
    for name in columns:
        lengths = lists[name].list.len() != lists["items"].list.len()
        if lists[name].null_count() or lengths.any():
            row = int((lists[name].is_null() | lengths.fill_null(True)).arg_max() or 0)
            raise InteractionsError(
                f"exposures: column {name!r}, row {row + 1}: a list without a value for each of its items; "
                "leave out the lists that were shown without"
            )
    numbered = lists.select(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("list"),
        "user_id",
        _moments(lists["timestamp"], "exposures"),
        pl.col("items").alias("item_id"),
        *columns,
    ).filter(pl.col("item_id").list.len() > 0)
    exploded = numbered.explode("item_id", *columns)
    return exploded.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("list").alias("position"))


def _rewards(
    shown: pl.DataFrame, events: pl.DataFrame, summed: bool, limit: float
) -> tuple[pl.DataFrame, int]:
    """list, position and reward of the shown items with an event; and how many events belong to none."""
    value = pl.col("value") if summed and "value" in events.columns else pl.lit(1.0)
    happened = events.select(
        "user_id", "item_id", _moments(events["timestamp"], "events"), value.cast(pl.Float64).alias("worth")
    )
    places = shown.select("user_id", "item_id", "list", "position", "moment", shown=pl.col("moment"))
    in_time = pl.concat([places, happened], how="diagonal").sort("moment", maintain_order=True)
    latest = [
        pl.col(name).forward_fill().over("user_id", "item_id") for name in ("list", "position", "shown")
    ]
    matched = in_time.with_columns(latest).filter(
        pl.col("worth").is_not_null(),
        pl.col("list").is_not_null(),
        pl.col("moment") - pl.col("shown") <= limit,
    )
    worth = pl.col("worth").sum() if summed else pl.lit(1.0)
    rewards = matched.group_by("list", "position").agg(worth.alias("reward"))
    return rewards, events.height - matched.height


def _moments(times: pl.Series, table: str) -> pl.Series:
    """Times as whole microseconds since 1970: of dates, ISO dates in text, and numbers of any unit."""
    if times.dtype == pl.String:
        times = iso_times(times)
    if times.dtype == pl.Date:
        times = times.cast(pl.Datetime("us"))
    if isinstance(times.dtype, pl.Datetime):
        moments = times.dt.epoch("us")
    elif times.dtype.is_numeric():
        moments = (times.cast(pl.Float64) * _per_unit(times)).round().cast(pl.Int64, strict=False)
    else:
        raise InteractionsError(
            f"{table}: column 'timestamp': {times.dtype} is no time; give dates or seconds"
        )
    if moments.null_count():
        row = int(moments.is_null().arg_max() or 0)
        raise InteractionsError(
            f"{table}: column 'timestamp', row {row + 1}: no time; drop or mend these rows"
        )
    return moments.rename("moment")


def _per_unit(numbers: pl.Series) -> float:
    """Microseconds in what numbers count: the unit in which all are times from 1980 to 2100, else seconds."""
    values = numbers.cast(pl.Float64).drop_nulls().drop_nans().to_numpy()
    unit = common_unit(float(values.min()), float(values.max())) if len(values) else None
    return _MICROSECONDS / UNITS[unit or "seconds"]


def _same_ids(events: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """Events with ids of the type that those of the lists have. Raises where text meets numbers."""
    casts = []
    for name in ("user_id", "item_id"):
        wanted, given = shown[name].dtype, events[name].dtype
        if (wanted == pl.String) != (given == pl.String) and shown.height and events.height:
            raise InteractionsError(
                f"column {name!r} is {given} in events and {wanted} in exposures; give both one type"
            )
        casts.append(pl.col(name).cast(wanted))
    return events.with_columns(casts)
