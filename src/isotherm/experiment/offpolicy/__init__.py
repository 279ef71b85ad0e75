"""What another policy would have got, from a log with propensities, before anybody is shown it.

study        estimate: all of it, the result and its verdict
logged       a log: one row for each shown item, from a frame or a file
serving_log  the same from exposures and events
targets      the new policy: a column of probabilities, a table, a model's ranking with exploration
weights      importance weights of rows and lists, effective sample size, refusal
rewards      a model of rewards, fitted across users
estimators   IPS, SNIPS, doubly robust, switch
intervals    by the delta method and the bootstrap, users as units
"""

from isotherm.experiment.offpolicy.intervals import Estimate
from isotherm.experiment.offpolicy.logged import LogColumns, Logged, log_of, read_log
from isotherm.experiment.offpolicy.rewards import Predictions, cross_fitted, given_table
from isotherm.experiment.offpolicy.serving_log import ServingLog, read_serving_log, serving_log_of
from isotherm.experiment.offpolicy.study import METHODS, OffPolicyOptions, OffPolicyResult, estimate
from isotherm.experiment.offpolicy.targets import ActionTable, Column, ModelRanking, Target
from isotherm.experiment.offpolicy.weights import Overlap, OverlapRules, importance_weights, measure_overlap

__all__ = [
    "METHODS",
    "ActionTable",
    "Column",
    "Estimate",
    "LogColumns",
    "Logged",
    "ModelRanking",
    "OffPolicyOptions",
    "OffPolicyResult",
    "Overlap",
    "OverlapRules",
    "Predictions",
    "ServingLog",
    "Target",
    "cross_fitted",
    "estimate",
    "given_table",
    "importance_weights",
    "log_of",
    "measure_overlap",
    "read_log",
    "read_serving_log",
    "serving_log_of",
]
