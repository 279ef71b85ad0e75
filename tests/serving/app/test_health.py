"""/livez asks nobody; /readyz says what is missing, soon, whatever the database does."""

import asyncio
import threading

import pytest
from fastapi.testclient import TestClient

from isotherm.errors import DatabaseError
from isotherm.serving.app import health
from isotherm.serving.app.factory import create_app
from isotherm.serving.app.health import Readiness


def refusal(readiness):
    answer = asyncio.run(readiness.refusal())
    return None if answer is None else (answer.status_code, answer.body.decode())


def test_a_server_that_ends_says_so_at_once(shared):
    app = create_app(shared)
    client = TestClient(app)
    assert client.get("/readyz").json() == {"status": "ok"}
    assert "connection" not in client.get("/livez").headers
    app.state.readiness.draining = True
    told = client.get("/readyz")
    assert (told.status_code, told.json()["where"]) == (503, "server")
    assert client.get("/livez").json() == {"status": "ok"}
    answer = client.post("/v1/recommend", json={"user": "u1"})
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_a_database_that_refuses_is_told_without_its_address():
    def fail():
        raise DatabaseError("--db postgresql://anna@10.0.0.1/live: the server cannot be reached; start it")

    code, body = refusal(Readiness(fail))
    assert (code, "database" in body, "anna" in body) == (503, True, False)


def test_a_database_that_hangs_is_asked_once(monkeypatch):
    monkeypatch.setattr(health, "_DATABASE_SECONDS", 0.05)
    go_on, asked = threading.Event(), []

    def hang():
        asked.append(1)
        go_on.wait(30)

    readiness = Readiness(hang)
    for _ in range(3):
        assert refusal(readiness)[0] == 503
    assert len(asked) == 1
    go_on.set()
    while not readiness._asked.done():
        pass
    assert refusal(readiness) is None
    readiness.close()


@pytest.mark.parametrize("error", [ValueError("x")])
def test_what_nobody_foresaw_is_no_readiness(shared, error):
    def fail():
        raise error

    with pytest.raises(ValueError, match="x"):
        refusal(Readiness(fail))
