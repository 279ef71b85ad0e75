"""Requests made from the OpenAPI document: no failure, and no answer that it does not describe."""

import pytest

schemathesis = pytest.importorskip("schemathesis")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from isotherm.serving.app.factory import create_app  # noqa: E402
from isotherm.serving.database import Database  # noqa: E402
from isotherm.serving.live.model import LiveModel  # noqa: E402
from isotherm.serving.shared.shared import SharedModel  # noqa: E402

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ROUTES = [
    ("POST", "/v1/recommend"),
    ("POST", "/v1/recommend/batch"),
    ("GET", "/v1/users/{user_id}/recommendations"),
    ("GET", "/v1/items/{item_id}/similar"),
    ("POST", "/v1/items/{item_id}/similar"),
    ("POST", "/v1/explain"),
    ("POST", "/v1/score"),
    ("GET", "/v1/items"),
    ("GET", "/v1/items/{item_id}"),
    ("GET", "/v1/fields"),
    ("GET", "/v1/map"),
    ("POST", "/v1/items"),
    ("POST", "/v1/items/audience"),
    ("PUT", "/v1/items/{item_id}"),
    ("DELETE", "/v1/items/{item_id}"),
    ("POST", "/v1/events"),
    ("GET", "/v1/model"),
    ("POST", "/v1/model/swap"),
    ("POST", "/v1/model/rollback"),
    ("GET", "/v1/experiments"),
    ("GET", "/v1/experiments/{experiment}/result"),
    ("GET", "/metrics"),
    ("GET", "/livez"),
    ("GET", "/readyz"),
]


@pytest.fixture(scope="module")
def document(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("document")
    with Database.open(f"sqlite:///{folder}/live.db") as database:
        shared = SharedModel(LiveModel(model), database)
        yield schemathesis.openapi.from_asgi("/openapi.json", create_app(shared))
        shared.close()


def test_every_route_is_asked(document):
    operations = (result.ok() for result in document.get_all_operations())
    assert {(each.method.upper(), each.path) for each in operations} == set(ROUTES)


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_server_keeps_its_document(document, method, path, mode):
    """mode: requests as the document says, or ones that break it (where a request can)."""
    if (mode is GenerationMode.NEGATIVE and method == "GET" and "{" not in path) or path.endswith("rollback"):
        mode = GenerationMode.POSITIVE
    cases = document[path][method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=30, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases)
    def keeps_it(case):
        case.call_and_validate(checks=CHECKS)

    keeps_it()
