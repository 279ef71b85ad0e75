"""Routes for the model and metrics."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST

from isotherm.serving.app import answers, schemas
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.catalogue.readable import left_out
from isotherm.serving.shared.shared import SharedModel


def model_routes(
    shared: SharedModel, metrics: Metrics, writes: Sequence[Any], sight: Callable[..., bool]
) -> APIRouter:
    """Those of the model.  writes: dependencies of what changes something.  sight: tells who may learn of
    items that are unavailable, as those that the model cannot read are."""
    routes = APIRouter()

    @routes.get("/v1/model", summary="The model on the air")
    def model(names_items: bool = Depends(sight)) -> answers.ModelInfo:
        return _info(shared, names_items)

    @routes.post(
        "/v1/model/swap",
        dependencies=writes,
        summary="Put a saved model on the air, or in the place of that of an arm, once it answers",
    )
    def swap(body: schemas.SwapBody) -> answers.ModelInfo:
        with metrics.counting_swap("done"):
            shared.swap(body.path, body.arm, body.experiment)
        return _info(shared)

    @routes.post(
        "/v1/model/rollback",
        dependencies=writes,
        summary="Put the model before on the air again, or in the place of that of an arm",
    )
    def rollback(body: schemas.RollbackBody | None = None) -> answers.ModelInfo:
        of = (None, None) if body is None else (body.arm, body.experiment)
        with metrics.counting_swap("rolled_back"):
            shared.roll_back(*of)
        return _info(shared)

    return routes


def _info(shared: SharedModel, names_items: bool = True) -> answers.ModelInfo:
    snapshot = shared.snapshot
    return answers.ModelInfo(
        model=snapshot.fitted.name,
        kind=snapshot.model.name,
        version=shared.version,
        age_seconds=time.time() - snapshot.fitted.loaded,
        users=len(snapshot.model.users_),
        items=snapshot.model.n_items,
        new_items=int(snapshot.cold.sum()),
        can_roll_back=shared.on_air.before is not None,
        loading=shared.is_loading,
        failed=answers.FailedModel.of(shared.failed),
        left_out=answers.LeftOutItems.of(left_out(snapshot), names_items),
    )


def metrics_routes(metrics: Metrics) -> APIRouter:
    """What Prometheus reads, also where every other thread waits for the database."""
    routes, own = APIRouter(), CapacityLimiter(1)

    @routes.get(
        "/metrics",
        response_class=Response,
        summary="Metrics for Prometheus",
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    async def read_metrics() -> Response:
        told = await to_thread.run_sync(metrics.exposition, limiter=own)
        return Response(told, media_type=CONTENT_TYPE_LATEST)

    return routes
