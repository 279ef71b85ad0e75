"""Intervals that stay valid however often one looks: confidence sequences of the relative effect, day by day.

A look at day d has L = log(treatment / control) of all that users did to the end of that day, with a standard
error s over users, and information V = 1/s². The asymptotic confidence sequence of Waudby-Smith, Arbour,
Sinha, Kennedy and Ramdas (2024, theorem 2.2; Robbins' normal mixture, as in the mixture sequential ratio test
of Johari et al. 2017) is

    L ± √((V + ρ⁻²) log((ρ²V + 1) / α²)) / V

with ρ, the scale of effects expected, chosen before the data (``prior_scale``).

What holds. The bound is one for Brownian motion in V: cov(L_s, L_t) = var(L_t) for looks s < t. That is so,
for many users, where each brings all that counts at once, and where a user's rate stays while days add
independent noise. A user who comes back brings correlated increments. What is the user's own and stays (a
taste, a rate) moves all looks alike, and users who came first weigh more in early looks, so cov(L_s, L_t) >=
var(L_t): looks are tied more closely than those of Brownian motion, and wander less (Slepian's inequality,
for each side). So the error over all looks is at most α, in the limit of many users. It is not exact for few:
looks begin with ``fewest`` users in each arm. Nor does it hold for days so correlated with their neighbours,
and so little with the others, that the first days of the log tell nearly nothing yet. What does not matter is
how often one looks.
"""

import math
from dataclasses import dataclass

from scipy import stats

from isotherm.experiment.analysis.day_effects import day_effects
from isotherm.experiment.analysis.effects import Interval
from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.log import Moments
from isotherm.experiment.metrics import Metric


@dataclass(frozen=True)
class Look:
    """What was known at the end of one day, of relative differences."""

    day: int  #: of the experiment, counted from 1
    users: int  #: of both arms, exposed by then
    estimate: float
    error: float  #: standard error of log(treatment / control)
    fixed: Interval  #: for this one look alone
    sequence: Interval  #: valid over all looks
    p: float  #: always valid: the least so far


def reach(error: float, scale: float, level: float) -> float:
    """Half the width of a confidence sequence around an estimate with a standard error > 0."""
    information, width = error**-2, scale**-2
    alpha = 1 - level
    return math.sqrt((information + width) * math.log((information / width + 1) / alpha**2)) / information


def always_valid_p(log_ratio: float, error: float, scale: float) -> float:
    """1 / Bayes factor of N(0, scale²) against no effect, at most 1."""
    share = scale**2 / (scale**2 + error**2)
    # log(1 − share) as such: of a wide prior the share rounds to 1
    bayes = 0.5 * share * (log_ratio / error) ** 2 - math.log(math.hypot(scale, error) / error)
    return math.exp(-max(bayes, 0.0))


def looks(metric: Metric, to_date: Moments, arm: int, options: AnalysisOptions) -> list[Look]:
    """A look for each of the ``day_effects``.

    to_date: moments by day and arm of all that users did to its end.  arm: place of the treatment.
    """
    found: list[Look] = []
    least, quantile = 1.0, float(stats.norm.ppf((1 + options.level) / 2))
    for each in day_effects(metric, to_date, arm, options):
        log_ratio, error = math.log1p(each.estimate), each.error
        least = min(least, always_valid_p(log_ratio, error, options.prior_scale))
        fixed = around(log_ratio, quantile * error)
        sequence = around(log_ratio, reach(error, options.prior_scale, options.level))
        found.append(Look(each.day + 1, each.users, each.estimate, error, fixed, sequence, least))
    return found


def around(log_ratio: float, half: float) -> Interval:
    """The relative differences of log(treatment / control) ± half."""
    return Interval(math.expm1(log_ratio - half), math.expm1(min(log_ratio + half, 700.0)))
