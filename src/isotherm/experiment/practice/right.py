"""Whether a verdict is right, by the truth.

ship   right where the truth is better than no effect
stop   right where the truth is worse, or gains less than is worth having
wait   right where the interval, if there is one, does not leave out 0
"""

from isotherm.experiment.analysis import Result
from isotherm.experiment.practice.truth import Truth


def is_right(result: Result, truth: Truth) -> bool:
    """Whether the verdict is right. One without a figure (the sample ratio is wrong) is not."""
    if result.verdict.action == "ship":
        return truth.estimate > 0
    if result.verdict.action == "stop":
        return truth.estimate < result.options.worth
    goal = result.goal
    if result.verdict.action != "wait" or goal is None:
        return False
    return goal.effect is None or not (goal.effect.relative.low > 0 or goal.effect.relative.high < 0)


def is_inside(result: Result, truth: Truth) -> bool:
    """Whether the truth lies inside the interval of the goal."""
    goal = result.goal
    if goal is None or goal.effect is None:
        return False
    return goal.effect.relative.low <= truth.estimate <= goal.effect.relative.high
