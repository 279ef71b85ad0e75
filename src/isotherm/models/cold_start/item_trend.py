"""How the clicks of an item grow or fade with time, and how far scores follow it.

EASE counts each click alike, whenever it came. Where the log has times, scores are multiplied by a power of

    (recent clicks + prior) / (all clicks + prior),

where the weight of a click halves with every tenth of the log that came after it, and weights have mean 1.
The power is what ranks best at cuts in time, and 0 where that is no sure gain or the log has no times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isotherm.checks import between, is_text
from isotherm.data import Interactions
from isotherm.errors import ParameterError
from isotherm.models.cold_start.calibration import surely_at_least, user_ndcgs
from isotherm.models.cold_start.new_item_share import CutInTime
from isotherm.progress import note
from isotherm.state import Dense, Field, Plain, Stateful
from isotherm.types import Array, Float32, Float64, Scores, UserItems
from isotherm.untrusted import Number

POWERS = (0.0, 0.25, 0.5, 0.75, 1.0)  #: from which one is chosen
_HALF_LIFE = 0.1  # of the log's clicks
_PRIOR_CLICKS = 10.0
_ERRORS = 2.0  # standard errors by which a trend must rank better, where they are of three periods


def trend_setting(value: Any) -> float | str:
    """``value`` as a number in [0, 1] or "auto", or ParameterError."""
    return "auto" if is_text(value, "auto") else between("trend", value, 0, 1, "[]")


def tried_powers(setting: float | str) -> tuple[float, ...]:
    """Those that a setting leaves open, 0 always first where it is "auto"."""
    return POWERS if setting == "auto" else (float(setting),)


def popularity_trend(user_items: UserItems, times: Array) -> Float64:
    """Recent clicks over all clicks of each item, (n_items,) > 0; 1 for an item without clicks.

    user_items: (n_users, n_items).  times: of each click, in the order of ``user_items.data``.

    >>> import numpy as np
    >>> from isotherm.models.cold_start.item_trend import popularity_trend
    >>> from scipy.sparse import csr_array
    >>> clicks = csr_array(np.array([[1, 0, 1, 0], [1, 1, 0, 0]], dtype=np.float32))
    >>> popularity_trend(clicks, np.array([1, 9, 2, 8])).round(1)
    array([0.8, 1. , 1.2, 1. ])
    """
    from scipy.stats import rankdata  # takes most of a second to import, and a server never learns

    n_items, n_clicks = user_items.shape[1], user_items.nnz
    ages = 1 - rankdata(times, "average") / max(n_clicks, 1)
    weights = np.exp2(-ages / _HALF_LIFE)
    recent = np.bincount(user_items.indices, weights / weights.mean(), n_items) if n_clicks else 0.0
    clicks = np.bincount(user_items.indices, minlength=n_items)
    return np.asarray((recent + _PRIOR_CLICKS) / (clicks + _PRIOR_CLICKS))


def choose_trend(
    model: str, setting: float | str, shows: Sequence[Sequence[CutInTime]]
) -> tuple[float, list[CutInTime]]:
    """The power in use, and what the model shows under it at the cuts in time.

    The one of the setting, else the one that ranks best at the cuts, and 0 where none surely ranks better.
    shows: by cut and tried power.  model: its name, to note what was chosen.
    """
    powers = tried_powers(setting)
    if not shows:
        return powers[0], []
    ndcgs = [np.array([_ndcgs(cut) for cut in show]) for show in shows]
    chosen = _sure_power(ndcgs)
    together = np.concatenate(ndcgs, axis=1)
    if len(powers) > 1:
        note(f"{model}: {_told(powers[chosen], together[chosen], together[0])}")
    return powers[chosen], [show[chosen] for show in shows]


def _sure_power(ndcgs: Sequence[Float64]) -> int:
    """The least power within one standard error of the best one, where that is surely better than none.

    Errors are of users and of periods, as one period is not the next.  ndcgs: by cut, (n_powers, n_users).
    """
    together = np.concatenate(ndcgs, axis=1)
    best = int(together.mean(axis=1).argmax())
    gains = together[best] - together[0]
    by_cut = [float((of_cut[best] - of_cut[0]).mean()) for of_cut in ndcgs]
    of_users = _ERRORS * gains.std() / np.sqrt(len(gains))
    if gains.mean() <= np.hypot(of_users, _luck_of_periods(by_cut)):
        return 0
    return next(i for i in range(best + 1) if surely_at_least(together[i], together[best], 1.0, -1.0))


def _luck_of_periods(gains: Sequence[float]) -> float:
    """How far the mean gain of these periods may be from that of others, by Student's t."""
    from scipy.stats import t as student_t  # as above

    n = len(gains)
    if n < 2:
        return np.inf
    tail = student_t.sf(_ERRORS, df=2)  # how likely chance gives as much: two periods need more errors for it
    return float(student_t.isf(tail, df=n - 1) * np.std(gains, ddof=1) / np.sqrt(n))


