"""The route for experiments: which run, what their arms get, and how many users each has."""

from fastapi import APIRouter

from isotherm.experiment.plan import Arm, Experiment, plan_of
from isotherm.serving.app import answers
from isotherm.serving.shared.shared import SharedModel


def experiment_routes(shared: SharedModel) -> APIRouter:
    """That of a shared model."""
    routes = APIRouter()

    @routes.get("/v1/experiments", summary="The experiments of this server, and users by arm")
    def experiments() -> answers.Experiments:
        return answers.Experiments(experiments=[_told(shared, each) for each in shared.experiments.plans])

    return routes


def _told(shared: SharedModel, experiment: Experiment) -> answers.ExperimentInfo:
    now, plan = shared.now(), plan_of(experiment)
    counts = shared.experiments.counts(experiment.name)
    arms = [_arm(shared, experiment, arm, counts.get(arm.name, 0)) for arm in experiment.arms]
    return answers.ExperimentInfo(
        experiment=experiment.name,
        kind="interleaving" if experiment.kind == "interleaving" else "arms",
        running=experiment.runs_at(now),
        share=experiment.ramp.share_at(now),
        layer=experiment.layer,
        span=list(experiment.span),
        holdout=experiment.holdout,
        start=experiment.start,
        end=experiment.end,
        weights=shared.experiments.weights(experiment.name),
        testers=len(experiment.overrides),
        exploration=plan["exploration"],
        arms=arms,
        users=sum(counts.values()),
    )


def _arm(shared: SharedModel, experiment: Experiment, arm: Arm, n_users: int) -> answers.ArmInfo:
    own = shared.experiments.model_name(experiment.name, arm.name)
    place = experiment.arm_names.index(arm.name)
    return answers.ArmInfo(
        arm=arm.name,
        share=experiment.shares[arm.name],
        model=shared.snapshot.fitted.name if own is None else own,
        own_model=own is not None,
        settings=plan_of(experiment)["arms"][place]["settings"],
        users=n_users,
    )
