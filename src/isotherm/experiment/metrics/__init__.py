"""What is measured of users in an experiment.

metric      Metric: a mean over users, a ratio of two sums over users, or the coverage of an arm
standard    the metrics of a recommender: click-through, clicks, watch time, conversion, and its guardrails
"""

from isotherm.experiment.metrics.metric import Metric
from isotherm.experiment.metrics.standard import STANDARD, by_name

__all__ = ["STANDARD", "Metric", "by_name"]