def _ndcgs(cut: CutInTime) -> Float64:
    """ndcg@10 of warm items alone, of each tested user."""
    return user_ndcgs(cut.tested.lists.warm.columns, cut.targets)


def _told(power: float, ndcgs: Float64, without: Float64) -> str:
    """What was chosen, and what it gives."""
    if not power:
        return "scores do not follow the trend of items, which ranks no better at cuts in time"
    return (
        f"scores follow the trend of items (power {power:g}); ndcg@10 of known items at cuts in time: "
        f"{ndcgs.mean():.3f}, without the trend {without.mean():.3f}"
    )


@dataclass(frozen=True, eq=False)
class ItemTrend(Stateful):
    """What scores are multiplied by: power, and factors (n_items,) float32, 1 for items without clicks."""

    power: float
    factors: Float32

    @classmethod
    def empty(cls) -> "ItemTrend":
        """To be filled with what a saved model holds."""
        return cls(0.0, np.empty(0, dtype=np.float32))

    @classmethod
    def of(cls, clicks: Interactions, power: float) -> "ItemTrend":
        """By the times of a log; all factors are 1 where it has none."""
        times = clicks.click_times()
        if not power or times is None:
            return cls(power, np.ones(clicks.n_items, dtype=np.float32))
        return cls(power, (popularity_trend(clicks.matrix, times) ** power).astype(np.float32))

    def of_newer(self, model: str, clicks: Interactions) -> "ItemTrend":
        """The same power by a newer log; where that has no times, a note says that scores follow no trend.

        model: its name.
        """
        if self.power and clicks.timestamps is None:
            note(
                f"{model}: the log has no times now, so scores do not follow the trend of items; "
                "fit anew to choose the share of new items without it"
            )
        return ItemTrend.of(clicks, self.power)

    @property
    def learned(self) -> Iterator[Field]:
        """Power and factors."""
        yield Plain("power", Number(least=0, most=1))
        yield Dense("factors", np.float32, ("n_items",), least=0)

    def set_learned_value(self, name: str, value: Any) -> None:
        """Fill an ``empty`` object while a saved model is loaded; nothing else ever changes it."""
        object.__setattr__(self, name, value)

    def learned_settings(self, setting: float | str) -> dict[str, float]:
        """The power, under the name that it has in a model, where the setting leaves it open."""
        return {"trend_.power": self.power} if setting == "auto" else {}

    def scaled(self, scores: Scores) -> Scores:
        """Scores (n_users, n_items) times the factors, in place."""
        if self.power:
            scores *= self.factors
        return scores

    def appended(self, n: int) -> "ItemTrend":
        """With ``n`` items more, without clicks."""
        return ItemTrend(self.power, np.append(self.factors, np.ones(n, dtype=np.float32)))


def check_times(model: str, setting: float | str, clicks: Interactions) -> None:
    """Raise ParameterError where a trend is set, and the log has no times to know it by."""
    if setting not in ("auto", 0.0) and clicks.timestamps is None:
        raise ParameterError(
            f"{model}: trend={setting} needs the times of the clicks, and this log has none; "
            "set trend=0, leave it at auto, or name the column of the times"
        )
