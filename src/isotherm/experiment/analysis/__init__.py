"""What an experiment says: is it sound, is the treatment better, by how much, and what follows.

whole         analyze, the whole analysis, from one row a user: start here
planned       what the plan says: weights, days, refits
result        what it gives, as objects and as JSON
options       its settings
sample_ratio  whether the arms have the users that the plan gives them
samples       an arm on a metric: means, ratios of sums by the delta method, trimmed means
cuped         less what was there before the experiment
effects       difference, relative difference, intervals, p
day_effects   the relative difference day by day
posterior     the probability of being better, with its prior
bootstrap     the same intervals by drawing users anew
sequences     intervals that stay valid however often one looks
multiplicity  several arms and goals
groups        by clicks before, by cold and warm items
over_time     novelty, and spill-over through shared refits
preference    which of two interleaved models users prefer
coverage      distinct items that groups of users are shown
verdict       ship, stop or wait
"""

from isotherm.experiment.analysis.options import AnalysisOptions
from isotherm.experiment.analysis.result import ArmResult, MetricResult, Result
from isotherm.experiment.analysis.whole import Schedule, analyze

__all__ = ["AnalysisOptions", "ArmResult", "MetricResult", "Result", "Schedule", "analyze"]
