"""A PostgreSQL server that hangs, or whose tables are locked, holds nobody for long; who waits is bounded."""

import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text

from isotherm.errors import DatabaseError, SilentDatabaseError
from isotherm.serving.app.factory import create_app
from isotherm.serving.database import Database
from isotherm.serving.database.waiting import Answering
from isotherm.serving.live.model import LiveModel
from isotherm.serving.shared.shared import SharedModel

SECONDS = 0.3
CLICK = {"id": 1, "type": "click", "user": "u1", "item": "f01"}


@pytest.fixture
def url(server):
    return server.make(f"w{time.monotonic_ns()}")


@pytest.fixture
def database(url):
    with Database.open(url, seconds=SECONDS) as database:
        yield database


@contextmanager
def locked(url, table):
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
        yield
    engine.dispose()


def answered_again(read):
    until = time.monotonic() + 30
    while True:
        try:
            return read()
        except SilentDatabaseError:
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_server_that_hangs_is_given_up_and_found_again(server, database):
    assert database.version() == 0
    with server.hanging():
        for ask in (database.version, lambda: database.history("u1"), database.identity):
            with pytest.raises(SilentDatabaseError, match="does not answer") as told:
                ask()
            assert server.password not in str(told.value)
    assert answered_again(database.version) == 0
    assert answered_again(lambda: database.add_events([CLICK])).new == 1


def test_warnings_of_the_driver_are_not_said_beside_the_error():
    code = (
        "import logging; from isotherm.serving.database.connections import opened\n"
        "opened('postgresql://ann@127.0.0.1:1/none'); logging.getLogger('psycopg').warning('closed')"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_server_that_hangs_opens_no_database(server, url):
    with server.hanging(), pytest.raises(DatabaseError, match="does not answer"):
        Database.open(url, seconds=SECONDS)


def test_a_lock_on_one_table_holds_neither_writers_nor_readers(url, database):
    with locked(url, "events"):
        with pytest.raises(SilentDatabaseError, match="statement timeout"):
            database.add_events([CLICK])
        assert database.version() == 0  # is of another table
    assert answered_again(lambda: database.add_events([CLICK])).new == 1
    with locked(url, "state"), pytest.raises(SilentDatabaseError):
        database.version()
    assert answered_again(database.version) == 0


def test_lists_of_histories_go_on_and_those_of_users_are_refused(server, model, database):
    shared = SharedModel(LiveModel(model, "first"), database)
    client = TestClient(create_app(shared), raise_server_exceptions=False)
    body = {"history": ["f01", "f05"], "k": 5}
    before = client.post("/v1/recommend", json=body).json()
    near = client.post("/v1/score", json={"history": ["f01"], "items": ["f02"]}).json()
    with server.hanging():
        assert client.get("/livez").status_code == 200
        refused = client.post("/v1/recommend", json={"user": "u1"})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"] == "the database does not answer"
        assert client.post("/v1/recommend", json=body).json() == before
        assert client.post("/v1/score", json={"history": ["f01"], "items": ["f02"]}).json() == near
        for path in ("/v1/items/f01", "/v1/items?query=film", "/v1/map"):
            assert client.get(path).status_code == 200
        assert client.post("/v1/explain", json={"history": ["f01"], "item": "f02"}).status_code == 200
        assert client.get("/v1/model").json()["model"] == "first"
        for method, path, wrong in (
            ("POST", "/v1/events", [CLICK]),
            ("PUT", "/v1/items/f01", {"hidden": True}),
            ("DELETE", "/v1/items/f01", None),
            ("POST", "/v1/items/audience", {"item": "f01"}),
        ):
            told = client.request(method, path, json=wrong)
            assert (told.status_code, "retry-after" in told.headers) == (503, True), path
        assert client.get("/readyz").status_code == 503
        age = next(
            line for line in client.get("/metrics").text.splitlines()
            if line.startswith("isotherm_database_age_seconds{")
        )  # fmt: skip
        assert float(age.split()[1]) > SECONDS
    answered_again(shared.check_database)
    assert client.post("/v1/recommend", json={"user": "u1"}).status_code == 200
    shared.close()


def test_once_it_is_silent_one_at_a_time_asks():
    now, asking, go_on = [0.0], threading.Event(), threading.Event()
    answering = Answering("the database", lambda: now[0])
    with pytest.raises(SilentDatabaseError), answering.asked():
        raise SilentDatabaseError("no answer")
    with pytest.raises(SilentDatabaseError), answering.asked():
        pytest.fail("it was asked at once")
    with pytest.raises(SilentDatabaseError):
        answering.check()
    now[0] = 1.5

    def ask():
        with answering.asked():
            asking.set()
            go_on.wait(10)

    one = threading.Thread(target=ask)
    one.start()
    asking.wait(10)
    with pytest.raises(SilentDatabaseError), answering.asked():
        pytest.fail("another asks already")
    go_on.set()
    one.join()
    answering.check()
    with answering.asked():
        pass


def test_an_error_that_came_is_an_answer():
    now = [0.0]
    answering = Answering("the database", lambda: now[0])
    with pytest.raises(SilentDatabaseError), answering.asked():
        raise SilentDatabaseError("no answer")
    now[0] = 2.0
    with pytest.raises(DatabaseError), answering.asked():
        raise DatabaseError("the disk is full")
    answering.check()
