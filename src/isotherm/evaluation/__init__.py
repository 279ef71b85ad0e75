"""Honest comparison of models: cold, warm and all candidates, with intervals and paired tests."""

from isotherm.evaluation.bootstrap import Comparison, Interval
from isotherm.evaluation.ramp_up import RampUp, ramp_up
from isotherm.evaluation.results import Evaluation, Group, ModelResult
from isotherm.evaluation.runner import evaluate

__all__ = ["Comparison", "Evaluation", "Group", "Interval", "ModelResult", "RampUp", "evaluate", "ramp_up"]
