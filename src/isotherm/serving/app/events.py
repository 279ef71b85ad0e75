"""The route for events: what users did, in batches, each kept once by its id."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from isotherm.serving.app import answers, schemas
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.shared.shared import SharedModel


def event_routes(shared: SharedModel, limits: Limits, metrics: Metrics, writes: Sequence[Any]) -> APIRouter:
    """That of a shared model.  writes: dependencies of what changes something."""
    routes = APIRouter()

    @routes.post("/v1/events", dependencies=writes, summary="Keep what users did; the next answers follow it")
    def add_events(body: schemas.EventsBody) -> answers.Counted:
        limits.check("events", body.root, "events")
        counts = shared.add_events(body.root)
        metrics.count_events(counts)
        return answers.Counted.of(counts)

    return routes
