"""Whether a verdict is right, by the truth.

ship   right where the truth is better than no effect
stop   right where the truth is worse, or gains less than is worth having
wait   right where the interval holds 0
"""

from isotherm.experiment.analysis import Result
from isotherm.experiment.practice.truth import Truth


def is_right(result: Result, truth: Truth) -> bool:
    """Whether the verdict is right. One without a figure (the sample ratio is wrong) is not."""
    goal = result.goal
    if goal is None or goal.effect is None:
        return False
    if result.verdict.action == "ship":
        return truth.estimate > 0
    if result.verdict.action == "stop":
        return truth.estimate < result.options.worth
    interval = goal.effect.relative
    return result.verdict.action == "wait" and interval.low <= 0 <= interval.high


def is_inside(result: Result, truth: Truth) -> bool:
    """Whether the truth lies inside the interval of the goal."""
    goal = result.goal
    if goal is None or goal.effect is None:
        return False
    return goal.effect.relative.low <= truth.estimate <= goal.effect.relative.high
