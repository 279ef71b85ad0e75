"""What an experiment needs before it starts, from a site's own event log.

site            the users of a log, as if an experiment without any change had run on its last days
power           base rates, variances, the least effect that can be told, days that are needed
without_change  experiments without any change on the log: how often p < 0.05 is false
whole           design, all of it, and what it says in words
options         its settings
"""

from isotherm.experiment.design.options import DesignOptions
from isotherm.experiment.design.power import Horizon, MetricDesign, metric_design
from isotherm.experiment.design.site import site_users
from isotherm.experiment.design.whole import Design, design
from isotherm.experiment.design.without_change import FalsePositives, false_positives

__all__ = [
    "Design",
    "DesignOptions",
    "FalsePositives",
    "Horizon",
    "MetricDesign",
    "design",
    "false_positives",
    "metric_design",
    "site_users",
]
