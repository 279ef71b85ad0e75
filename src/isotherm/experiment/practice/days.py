"""The days one after the other: viewers come, get a list, and click what they like.

A click is drawn with the chance that the viewer has for the title, times that of looking so far down the list
(position bias), times what is left of the interest after earlier lists with this title (fatigue), times more
than 1 while the title is new (curiosity).
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from isotherm.experiment.practice.titles import Titles
from isotherm.experiment.practice.viewers import Viewers
from isotherm.streams import stream
from isotherm.types import Array, Bools, Float32, Float64, Int32, Int64

_LOOKS = 0.85  # chance of looking at a place, of that at the place above
_TIRED = 0.75  # interest after a list with the title, of that before
_CURIOUS, _HALF_DAYS = 1.6, 7.0  # how much more a title is clicked on its first day; halved after so many
_MOST = 0.95  # chance of a click
_SPREAD = 0.9  # deviation of the logarithm of seconds watched
MEAN_OF_SPREAD = float(np.exp(_SPREAD**2 / 2))  #: mean over median of seconds watched
_BUYS = 0.04  # chance of a conversion after a click


@dataclass(frozen=True, eq=False)
class Done:
    """Lists that were shown, n of them, and what came of them.

    viewer: (n,) rows.  day: (n,).  second: (n,) of the day.  shown: (n, k) rows of titles, -1 for none.
    chances: (n, k) of the clicks, 0 where nothing is shown.  clicked, bought: (n, k).  watched: (n, k)
    seconds, 0 without a click.
    """

    viewer: Int64
    day: Int64
    second: Float64
    shown: Int32
    chances: Float64
    clicked: Bools
    watched: Float64
    bought: Bools

    @classmethod
    def joined(cls, parts: list["Done"]) -> "Done":
        """Of several days."""
        names = cls.__dataclass_fields__
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


class Lists(Protocol):
    """Where lists come from: models in this process, or a server."""

    def begin(self, day: int) -> None:
        """A day begins: its new titles come."""

    def ask(self, viewers: Int64, watched: Bools) -> Int32:
        """(n, k) titles for viewers, -1 where a list is shorter.  watched: (n, n_items) by each of them."""

    def tell(self, done: Done) -> None:
        """What became of the lists of the day."""


def live(viewers: Viewers, titles: Titles, comings: Float64, lists: Lists, seed: int) -> Done:
    """All days.  comings: (n, days), as of ``Viewers.comings``.  seed: of clicks and of time watched.

    What is drawn for a viewer, a day and a title is the same whatever else is on the list.
    """
    watched, times_shown = viewers.before.copy(), np.zeros(viewers.before.shape, dtype=np.uint8)
    parts = []
    for day in range(comings.shape[1]):
        lists.begin(day)
        here = np.flatnonzero(~np.isnan(comings[:, day]))
        shown = lists.ask(here, watched[here])
        interest = _interest(viewers, titles, (here, day), shown, times_shown)
        done = _drawn(viewers, (here, comings[here, day], day), shown, interest, seed)
        lists.tell(done)
        row, place = np.nonzero(done.clicked)
        watched[here[row], shown[row, place]] = True
        row, place = np.nonzero(shown >= 0)
        times_shown[here[row], shown[row, place]] += 1
        parts.append(done)
    return Done.joined(parts)


def _interest(
    viewers: Viewers, titles: Titles, who: tuple[Int64, int], shown: Int32, times_shown: Array
) -> Float64:
    """(n, k) chance of a click on each title of a list if it is looked at.  who: rows, the day."""
    (here, day), comes = who, titles.comes
    age = np.where(comes[shown] >= 0, day - comes[shown], np.inf)
    curious = 1 + _CURIOUS * 0.5 ** (age / _HALF_DAYS)
    tired = _TIRED ** times_shown[here[:, None], shown]
    return np.minimum(viewers.chances[here[:, None], shown] * tired * curious, _MOST)


def _drawn(
    viewers: Viewers, who: tuple[Int64, Float64, int], shown: Int32, interest: Float64, seed: int
) -> Done:
    """What viewers do with their lists on a day.  who: rows, seconds of the day, the day."""
    here, second, day = who
    chances = np.where(shown >= 0, interest * _LOOKS ** np.arange(shown.shape[1]), 0.0)
    clicked = _lots(viewers, (seed, "clicks", day), here, shown) < chances
    normal = stream(seed, "watched", day).standard_normal((len(viewers), shown.shape[1]))[here]
    seconds = np.clip(viewers.seconds[here, None] * np.exp(_SPREAD * normal), 5, None)
    bought = clicked & (_lots(viewers, (seed, "conversions", day), here, shown) < _BUYS)
    days = np.full(len(here), day, dtype=np.int64)
    watched = np.where(clicked, np.round(seconds), 0.0)
    return Done(here, days, second, shown, chances, clicked, watched, bought)


def _lots(viewers: Viewers, of: tuple[int, str, int], here: Int64, shown: Int32) -> Float32:
    """(n, k) numbers in [0, 1): one for each viewer and title of a day."""
    drawn = stream(*of).random(viewers.chances.shape, dtype=np.float32)
    return np.asarray(drawn[here[:, None], shown])
