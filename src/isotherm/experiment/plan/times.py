"""Times as a plan writes them, and the ramp: from when on which share of users takes part."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isotherm.checks import between
from isotherm.errors import ParameterError, brief

_LATEST = 253402300799.0  # the year 9999
_CURE = "give seconds since 1970, or ISO 8601 with its zone, as in 2026-03-01T09:30:00Z"


def seconds(name: str, given: Any) -> float:
    """A time as seconds since 1970. Raises ParameterError for what is none.

    >>> from isotherm.experiment.plan.times import seconds
    >>> seconds("start", "1970-01-01T01:00:00+00:30")
    1800.0
    """
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise ParameterError(f"{name} is {brief(given)}, which is no time; {_CURE}")
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else None
        found = float(given) if moment is None else moment.timestamp()
    except (ValueError, OverflowError) as cause:
        raise ParameterError(f"{name} is {brief(given)}, which is no time; {_CURE}") from cause
    if moment is not None and moment.tzinfo is None:
        raise ParameterError(f"{name} is {brief(given)}, which has no zone; {_CURE}")
    if not math.isfinite(found) or not 0 <= found <= _LATEST:
        raise ParameterError(f"{name} is {brief(given)}, which is not between 1970 and 9999; {_CURE}")
    return found


@dataclass(frozen=True)
class RampStep:
    """From a time on (seconds since 1970), this share of users takes part."""

    since: float
    share: float


@dataclass(frozen=True)
class Ramp:
    """Steps in the order of their times, whose shares only grow: who takes part goes on taking part.

    Without a step everybody takes part; before the first one nobody does.

    >>> from isotherm.experiment.plan.times import Ramp, RampStep
    >>> ramp = Ramp((RampStep(100.0, 0.1), RampStep(200.0, 1.0)))
    >>> ramp.share_at(50.0), ramp.share_at(100.0), ramp.share_at(1e9)
    (0.0, 0.1, 1.0)
    """

    steps: tuple[RampStep, ...] = ()

    def share_at(self, at: float) -> float:
        """Of users, at a time."""
        if not self.steps:
            return 1.0
        return max((step.share for step in self.steps if step.since <= at), default=0.0)

    def check(self, end: float | None) -> None:
        """Raises ParameterError where it is no ramp.  end: of the experiment; steps after it may shrink."""
        before = RampStep(-math.inf, 0.0)
        for n, step in enumerate(self.steps):
            between(f"ramp[{n}].share", step.share, 0, 1)
            if not step.since > before.since:
                raise ParameterError(f"ramp[{n}].from is not after that of the step before; order the steps")
            if step.share < before.share and (end is None or step.since < end):
                raise ParameterError(
                    f"ramp[{n}].share is {step.share:g} after {before.share:g}: a ramp only grows, or users "
                    'would leave their arms; leave the step out, or give "end", when the experiment ends'
                )
            before = step
