"""Times of logs as numbers: what a date and a duration are in them."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from isotherm.data.moments import Clock, Period
from isotherm.errors import SplitError

DAY = date(2018, 3, 1)
SECONDS = 1_519_862_400  # of that day, UTC


@pytest.mark.parametrize(
    ("times", "moment", "length"),
    [
        (pl.Series([DAY]), 17_591, 2),
        (pl.Series([DAY]).cast(pl.Datetime("ms")), SECONDS * 10**3, 2 * 86_400 * 10**3),
        (pl.Series([DAY]).cast(pl.Datetime("ns")), SECONDS * 10**9, 2 * 86_400 * 10**9),
        (pl.Series([SECONDS]), SECONDS, 2 * 86_400),
        (pl.Series([SECONDS * 10**6]), SECONDS * 10**6, 2 * 86_400 * 10**6),
        (pl.Series([float(SECONDS)]), float(SECONDS), 2 * 86_400.0),
    ],
)
def test_date_and_duration_are_exact_in_every_unit(times, moment, length):
    clock = Clock.of(times)
    for value in ("2018-03-01", "2018-03-01T00:00:00", DAY, np.datetime64(DAY)):
        assert clock.moment("cut", value) == moment
    for value in (2, "2d", "48h", "2 days", 2.0, np.float32(2), np.int64(2)):
        assert clock.duration("horizon", value) == length


def test_dates_of_a_log_with_a_zone_are_of_that_zone():
    berlin = pl.Series([datetime(2018, 3, 1, tzinfo=UTC)]).dt.convert_time_zone("Europe/Berlin")
    clock = Clock.of(berlin)
    hour = 3600 * 10**6
    assert clock.moment("cut", "2018-03-01") == SECONDS * 10**6 - hour
    assert clock.moment("cut", "2018-03-01T00:00:00Z") == SECONDS * 10**6
    assert clock.shown(SECONDS * 10**6).startswith("2018-03-01 01:00:00")


def test_log_of_durations_is_cut_at_a_duration():
    clock = Clock.of(pl.Series([timedelta(days=3)]))
    assert clock.moment("cut", "36h") == clock.moment("cut", timedelta(days=1.5)) == 129_600 * 10**6
    assert clock.words(129_600 * 10**6) == "1 day, 12:00:00"


def test_half_a_day_in_a_log_of_days_never_starts_before_it():
    clock = Clock.of(pl.Series([DAY]))
    assert clock.moment("cut", "2018-03-01T12:00") == 17_592
    assert clock.duration("horizon", "12h") == 1
    assert clock.shown(17_591) == "2018-03-01"


def test_numbers_of_a_log_are_shown_as_they_are_and_as_dates_where_they_are_some():
    assert Clock.of(pl.Series([SECONDS])).words(SECONDS) == "2018-03-01 00:00:00"
    assert Clock.of(pl.Series([SECONDS])).shown(SECONDS) == str(SECONDS)
    assert Clock.of(pl.Series([3, 9])).words(7) == "7"
    assert Clock.of(pl.Series([3, SECONDS])).date(7) is None  # no unit has both
    with pytest.raises(SplitError, match="cut must be a number such as the log's own times"):
        Clock.of(pl.Series([3, 9])).moment("cut", "2018-03-01")


def test_numbers_of_an_item_field_are_days_seconds_or_years():
    clock = Clock.of(pl.Series([SECONDS]))
    nan = float("nan")
    np.testing.assert_array_equal(clock.on_axis_of(np.array([17_591, nan])), [SECONDS, nan])
    np.testing.assert_array_equal(clock.on_axis_of(np.array([SECONDS * 1e3, nan])), [SECONDS, nan])
    np.testing.assert_array_equal(clock.on_axis_of(np.array([2018.0, 1970, nan])), [1_514_764_800, 0, nan])
    np.testing.assert_array_equal(clock.on_axis_of(np.array([nan])), [nan])
    np.testing.assert_array_equal(Clock.of(pl.Series([3, 9])).on_axis_of(np.array([2018.0])), [2018])


def test_period_holds_its_start_and_not_its_end():
    clock = Clock.of(pl.Series([1, 9]))
    times = np.array([1, 3, 5, 9, 12])
    assert Period(clock, 3, 9, 9).holds(times).tolist() == [False, True, True, False, False]
    assert Period(clock, 3, None, 9).holds(times).tolist() == [False, True, True, True, True]
    assert Period(clock, 3, None, 9).is_over_after(times).tolist() == [True, True, True, True, False]
    assert Period(clock, 3, 9, 9).describe() == {"cut": "3", "end": "9"}
