"""Routes for experiments: which run, what their arms get, how many users each has, and what came of them."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, HTTPException

from isotherm.experiment.plan import Arm, Experiment, plan_of
from isotherm.serving.app import answers
from isotherm.serving.shared.experiment_results import ExperimentResults
from isotherm.serving.shared.shared import SharedModel


def experiment_routes(shared: SharedModel, writes: Sequence[Any]) -> APIRouter:
    """Those of a shared model.  writes: dependencies of results, which are for those who run the server."""
    routes, results = APIRouter(), ExperimentResults(shared)

    @routes.get("/v1/experiments", summary="The experiments of this server, and users by arm")
    def experiments() -> answers.Experiments:
        return answers.Experiments(experiments=[_told(shared, each) for each in shared.experiments.plans])

    @routes.get(
        "/v1/experiments/{experiment:id}/result",
        dependencies=writes,
        summary="What the events say of an experiment: at most a minute old",
    )
    def result(experiment: str) -> answers.ExperimentResult:
        plan = next((each for each in shared.experiments.plans if each.name == experiment), None)
        if plan is None:
            raise HTTPException(404)
        found = results.of(plan)
        told = None if found.result is None else found.result.to_dict()
        return answers.ExperimentResult(
            experiment=plan.name, made=found.at, words=list(found.words), result=told
        )

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
