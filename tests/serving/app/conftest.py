"""A client of an app on a small model."""

import pytest
from fastapi.testclient import TestClient

from isotherm.serving.app.factory import create_app


@pytest.fixture
def client(shared):
    with TestClient(create_app(shared), raise_server_exceptions=False) as client:
        yield client
