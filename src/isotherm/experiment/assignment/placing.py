"""Whom an experiment takes, and into which arm.

Layer, ramp, arm and hold-out have salts of their own. So where a user stands in one says nothing of the
others: a ramp that grows, weights that change and a neighbour in the layer leave him in his arm.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from isotherm.experiment.assignment.buckets import Id, bucket
from isotherm.experiment.plan.arms import INTERLEAVED
from isotherm.experiment.plan.experiment import Experiment

Reason = Literal["hash", "override", "sticky"]


@dataclass(frozen=True)
class Placement:
    """A user's arm, and why: by his hash, as a tester, or as it is the arm of his first exposure."""

    experiment: str
    arm: str
    reason: Reason


def place(experiment: Experiment, user: Id, at: float, first: str | None = None) -> Placement | None:
    """The arm of a user at a time, in seconds since 1970; None where he is in none.

    first: the arm of his first exposure, where one is kept: it wins over changed weights, but over no
    override. None is in an experiment that does not run, but testers before its start.

    >>> from isotherm.experiment.assignment import place
    >>> from isotherm.experiment.plan import Arm, Experiment
    >>> experiment = Experiment("films", (Arm("control"), Arm("new")), overrides={"eve": "new"})
    >>> place(experiment, "eve", 0.0).reason, place(experiment, "ann", 0.0, first="new").arm
    ('override', 'new')
    """
    if experiment.ended_by(at):
        return None
    tester = experiment.overrides.get(str(user)) if experiment.overrides else None
    if tester is not None:
        return Placement(experiment.name, tester, "override")
    is_in = takes(experiment, user, at) if first is None else experiment.runs_at(at)
    return _placed(experiment, user, first) if is_in else None


def placements(
    experiments: Sequence[Experiment], user: Id, at: float, first: Callable[[Experiment], str | None]
) -> list[Placement]:
    """Those of a user among experiments that run together: one of a layer at most, testers first.

    first: the arm of his first exposure to an experiment, where one is kept; it is asked of those only that
    may take him.
    """
    found: dict[str, Placement] = {}
    for experiment in experiments:
        if experiment.overrides and str(user) in experiment.overrides:
            placed = place(experiment, user, at)
            if placed is not None:
                found.setdefault(experiment.layer, placed)
    for experiment in experiments:
        if experiment.layer not in found and takes(experiment, user, at):
            found[experiment.layer] = _placed(experiment, user, first(experiment))
    return list(found.values())


def _placed(experiment: Experiment, user: Id, first: str | None) -> Placement:
    """The arm of a user who takes part: that of his first exposure, else by the weights of now."""
    arm = arm_of(experiment, user)
    if first is None or first == arm:
        return Placement(experiment.name, arm, "hash")
    return Placement(experiment.name, first, "sticky")


def takes(experiment: Experiment, user: Id, at: float) -> bool:
    """Whether an experiment that runs takes a user by his hashes: hold-out, layer, ramp."""
    if not experiment.runs_at(at):
        return False
    if experiment.holdout and bucket("isotherm/holdout", user) < experiment.holdout:
        return False
    low, high = experiment.span
    if (low, high) != (0.0, 1.0) and not low <= bucket(f"isotherm/layer/{experiment.layer}", user) < high:
        return False
    share = experiment.ramp.share_at(at)
    return share >= 1 or (share > 0 and bucket(f"isotherm/ramp/{experiment.salted}", user) < share)


def arm_of(experiment: Experiment, user: Id) -> str:
    """The arm that the weights of now give a user, whether the experiment takes him or not."""
    if experiment.kind == "interleaving":
        return INTERLEAVED
    names, bounds = experiment.arm_bounds
    return names[bisect_right(bounds, bucket(f"isotherm/arm/{experiment.salted}", user))]
