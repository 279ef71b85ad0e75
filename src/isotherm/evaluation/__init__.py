"""Honest comparison of models: cold, warm and all candidates, with intervals and paired tests.

runner        evaluate: fit each model on a split or its folds, and measure it
cold_to_warm  ramp_up: new items after their first 0, 1, 2, 5, … clicks
options       the arguments of both, checked
prepared      splits over the catalogue, with candidate sets and groups
candidates    cold, warm and all items, each with what is to be found among them
lists         the best items for each user, in every candidate set
measures      metrics of lists
user_values   one value per user: means with intervals, means over folds
groups        users by their clicks, items by their age
bootstrap     intervals of means
paired        comparisons of two models: interval and p of one t-test, Holm's correction
side_by_side  two models in all candidate sets, metrics and groups
warnings      few users, new items shown far more or less than clicked
over_folds    a metric fold by fold: mean and spread
results       what an evaluation gives: figures, JSON, frames
"""

from isotherm.evaluation.bootstrap import Interval
from isotherm.evaluation.cold_to_warm import RampUp, ramp_up
from isotherm.evaluation.over_folds import OverFolds
from isotherm.evaluation.paired import Comparison
from isotherm.evaluation.results import Evaluation, Group, ModelResult
from isotherm.evaluation.runner import evaluate
from isotherm.evaluation.user_values import UserValues

__all__ = [
    "Comparison",
    "Evaluation",
    "Group",
    "Interval",
    "ModelResult",
    "OverFolds",
    "RampUp",
    "UserValues",
    "evaluate",
    "ramp_up",
]
