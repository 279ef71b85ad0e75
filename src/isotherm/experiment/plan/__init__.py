"""What is declared of an experiment before it runs; read from one JSON file; every refusal names the key.

experiment   Experiment: arms, shares of users, times; what may be declared
arms         Arm and its Settings; Exploration of the tail of a list
times        Ramp, and times as a plan writes them
reading      from a JSON file, and back
together     several plans at one time: layers, exclusion, one thing changed by one layer
changes      what of a plan may change while its users stay in their arms
"""

from isotherm.experiment.plan.arms import INTERLEAVED, Arm, Exploration, Settings
from isotherm.experiment.plan.changes import check_change
from isotherm.experiment.plan.experiment import Experiment
from isotherm.experiment.plan.reading import experiment_of, plan_of, read_plan
from isotherm.experiment.plan.times import Ramp, RampStep
from isotherm.experiment.plan.together import check_together

__all__ = [
    "INTERLEAVED",
    "Arm",
    "Experiment",
    "Exploration",
    "Ramp",
    "RampStep",
    "Settings",
    "check_change",
    "check_together",
    "experiment_of",
    "plan_of",
    "read_plan",
]
