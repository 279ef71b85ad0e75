"""Routes for experiments: which run, what their arms get, how many users each has, and what came of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, HTTPException

from isotherm.experiment.plan import Experiment, plan_of
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
        arms=_arms(shared, experiment, plan, counts),
        users=sum(counts.values()),
    )


def _arms(
    shared: SharedModel, experiment: Experiment, plan: Mapping[str, Any], counts: Mapping[str, int]
) -> list[answers.ArmInfo]:
    """plan: the document of the experiment.  counts: arm -> its users."""
    shares, servers_own = experiment.shares, shared.snapshot.fitted.name
    told = []
    for arm in plan["arms"]:
        name = arm["name"]
        own = shared.experiments.model_name(experiment.name, name)
        told.append(
            answers.ArmInfo(
                arm=name,
                share=shares[name],
                model=servers_own if own is None else own,
                own_model=own is not None,
                settings=arm["settings"],
                users=counts.get(name, 0),
            )
        )
    return told
