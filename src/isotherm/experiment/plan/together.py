"""Several experiments at one time: one of a layer for a user, one layer for each thing that changes."""

from collections.abc import Sequence
from itertools import combinations

from isotherm.errors import ParameterError, brief
from isotherm.experiment.plan.experiment import Experiment


def check_together(experiments: Sequence[Experiment], places: Sequence[str] = ()) -> None:
    """Raises ParameterError where they cannot run on one server.  places: files of the plans, for messages.

    Two of one layer need spans that do not overlap, or times that do not; experiments of two layers must not
    have the same salt, nor change the same thing (model, cold, diversity, exploration, interleaving), or
    nobody could tell their effects apart; all have the same hold-out.
    """
    told = [str(place) for place in places] or [each.name for each in experiments]
    for (one, first), (other, second) in combinations(zip(experiments, told, strict=True), 2):
        if one.name == other.name:
            raise ParameterError(
                f"{second}: name: {first} declares {brief(one.name)}, too; name it otherwise"
            )
        if one.holdout != other.holdout:
            raise ParameterError(
                f"{second}: holdout is {other.holdout:g}, and {one.holdout:g} in {first}: those users are in "
                "no experiment at all; give both the same"
            )
        if _apart_in_time(one, other):
            continue
        if one.layer == other.layer:
            _check_exclusion(one, other, first, second)
        else:
            _check_effects(one, other, first, second)


def _check_exclusion(one: Experiment, other: Experiment, first: str, second: str) -> None:
    if one.span[0] < other.span[1] and other.span[0] < one.span[1]:
        raise ParameterError(
            f"{second}: span: {list(other.span)} overlaps {list(one.span)} of {first} in layer "
            f"{brief(one.layer)}; give spans that do not overlap, or another layer"
        )
    twice = sorted(set(one.overrides) & set(other.overrides))
    if twice:
        tester = f"overrides.{brief(twice[0])}"
        raise ParameterError(f"{second}: {tester}: is a tester of {first} in the same layer, too; choose one")


def _check_effects(one: Experiment, other: Experiment, first: str, second: str) -> None:
    if one.salted == other.salted:
        raise ParameterError(
            f"{second}: salt: {brief(one.salted)} is that of {first}, too, and every user would stand in the "
            "same arm of both; give another"
        )
    both = sorted(changes_of(one) & changes_of(other))
    if both:
        raise ParameterError(
            f"{second}: layer: {first} changes {both[0]} in layer {brief(one.layer)}, too; put both in one "
            "layer with spans that do not overlap"
        )


def changes_of(experiment: Experiment) -> frozenset[str]:
    """What its arms change: of model, cold, diversity, exploration."""
    changed = frozenset().union(*(arm.settings.changed for arm in experiment.arms))
    if any(arm.model is not None for arm in experiment.arms):
        changed |= {"model"}
    if experiment.kind == "interleaving":
        changed |= {"model", "exploration"}  # which list an item is of, and by which chance it stands there
    return changed if experiment.exploration is None else changed | {"exploration"}


def _apart_in_time(one: Experiment, other: Experiment) -> bool:
    return any(
        a.end is not None and b.start is not None and a.end <= b.start
        for a, b in ((one, other), (other, one))
    )
