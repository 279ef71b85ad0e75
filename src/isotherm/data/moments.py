"""The times of a log as numbers, and dates and durations that a person gives in the same numbers.

A log counts its times in days, microseconds, seconds since 1970, … or in steps of its own.
"""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from isotherm.data.reading.times import UNITS, common_unit, iso_times, unit_of
from isotherm.errors import SplitError, brief
from isotherm.types import Array, Bools, Float64

Moment = int | float  #: in the numbers of a log

_SECONDS_A_DAY = 86_400
_DURATION = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)\s*$")
#: what a duration is counted in -> days
_UNIT_DAYS = {
    **dict.fromkeys(("w", "week", "weeks"), 7.0),
    **dict.fromkeys(("d", "day", "days"), 1.0),
    **dict.fromkeys(("h", "hour", "hours"), 1 / 24),
    **dict.fromkeys(("min", "minute", "minutes"), 1 / 1440),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1 / _SECONDS_A_DAY),
}
_YEARS = (1800, 2200)  # whole numbers between them are years, not days since 1970


@dataclass(frozen=True)
class Clock:
    """How the times of a log count.

    dtype: of the log's times.  per_day: how many are a day, None for steps of the log's own.  since_1970:
    whether they count from there, so that they are dates.

    >>> import polars as pl
    >>> from isotherm.data.moments import Clock
    >>> clock = Clock.of(pl.Series([1_519_862_400, 1_519_948_800]))  # seconds since 1970
    >>> clock.moment("cut", "2018-03-02"), clock.duration("horizon", "36h")
    (1519948800, 129600)
    >>> clock.date(1_519_948_800)
    '2018-03-02 00:00:00'
    """

    dtype: Any
    per_day: int | None
    since_1970: bool

    @classmethod
    def of(cls, times: pl.Series) -> "Clock":
        """The clock of a log by its times."""
        dtype = times.dtype
        if dtype == pl.Date:
            return cls(dtype, 1, True)
        if isinstance(dtype, pl.Datetime | pl.Duration):
            per_second = {"ms": 10**3, "us": 10**6, "ns": 10**9}[dtype.time_unit]
            return cls(dtype, per_second * _SECONDS_A_DAY, isinstance(dtype, pl.Datetime))
        numbers = times.to_numpy()
        unit = common_unit(float(numbers.min()), float(numbers.max()))
        return cls(dtype, None if unit is None else UNITS[unit] * _SECONDS_A_DAY, unit is not None)

    def is_date(self, value: Any) -> bool:
        """Whether ``value`` is a moment and no duration: a date, or text that is one."""
        return _date(value) is not None

    def moment(self, name: str, value: Any) -> Moment:
        """A date, ISO text, or a number of the log's own as a moment of the log. Raises SplitError."""
        value = (
            value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value
        )
        number = _number(value)
        if number is not None and self.dtype.is_numeric():
            return int(number) if self.dtype.is_integer() and number == int(number) else number
        if isinstance(self.dtype, pl.Duration):
            return self.duration(name, value)
        if not self.since_1970:
            raise SplitError(
                f"{name} must be a number such as the log's own times, which are no dates; not {brief(value)}"
            )
        at = None if number is not None or isinstance(value, bool) else _date(value)
        if at is None:
            raise SplitError(
                f"{name} must be a date such as 2018-03-01 or 2018-03-01T12:00, not {brief(value)}"
            )
        zone = getattr(self.dtype, "time_zone", None)
        if zone is not None and getattr(at.dtype, "time_zone", None) is None:
            at = at.dt.replace_time_zone(zone)
        microseconds = int(at.cast(pl.Datetime("us")).to_physical()[0])
        ticks, day = microseconds * self._per_day(), _SECONDS_A_DAY * 10**6
        return ticks / day if self.dtype.is_float() else -(-ticks // day)  # never before what was meant

    def duration(self, name: str, value: Any) -> Moment:
        """A timedelta, text such as 30d, 4w or 12h, or a number of days as a length of the log's time.

        Where the log counts steps of its own, the number is one of them. Raises SplitError.
        """
        value = value.item() if isinstance(value, np.generic) else value
        days = value / timedelta(days=1) if isinstance(value, timedelta) else _number(value)
        if days is None and isinstance(value, str):
            found = _DURATION.match(value.lower())
            if found is not None and found[2] in _UNIT_DAYS:
                days = float(found[1]) * _UNIT_DAYS[found[2]]
                if self.per_day is None:
                    raise SplitError(
                        f"{name} is {brief(value)}, but the log's times are in no known unit; give a number"
                    )
        if days is None or not 0 < days < float("inf"):
            raise SplitError(
                f"{name} must be a duration such as 30d, 4w or 12h, or a date; not {brief(value)}"
            )
        return self._rounded(days * (1 if self.per_day is None else self.per_day))

    def shown(self, moment: Moment) -> str:
        """A moment as the log writes it."""
        if self.dtype.is_numeric():
            return f"{moment:g}" if isinstance(moment, float) and moment != int(moment) else str(int(moment))
        return str(pl.Series([int(moment)]).cast(self.dtype)[0])

    def date(self, moment: Moment) -> str | None:
        """The date of a moment in UTC, None where the log's times are no dates, or written as dates."""
        if not self.since_1970 or not self.dtype.is_numeric():
            return None
        seconds = round(float(moment) / self._per_day() * _SECONDS_A_DAY)
        return str(pl.Series([seconds * 10**6]).cast(pl.Datetime("us"))[0])

    def words(self, moment: Moment) -> str:
        """A moment as a person reads it."""
        return self.date(moment) or self.shown(moment)

    def on_axis_of(self, numbers: Float64) -> Float64:
        """Numbers of an item field, which are days since 1970 where they were dates, as moments of the log.

        Seconds (milli-, micro-, nanoseconds) since 1970 count as such, and whole numbers from 1800 to 2200 as
        years. A log in steps of its own takes the numbers as they are.
        """
        if not self.since_1970:
            return numbers
        known = numbers[np.isfinite(numbers)]
        if not len(known):
            return numbers
        unit = unit_of(float(np.median(known)))
        if unit is not None:
            days = numbers / (UNITS[unit] * _SECONDS_A_DAY)
        elif (known == np.rint(known)).all() and _YEARS[0] <= known.min() and known.max() <= _YEARS[1]:
            days = (
                (np.nan_to_num(numbers, nan=1970) - 1970)
                .astype("datetime64[Y]")
                .astype("datetime64[D]")
                .astype(float)
            )
            days[np.isnan(numbers)] = np.nan
        else:
            days = numbers
        return np.asarray(days * self._per_day())

    def _per_day(self) -> int:
        assert self.per_day is not None
        return self.per_day

    def _rounded(self, moment: float) -> Moment:
        return moment if self.dtype.is_float() else max(round(moment), 1) if 0 < moment < 1 else round(moment)


@dataclass(frozen=True)
class Period:
    """What lies between two moments of a log: from ``start`` on, before ``end``.

    end: None for all that came; last: the last moment of the log.
    """

    clock: Clock
    start: Moment
    end: Moment | None
    last: Moment

    def holds(self, times: Array) -> Bools:
        """(n,) whether a time lies in it."""
        return times >= self.start if self.end is None else (times >= self.start) & (times < self.end)

    def is_over_after(self, times: Array) -> Bools:
        """(n,) whether a time lies before its end."""
        return times <= self.last if self.end is None else times < self.end

    def describe(self) -> dict[str, str]:
        """ "cut", its start, and "end", where the log goes on; with dates where times are numbers."""
        described = {}
        for name, moment in (("cut", self.start), ("end", self.end)):
            if moment is not None:
                described[name] = self.clock.shown(moment)
                at = self.clock.date(moment)
                described |= {} if at is None else {f"{name}_date": at}
        return described


def _number(value: Any) -> float | int | None:
    """A number, or text that is one; None for anything else."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        return None
    return int(value) if value == int(value) else value


def _date(value: Any) -> pl.Series | None:
    """One date, or None."""
    if isinstance(value, str):
        at = iso_times(pl.Series([value]))
    elif isinstance(value, date):
        at = pl.Series([value])
    elif isinstance(value, np.datetime64):
        at = pl.Series([value.astype("datetime64[us]").item()], dtype=pl.Datetime("us"))
    else:
        return None
    return at if at.dtype.is_temporal() and at.null_count() == 0 else None
