"""Times as the tables hold them: microseconds since 1970 in UTC."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

from isotherm.errors import ParameterError, brief

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_CURE = "give seconds since 1970, or ISO 8601 with its zone, as in 2026-03-01T09:30:00Z"


def microseconds(what: str, given: Any) -> int:
    """A time as it is kept: of a datetime with its zone, ISO 8601 text with it, or seconds since 1970.

    Raises ParameterError for what is no time between the years 1 and 9999.

    >>> from isotherm.serving.database.moments import microseconds
    >>> microseconds("time", "1970-01-01T01:00:00.5+01:00"), microseconds("time", 0.5)
    (500000, 500000)
    """
    if isinstance(given, bool) or not isinstance(given, int | float | str | datetime):
        raise ParameterError(f"{what}: {brief(given)} is no time; {_CURE}")
    try:
        if isinstance(given, int | float):
            if not math.isfinite(given):
                raise ValueError
            moment = _EPOCH + timedelta(seconds=given)
        else:
            moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except (ValueError, OverflowError) as cause:
        raise ParameterError(f"{what}: {brief(given)} is no time; {_CURE}") from cause
    if moment.tzinfo is None:
        raise ParameterError(f"{what}: {brief(str(given))} has no zone; {_CURE}")
    return (moment - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """The time, in UTC.

    >>> from isotherm.serving.database.moments import moment
    >>> moment(500000).isoformat()
    '1970-01-01T00:00:00.500000+00:00'
    """
    return _EPOCH + stored * _MICROSECOND


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)
