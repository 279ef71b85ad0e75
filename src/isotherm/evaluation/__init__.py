"""Honest comparison of models: cold, warm and all candidates, with intervals and paired tests."""

from isotherm.evaluation.bootstrap import Comparison, Interval
from isotherm.evaluation.runner import Evaluation, ModelResult, evaluate

__all__ = ["Comparison", "Evaluation", "Interval", "ModelResult", "evaluate"]
