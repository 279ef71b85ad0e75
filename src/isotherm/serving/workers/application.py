"""The app of a worker, on its server's model and database."""

from collections.abc import Sequence
from typing import BinaryIO

from fastapi import FastAPI

from isotherm.experiment.plan import experiment_of
from isotherm.models.base import Recommender
from isotherm.models.persistence import load
from isotherm.serving.app.factory import create_app
from isotherm.serving.app.rates import RateLimit
from isotherm.serving.database import Database
from isotherm.serving.live.requests import Asker
from isotherm.serving.shared.following import content_of
from isotherm.serving.shared.shared import SharedModel
from isotherm.serving.workers.settings import ServerSettings


def application(settings: ServerSettings, verified: Sequence[str], rates: BinaryIO) -> FastAPI:
    """The app, which has answered a first request.

    verified: content of the models that the parent has read and held against their SHA-256.  rates: the file
    in which all workers count requests of clients, where there is a limit.
    """

    def loaded(folder: str) -> Recommender:
        return load(folder, mapped=True, verify=content_of(folder) not in verified)

    database = Database.open(settings.database, seconds=settings.limits.database_seconds)
    shared = SharedModel.open(
        settings.model,
        database,
        load=loaded,
        exposure_days=settings.exposure_days,
        experiments=[experiment_of(plan) for _, plan in settings.experiments],
    )
    shared.recommend(Asker(history=[(item, 1.0) for item in shared.snapshot.known.items.values[:1]]))
    limits = settings.limits
    rate = RateLimit.of(limits, rates)
    return create_app(
        shared, limits=limits, rate=rate, token=settings.token, token_for_all=settings.token_for_all
    )
