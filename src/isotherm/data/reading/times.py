"""Times of clicks: numbers, ISO dates, or a frame's own dates; a whole log has one way and one unit.

A date such as 01/02/2026 is never guessed at: half the world puts the day first, the other half the month.
"""

import re
from collections.abc import Collection, Sequence

import polars as pl

from isotherm.data.reading.place import Place, PlacedColumn

_ISO = re.compile(
    r"^[0-9]{4}(?P<hyphen>[-/])[0-9]{2}[-/][0-9]{2}"
    r"(?:(?P<blank>[T ])[0-9]{2}:[0-9]{2}(?P<second>:[0-9]{2}(?P<fraction>\.[0-9]{1,9})?)?"
    r"(?P<zone> ?UTC|Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$"
)
_IS_ISO = re.sub(r"\?P<\w+>", "", _ISO.pattern)
_IS_ZONED = r":[0-9.]+(?: ?UTC|Z|[+-][0-9:]+)$"
_DAY_OR_MONTH_FIRST = r"^[0-9]{1,2}([/.-])[0-9]{1,2}[/.-]([0-9]{2}|[0-9]{4})([ T,]|$)"
#: unit -> how many are a second; times from 1980 to 2100 lie in ranges of their own, unit by unit
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_FIRST, _LAST = 315_532_800, 4_102_444_800
_CURE = "write dates as 2026-01-31 or 2026-01-31T23:59:00"
AMBIGUOUS = f"has the day or the month first; {_CURE}"


def iso_times(text: pl.Series) -> pl.Series:
    """ISO dates and times (2026-01-31, 2026-01-31 23:59, …T23:59:00+02:00) as Datetime, null for other text.

    In UTC where they name a zone; what names none beside others that do is null.
    """
    text = text.str.strip_chars()
    shaped = text.set(~is_iso_shaped(text), None)
    if shaped.str.ends_with("UTC").any():
        shaped = shaped.str.replace(" ?UTC$", "Z")
    times = pl.Series(text.name, [None] * len(text), dtype=pl.Datetime("us"))
    left = shaped
    while left.null_count() < len(left):  # one format a turn, that of the first value left
        first = left.drop_nulls()[0]
        parsed = left.str.to_datetime(_format(first), strict=False, time_unit="us")
        if times.null_count() == len(times):
            times = parsed
        elif parsed.dtype == times.dtype:
            times = times.fill_null(parsed)
        same = left.str.replace_all("[0-9]", "0") == re.sub("[0-9]", "0", first)
        left = left.set(parsed.is_not_null() | same, None)
    return times


def is_iso_shaped(text: pl.Series) -> pl.Series:
    """Which texts are written as ISO dates or times are; there may be no such day."""
    return text.str.contains(_IS_ISO).fill_null(False)


def read_times(column: pl.Series, place: Place) -> pl.Series:
    """Times as numbers, Date, Datetime or Duration. Raises, naming the first row, where one is no time."""
    if column.null_count():
        raise place.no_value(column)
    dtype = column.dtype
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return _text_times(column.cast(pl.String).str.strip_chars(), place)
    if dtype.is_integer() or dtype in (pl.Date, pl.Datetime, pl.Duration):
        return column
    if dtype.is_float() or dtype.is_decimal():
        return place.numbers(column)
    raise place.error(f"{place.at(column.name)}: {dtype} is no time; {_CURE}, or a number")


def check_one_way(column: pl.Series, place: Place) -> None:
    """Raise where text holds dates that could be read in two ways, or times of two kinds."""
    if not isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        return
    text = column.cast(pl.String).str.strip_chars()
    guess = day_or_month_first(text)
    if guess.any():
        raise place.error(f"{place.value(column, guess)} {AMBIGUOUS}")
    is_iso = is_iso_shaped(text)
    if not is_iso.any():
        return
    is_number = text.cast(pl.Float64, strict=False).is_not_null()
    if is_number.any():
        raise place.error(f"{place.value(column, is_number)} is a number where others are dates; {_CURE}")
    zoned = is_iso & text.str.contains(_IS_ZONED)
    if zoned.any() and (is_iso & ~zoned).any():
        raise place.error(
            f"{place.value(column, is_iso & ~zoned)} names no time zone where others do; "
            "name one in all or in none"
        )


def day_or_month_first(text: pl.Series) -> pl.Series:
    """Which texts are dates like 01/02/2026, that have the day or the month first."""
    return text.str.contains(_DAY_OR_MONTH_FIRST).fill_null(False)


