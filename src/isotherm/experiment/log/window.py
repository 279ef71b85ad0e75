"""Which experiment is measured: its name, its arms, and when it runs."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from isotherm.errors import ParameterError, brief

if TYPE_CHECKING:
    from isotherm.experiment.plan import Experiment

SECOND = 1_000_000  #: microseconds, in which all times here are
DAY = 86_400 * SECOND
LATEST = 7_258_118_400 * SECOND  #: the year 2200: what is dated later has a wrong clock, or a wrong unit
EARLIEST = -2_208_988_800 * SECOND  #: the year 1900: before it, alike
BEFORE_1900 = " is before the year 1900; mend its clock or its unit, or drop such rows"
TOO_LATE = " is after the year 2200; mend its clock or its unit, or drop such rows"
_MOST_ARMS = 1000
_LAST = 4e11  # seconds; of the year 14,000


@dataclass(frozen=True)
class Window:
    """An experiment as a log knows it.

    name, arms: as in the table of assignments; the control first.  start, end: seconds since 1970; who was
    first served from ``start`` on and before ``end`` counts, with all done before ``end``. None: no bound.
    Raises ParameterError.
    """

    name: str
    arms: tuple[str, ...]
    start: float | None = None
    end: float | None = None

    def __post_init__(self) -> None:
        if not 0 < len(set(self.arms)) == len(self.arms) <= _MOST_ARMS:
            raise ParameterError(f"arms must be different names, up to {_MOST_ARMS}, not {brief(self.arms)}")
        for which, time in (("start", self.start), ("end", self.end)):
            if time is not None and not (math.isfinite(time) and abs(time) < _LAST):
                raise ParameterError(f"{which} must be seconds since 1970, not {brief(time)}")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise ParameterError("the end of the experiment is not after its start; exchange them")

    @classmethod
    def of(cls, plan: "Experiment") -> "Window":
        """Of an experiment that was declared."""
        return cls(plan.name, tuple(arm.name for arm in plan.arms), plan.start, plan.end)

    @property
    def span(self) -> tuple[int, int]:
        """Microseconds since 1970: the first that is in it, and the first that no longer is."""
        bounds = (-_LAST if self.start is None else self.start, _LAST if self.end is None else self.end)
        return round(bounds[0] * SECOND), round(bounds[1] * SECOND)
