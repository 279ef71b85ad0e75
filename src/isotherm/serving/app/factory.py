"""create_app: the routes of a live model, and what every request passes."""

from fastapi import Depends, FastAPI

from isotherm.errors import ParameterError
from isotherm.serving.app.access import bearer
from isotherm.serving.app.answering import item_routes, list_routes
from isotherm.serving.app.browsing import overview_routes, search_routes
from isotherm.serving.app.editing import editing_routes
from isotherm.serving.app.errors import REFUSALS, answer_errors
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.metrics import Metrics
from isotherm.serving.app.operating import health_routes, metrics_routes, model_routes
from isotherm.serving.app.passage import Passage
from isotherm.serving.live.browsing import Browser
from isotherm.serving.live.model import LiveModel
from isotherm.version import __version__


def create_app(
    live: LiveModel, *, limits: Limits | None = None, token: str | None = None, token_for_all: bool = False
) -> FastAPI:
    """The HTTP interface to a live model, as an ASGI app; /openapi.json describes it.

    limits: how much one request may ask for; None for the defaults.
    token: sent as ``Authorization: Bearer TOKEN`` with what changes items or the model; None: anybody who
    reaches the server may change them.  token_for_all: with every request, but for /livez and /readyz.
    Item changes are held in memory: a restart forgets them.
    Raises ParameterError for an empty token, and for token_for_all without one.
    """
    if token is not None and not token.strip():
        raise ParameterError("token is empty; give one, or None")
    if token_for_all and token is None:
        raise ParameterError("token_for_all needs a token; give one")
    limits, metrics, browser = limits or Limits(), Metrics(live), Browser(live)
    app = FastAPI(title="isotherm", version=__version__, docs_url=None, redoc_url=None, responses=REFUSALS)
    writes = [Depends(bearer(token))]
    everything = writes if token_for_all else []
    for routes in (
        list_routes(live, limits, metrics),
        item_routes(live, limits),
        search_routes(browser, limits, bearer(token)),
        overview_routes(browser),
        editing_routes(live, limits, writes),
        model_routes(live, writes),
        metrics_routes(metrics),
    ):
        app.include_router(routes, dependencies=everything)
    app.include_router(health_routes())
    answer_errors(app)
    app.add_middleware(Passage, most_bytes=limits.body, metrics=metrics)
    return app
