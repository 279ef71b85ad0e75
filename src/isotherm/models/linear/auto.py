"""Chooses EASE's penalties on hidden clicks of the log itself, on its most clicked items.

How well an inverse ranks is known in closed form, each user left out (``left_out``): a setting costs one
inverse. It is taken on the most clicked items alone, a third of them: that is 1/27 of the whole inverse, and
they hold most clicks. The best λ there is the best one on all items to 1.4 times (docs/penalties.md), where
losses are 0.2%; on items drawn at random it can be 4 times too small, as histories are thinned. About 15
settings are tried, whose inverses and rankings take 1 to 2 of EASE's own fits in all:

1. λ: steps of 4 from 500, then of 2, until both neighbours rank worse;
2. user weights, p = 0.5 and 1;
3. denoising, a = 0.5, 1 and 2, at λ / 2ᵃ: of two penalties each needs less;
4. λ again: steps of √2, then the peak of the parabola through the best three.

Every inverse is tried with all relaxed diagonals ξ at once.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np

from isotherm.linalg.cholesky import NotPositiveDefiniteError, invert_in_place
from isotherm.linalg.csr import column_counts, scale_rows, select_columns
from isotherm.linalg.gram import gram
from isotherm.models.choice.climb import climbed
from isotherm.models.choice.hidden_clicks import HiddenClicks
from isotherm.models.linear.left_out import left_out_ndcgs
from isotherm.models.linear.penalties import Asked, Penalties, user_weights
from isotherm.progress import stage
from isotherm.streams import stream
from isotherm.types import Array, Float64, UserItems

_log = logging.getLogger(__name__)

START = 500.0  #: λ where nothing can be learned, in units of the mean squared click
_SHARE = 1 / 3  # of the items
_LEAST_ITEMS = 500
_POWERS = (0.5, 1.0)  # p
_DENOISINGS = (0.5, 1.0, 2.0)  # a
_RELAXATIONS = (0.0, 0.15, 0.3)  # ξ
_STEPS = (4, 2, 1)  # of λ, in half octaves
_MOST_STEPS = 22  # λ stays within 500 / 2000 and 500 · 2000


def learn_penalties(user_items: UserItems, asked: Asked, seed: int) -> Penalties:
    """The penalties that rank hidden clicks best.  user_items: (n_users, n_items), every item clicked.

    The old default, λ = 500, where no user has two clicks among the most clicked items.
    """
    unit = mean_square(user_items)
    with stage("choose the penalties on hidden clicks"):
        sample = _Sample.draw(user_items, seed)
        return asked.given(START * unit) if sample is None else _Search(sample, asked).best(START * unit)


def mean_square(user_items: UserItems) -> float:
    """Of the clicks' weights: the unit of penalties."""
    return float(np.mean(np.square(user_items.data, dtype=np.float64)))


@dataclass(frozen=True, eq=False)
class _Sample:
    """The most clicked items, and users with hidden clicks among them.

    user_items: (n_users, n).  clicks: of all items, for user weights.
    """

    user_items: UserItems
    hidden: HiddenClicks
    clicks: UserItems

    @classmethod
    def draw(cls, clicks: UserItems, seed: int) -> "_Sample | None":
        """None where no user has two clicks to part."""
        rng, n_items = stream(seed, "hidden clicks"), clicks.shape[1]
        n = max(min(n_items, _LEAST_ITEMS), round(_SHARE * n_items))
        top = np.sort(np.argsort(-column_counts(clicks), kind="stable")[:n])
        user_items = select_columns(clicks, top)
        hidden = HiddenClicks.of_some_users(user_items, rng)
        return None if hidden is None else cls(user_items, hidden, clicks)


class _Search:
    """Tries penalties on a sample."""

    def __init__(self, sample: _Sample, asked: Asked) -> None:
        self._sample, self._asked = sample, asked
        self._relaxations = _RELAXATIONS if asked.relaxation is None else (asked.relaxation,)
        self._grams: dict[float, Array] = {}
        self._tried: dict[tuple[float, ...], Float64] = {}

    def best(self, start: float) -> Penalties:
        """Step by step, as the module says."""
        asked = self._asked
        best = asked.given(start)
        if asked.l2 is None:
            best = self._walked(best, _STEPS[:2])
        if asked.user_power is None:
            best = max([best, *(replace(best, user_power=power) for power in _POWERS)], key=self._value)
        if asked.denoising is None:
            best = max([best, *self._denoised(best)], key=self._value)
        if asked.l2 is None:
            best = self._peak(self._walked(best, _STEPS[2:]))
        return replace(best, relaxation=self._relaxations[int(self._ndcgs(best).argmax())])

    def _walked(self, best: Penalties, steps: tuple[int, ...]) -> Penalties:
        """λ by steps of so many half octaves, until both neighbours rank worse."""

        def at(place: int) -> Penalties:
            return replace(best, l2=best.l2 * 2 ** (place / 2))

        place = 0
        for step in steps:
            places = [n for n in range(-_MOST_STEPS, _MOST_STEPS + 1) if (n - place) % step == 0]
            place = climbed(place, places, lambda n: self._value(at(n)))
        return at(place)

    def _peak(self, best: Penalties) -> Penalties:
        """The peak of the parabola through the three best λ, √2 apart."""
        low, middle, high = (self._value(replace(best, l2=best.l2 * 2 ** (half / 2))) for half in (-1, 0, 1))
        bend = low - 2 * middle + high
        shift = 0.5 * (low - high) / bend if bend < 0 else 0.0
        return replace(best, l2=float(best.l2 * 2 ** (np.clip(shift, -1, 1) / 2)))

    def _denoised(self, best: Penalties) -> list[Penalties]:
        """The same with denoising, and less of λ where that is learned."""
        learned = float(self._asked.l2 is None)
        return [replace(best, denoising=a, l2=best.l2 * 2 ** (-a * learned)) for a in _DENOISINGS]

    def _value(self, penalties: Penalties) -> float:
        """By the best relaxed diagonal."""
        return float(self._ndcgs(penalties).max())

    def _ndcgs(self, penalties: Penalties) -> Float64:
        """(n_relaxations,) the mean over users; 0 where float32 cannot invert."""
        key = (float(f"{penalties.l2:.9g}"), penalties.denoising, penalties.user_power)
        if key not in self._tried:
            self._tried[key] = self._measured(penalties)
        return self._tried[key]

    def _measured(self, penalties: Penalties) -> Float64:
        sample, power = self._sample, penalties.user_power
        weights = user_weights(sample.clicks, power)
        inverse = self._gram(power, weights).copy()
        ridge = penalties.ridge(np.diag(inverse))
        inverse.flat[:: len(inverse) + 1] += ridge
        relaxations = np.array(self._relaxations)
        try:
            invert_in_place(inverse)
        except NotPositiveDefiniteError as cause:
            _log.info("ease: l2=%g cannot be tried in float32 (%s)", penalties.l2, cause)
            return np.zeros(len(relaxations))
        ndcgs = left_out_ndcgs(sample.hidden, inverse, ridge, weights[sample.hidden.users], relaxations)
        return np.asarray(ndcgs.mean(axis=0))

    def _gram(self, power: float, weights: Float64) -> Array:
        if power not in self._grams:
            rows = scale_rows(self._sample.user_items, np.sqrt(weights).astype(np.float32))
            self._grams[power] = gram([rows], rows.shape[1])
        return self._grams[power]
