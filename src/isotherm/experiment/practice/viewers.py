"""Simulated viewers: what they like, what they watched before, and when they come."""

from dataclasses import dataclass

import numpy as np

from isotherm.experiment.practice.taste import Taste
from isotherm.experiment.practice.titles import Titles
from isotherm.streams import stream
from isotherm.types import Array, Bools, Float32, Float64, Int64

FIRST_ID = 1_000_001  #: of viewers; no real user has such an id
DAY = 86_400.0  #: seconds
_MEAN_VISITS = 0.35  # a day
_MEDIAN_BEFORE, _MOST_BEFORE = 18, 150  # titles that a viewer watched before
_OWN_TASTE = 0.35  # how far a viewer is from the real user whose taste is drawn, in deviations of the factors
_BEFORE_DAYS = 30  # within which the clicks before the experiment are


@dataclass(frozen=True, eq=False)
class Viewers:
    """n viewers.

    chances: (n, n_items) how likely a click is in the first place of a list.  before: (n, n_items) which
    titles were watched before the first day.  visits_a_day: (n,) in the mean.  seconds: (n,) median time
    that is watched after a click.
    """

    chances: Float32
    before: Bools
    visits_a_day: Float64
    seconds: Float64

    @classmethod
    def drawn(cls, taste: Taste, titles: Titles, n: int, seed: int) -> "Viewers":
        """Each has the taste of a real user, and something of his own."""
        rng = stream(seed, "viewers")
        whose = rng.integers(len(taste.users), size=n)
        own = rng.standard_normal((n, taste.users.shape[1])) * taste.users.std(axis=0) * _OWN_TASTE
        chances = taste.chances((taste.users[whose] + own).astype(np.float32))
        visits = np.clip(rng.gamma(2.0, _MEAN_VISITS / 2, size=n), 0.03, 0.95)
        numbers = _MEDIAN_BEFORE * np.exp(0.8 * rng.standard_normal(n)) * (visits / _MEAN_VISITS) ** 0.5
        lengths = np.clip(numbers, 3, _MOST_BEFORE).astype(np.int64)
        before = _likely(chances, lengths, titles.comes < 0, rng)
        return cls(chances, before, visits, 1500 * np.exp(0.5 * rng.standard_normal(n)))

    def __len__(self) -> int:
        return len(self.chances)

    @property
    def ids(self) -> Int64:
        """(n,) their ids."""
        return np.arange(FIRST_ID, FIRST_ID + len(self))

    def comings(self, days: int, seed: int) -> Float64:
        """(n, days) the second of the day at which a viewer comes; NaN where he does not."""
        rng = stream(seed, "visits")
        comes = rng.random((len(self), days)) < self.visits_a_day[:, None]
        evening = np.clip(rng.normal(19.5, 2.5, size=comes.shape), 6.0, 23.0) * 3600
        return np.where(comes, np.floor(evening), np.nan)

    def watched_before(self, seed: int) -> tuple[Int64, Int64, Float64]:
        """Viewer, title and time of each click before the first day, which is at 0; in seconds, below 0."""
        rows, columns = np.nonzero(self.before)
        ago = stream(seed, "before").uniform(0.05, _BEFORE_DAYS, size=len(rows))
        return rows, columns, np.floor(-ago * DAY)


def _likely(chances: Float32, lengths: Int64, there: Bools, rng: np.random.Generator) -> Bools:
    """(n, n_items) titles drawn without replacement in proportion to their chances: the Gumbel trick."""
    noise = -np.log(rng.exponential(size=chances.shape).astype(np.float32))
    keys: Array = np.where(there, 1.5 * np.log(chances) + noise, -np.inf)
    order = np.argsort(-keys, axis=1)
    chosen = np.zeros(chances.shape, dtype=bool)
    ranks = np.arange(chances.shape[1]) < np.minimum(lengths, there.sum())[:, None]
    np.put_along_axis(chosen, order, ranks, axis=1)
    return chosen
