"""What is believed of a relative effect after an experiment: a normal prior, a normal likelihood.

The prior is N(0, scale²): before the data, effects of either sign are as likely, and two in three are smaller
than ``scale``. The posterior's mean is the estimate, drawn towards 0 by scale² / (scale² + error²).
"""

from dataclasses import dataclass

from scipy import stats

from isotherm.experiment.analysis.options import AnalysisOptions


@dataclass(frozen=True)
class Posterior:
    """A normal distribution of the relative effect."""

    prior_scale: float  #: standard deviation of the prior around 0
    mean: float
    deviation: float
    low: float  #: end of the central interval of the level
    high: float
    probability_better: float  #: that the effect has the wanted sign


def posterior(estimate: float, error: float, options: AnalysisOptions, wanted: str = "up") -> Posterior:
    """The posterior of a relative effect estimated with a standard error, infinite for no estimate."""
    scale = options.prior_scale
    deviation = (scale**-2 + error**-2) ** -0.5 if error > 0 else 0.0
    mean = estimate * (deviation / error) ** 2 if error > 0 else estimate
    reach = float(stats.norm.ppf((1 + options.level) / 2)) * deviation
    sign = 1 if wanted == "up" else -1
    better = float(stats.norm.cdf(sign * mean / deviation)) if deviation > 0 else float(sign * mean > 0)
    return Posterior(scale, mean, deviation, mean - reach, mean + reach, better)
