"""What of a plan may change while an experiment runs: nothing that would move a user between arms."""

from isotherm.errors import ParameterError
from isotherm.experiment.plan.arms import Arm
from isotherm.experiment.plan.experiment import Experiment

_ANEW = "take it back, or give the experiment another name"


def check_change(before: Experiment, after: Experiment, now: float) -> None:
    """Raises ParameterError where an experiment that has users cannot go on by another plan.

    Weights may change, arms be added, models of arms be exchanged, testers and exploration change, the ramp
    grow and the end move; an arm that shall take no more users gets the weight 0.  now: seconds since 1970.
    """
    for key, old, new in (
        ("salt", before.salted, after.salted),
        ("layer", before.layer, after.layer),
        ("span", before.span, after.span),
        ("holdout", before.holdout, after.holdout),
        ("kind", before.kind, after.kind),
    ):
        if old != new:
            raise ParameterError(f"{key}: was another, and the experiment has users; {_ANEW}")
    if before.ended_by(now) and not after.ended_by(now):
        raise ParameterError(f"end: the experiment is over, and its users have left their arms; {_ANEW}")
    has_begun = before.start is None or before.start <= now
    if before.start != after.start and has_begun:
        raise ParameterError(f"start: was another, and the experiment has users; {_ANEW}")
    if after.control.name != before.control.name:
        raise ParameterError(f"arms[0].name: the control was {before.control.name}; {_ANEW}")
    for arm in before.arms:
        _check_arm(arm, after)
    if after.ramp.share_at(now) < before.ramp.share_at(now) and not after.ended_by(now):
        shares = f"the share is {after.ramp.share_at(now):g} now and was {before.ramp.share_at(now):g}"
        raise ParameterError(f'ramp: {shares}: users would leave their arms; let it grow, or give "end"')


def _check_arm(arm: Arm, after: Experiment) -> None:
    if arm.name not in after.arm_names:
        raise ParameterError(f"arms: {arm.name} is gone, and has users; leave it in with the weight 0")
    key = f"arms[{after.arm_names.index(arm.name)}]"
    now = after.arm(arm.name)
    if now.settings != arm.settings:
        raise ParameterError(f"{key}.settings: were others, and the arm has users; {_ANEW}")
    if (now.model is None) != (arm.model is None):
        raise ParameterError(f"{key}.model: the server's own was exchanged for another, or back; {_ANEW}")