def joined_times(columns: Sequence[PlacedColumn]) -> pl.Series:
    """The times of all files of a log as one column. Raises where they are of different kinds or units."""
    first, times = columns[0].place, columns[0].values
    for place, other in ((each.place, each.values) for each in columns[1:]):
        if _kind(other) != _kind(times):
            raise place.error(
                f"{place.at(other.name)} holds {_kind(other)} ({other[0]}) where {first.file} holds "
                f"{_kind(times)} ({times[0]}); write all files in one way, best as 2026-01-31T23:59:00"
            )
    dtypes = {each.values.dtype for each in columns}
    all_times = pl.concat([_cast_to_common(each.values, dtypes) for each in columns])
    if all_times.dtype.is_numeric():
        _check_one_unit(all_times, columns)
    return all_times


def _text_times(text: pl.Series, place: Place) -> pl.Series:
    """Times from text without nulls: whole numbers, broken ones, or ISO dates."""
    if not _ISO.match(text[0]):
        for dtype in (pl.Int64, pl.Float64):
            numbers = text.cast(dtype, strict=False)
            if not numbers.null_count():
                return place.numbers(numbers) if dtype == pl.Float64 else numbers
    times = iso_times(text)
    if times.null_count():
        check_one_way(text, place)
        bad = times.is_null() & text.cast(pl.Float64, strict=False).is_null()
        raise place.error(f"{place.value(text, bad)} is neither a number nor a date; {_CURE}")
    return times


def _format(iso: str) -> str:
    """How an ISO date or time is written, in the letters of strptime."""
    match = _ISO.match(iso)
    assert match is not None
    return (
        "%Y{0}%m{0}%d".format(match["hyphen"])
        + (f"{match['blank']}%H:%M" if match["blank"] else "")
        + (":%S" if match["second"] else "")
        + ("%.f" if match["fraction"] else "")
        + ("%#z" if match["zone"] else "")
    )


def _kind(times: pl.Series) -> str:
    """What the values are: numbers, durations, or times with or without a zone."""
    if times.dtype.is_numeric():
        return "numbers"
    if times.dtype == pl.Duration:
        return "durations"
    return "times of a zone" if getattr(times.dtype, "time_zone", None) else "times without a zone"


def _cast_to_common(times: pl.Series, dtypes: Collection[pl.DataType]) -> pl.Series:
    """Times in the one type that holds those of all files."""
    if len(dtypes) == 1:
        return times
    if _kind(times) == "numbers":
        return times.cast(pl.Int64 if all(dtype.is_integer() for dtype in dtypes) else pl.Float64)
    if _kind(times) == "durations":
        return times.cast(pl.Duration("us"))
    return times.cast(pl.Datetime("us", "UTC" if _kind(times) == "times of a zone" else None))


def _check_one_unit(times: pl.Series, columns: Sequence[PlacedColumn]) -> None:
    """Raise where some numbers are seconds since 1970 and all others milliseconds, or the like."""
    positive = times.filter(times > 0).cast(pl.Float64)
    if not len(positive):
        return
    low, high = float(positive.to_numpy().min()), float(positive.to_numpy().max())
    if unit_of(low) is None or unit_of(high) in (None, unit_of(low)):
        return
    ranges = [(times >= _FIRST * unit) & (times <= _LAST * unit) for unit in UNITS.values()]
    if not ((times <= 0) | ranges[0] | ranges[1] | ranges[2] | ranges[3]).all():
        return  # a count of its own that runs through all magnitudes
    shown = []
    for wanted in (low, high):
        place = next(each.place for each in columns if (each.values == wanted).any())
        shown.append(f"{unit_of(wanted)} ({wanted:.0f}{f' in {place.file}' if place.file else ''})")
    name = columns[0].values.name
    raise columns[0].place.error(
        f"column {name!r} holds {shown[0]} and {shown[1]}; write all times of a log in one unit"
    )


def common_unit(least: float, most: float) -> str | None:
    """The unit in which both, and all between them, are times from 1980 to 2100."""
    unit = unit_of(least)
    return unit if unit == unit_of(most) else None


def unit_of(time: float) -> str | None:
    """The unit in which a number is a time from 1980 to 2100."""
    for name, unit in UNITS.items():
        if _FIRST * unit <= time <= _LAST * unit:
            return name
    return None
