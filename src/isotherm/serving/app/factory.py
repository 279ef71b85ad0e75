"""create_app: the routes of a shared model, and what every request passes."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import Depends, FastAPI
from starlette.concurrency import run_in_threadpool

from isotherm.errors import ParameterError
from isotherm.serving.app.access import bearer, sight
from isotherm.serving.app.addresses import Addresses
from isotherm.serving.app.answering import Lists, item_routes, list_routes
from isotherm.serving.app.browsing import overview_routes, search_routes
from isotherm.serving.app.editing import editing_routes
from isotherm.serving.app.errors import REFUSALS, answer_errors
from isotherm.serving.app.events import event_routes
from isotherm.serving.app.experiments import experiment_routes
from isotherm.serving.app.health import Readiness, health_routes
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.app.operating import metrics_routes, model_routes
from isotherm.serving.app.passage import Passage
from isotherm.serving.app.quick import QuickLists
from isotherm.serving.app.rates import RateLimit
from isotherm.serving.browsing.browsing import Browser
from isotherm.serving.page.routes import page_routes
from isotherm.serving.shared.shared import SharedModel
from isotherm.version import __version__

_UNAVAILABLE = (
    "Items that may not be shown now (hidden, removed, out of their time) are unknown to requests without "
    "the token: no answer names, describes, scores, explains or likens them. With the token, or where the "
    "server has none, addresses of single items, explain, score and audience answer for them, too; lists "
    "never hold them. In a history, and among candidates, such an item counts where it was on show before or "
    "was clicked when the model was fitted, and is unknown else."
)


def create_app(
    shared: SharedModel,
    *,
    limits: Limits | None = None,
    rate: RateLimit | None = None,
    token: str | None = None,
    token_for_all: bool = False,
) -> FastAPI:
    """The HTTP interface to a shared model, as an ASGI app; /openapi.json describes it.

    limits: how much one request may ask for; None for the defaults.
    rate: counts the requests of clients; None: those of this app alone, where ``limits`` has a rate.
    token: sent as ``Authorization: Bearer TOKEN`` with what changes items or the model; None: anybody who
    reaches the server may change them.  token_for_all: with every request, but for /livez and /readyz.
    While the app runs, the model follows the database, and what was shown is written; who made it closes it.
    Raises ParameterError for an empty token, and for token_for_all without one.
    """
    _check_token(token, token_for_all)
    limits, metrics, browser = limits or Limits(), Metrics(shared), Browser(shared)
    app, lists = _empty_app(shared, limits), Lists(shared, limits, metrics)
    writes, sees = [Depends(bearer(token))], sight(token)
    everything = writes if token_for_all else []
    for routes in (
        list_routes(lists, limits),
        item_routes(shared, limits, sees),
        search_routes(browser, limits, sees),
        overview_routes(browser),
        editing_routes(shared, limits, writes, sees),
        event_routes(shared, limits, metrics, writes),
        model_routes(shared, metrics, writes, sees),
        experiment_routes(shared, writes),
        metrics_routes(metrics),
    ):
        app.include_router(routes, dependencies=everything)
    app.include_router(page_routes())
    answer_errors(app)
    asked = token if token_for_all else None
    app.add_middleware(QuickLists, lists=lists, token=asked)
    _watch(app, shared, limits, rate or RateLimit.of(limits), metrics)
    return app


def _watch(
    app: FastAPI, shared: SharedModel, limits: Limits, rate: RateLimit | None, metrics: Metrics
) -> None:
    """Let every request pass the limits and be counted, and the server tell how it is."""
    readiness = Readiness(shared.check_database)
    app.include_router(health_routes(readiness))
    app.add_middleware(Addresses)
    app.add_middleware(Passage, limits=limits, rate=rate, readiness=readiness, metrics=metrics)
    app.state.readiness, app.state.metrics = readiness, metrics


def _empty_app(shared: SharedModel, limits: Limits) -> FastAPI:
    """Without the pages of FastAPI, which load from another address."""
    return FastAPI(
        title="isotherm",
        description=f"Live recommendations. {_UNAVAILABLE} {limits.told()}",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would name an address that the client may not reach
        responses=REFUSALS,
        lifespan=_following(shared),
    )


def _check_token(token: str | None, token_for_all: bool) -> None:
    if token is not None and not token.strip():
        raise ParameterError("token is empty; give one, or None")
    if token_for_all and token is None:
        raise ParameterError("token_for_all needs a token; give one")


def _following(shared: SharedModel) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """From the start of the app to its end, when all requests are answered."""

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        shared.start()
        yield
        await run_in_threadpool(shared.close)

    return running
