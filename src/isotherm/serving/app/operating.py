"""Routes for the model, health and metrics."""

import time
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from isotherm.serving.app import schemas
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.live.readable import left_out
from isotherm.serving.live.shared import SharedModel


def model_routes(shared: SharedModel, writes: Sequence[Any]) -> APIRouter:
    """Those of the model.  writes: dependencies of what changes something."""
    routes = APIRouter()

    def info() -> schemas.ModelInfo:
        snapshot = shared.snapshot
        return schemas.ModelInfo(
            model=snapshot.fitted.name,
            kind=snapshot.model.name,
            version=shared.version,
            age_seconds=time.time() - snapshot.fitted.loaded,
            users=len(snapshot.model.users_),
            items=snapshot.model.n_items,
            new_items=int(snapshot.cold.sum()),
            can_roll_back=shared.on_air.before is not None,
            loading=shared.is_loading,
            failed=schemas.FailedModel.of(shared.failed),
            left_out=schemas.LeftOutItems.of(left_out(snapshot)),
        )

    @routes.get("/v1/model", summary="The model on the air")
    def model() -> schemas.ModelInfo:
        return info()

    @routes.post(
        "/v1/model/swap", dependencies=writes, summary="Put a saved model on the air once it answers"
    )
    def swap(body: schemas.SwapBody) -> schemas.ModelInfo:
        shared.swap(body.path)
        return info()

    @routes.post("/v1/model/rollback", dependencies=writes, summary="Put the model before on the air again")
    def rollback() -> schemas.ModelInfo:
        shared.roll_back()
        return info()

    return routes


def health_routes() -> APIRouter:
    """Whether the server lives, and whether it can answer."""
    routes = APIRouter()

    @routes.get("/livez", summary="Whether the process answers")
    def livez() -> schemas.Health:
        return schemas.Health()

    @routes.get("/readyz", summary="Whether a model is on the air")
    def readyz() -> schemas.Health:
        return schemas.Health()

    return routes


def metrics_routes(metrics: Metrics) -> APIRouter:
    """What Prometheus reads."""
    routes = APIRouter()

    @routes.get(
        "/metrics",
        response_class=Response,
        summary="Metrics for Prometheus",
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    )
    def read_metrics() -> Response:
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
