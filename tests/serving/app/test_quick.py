"""The short way to a list says what the documented route says, and refuses nothing by itself."""

import json
import threading
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isotherm.serving.app import quick
from isotherm.serving.app.factory import create_app
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.quick import Pace
from isotherm.serving.catalogue.items import LiveItem

QUICK, LONG = "application/json", "application/json; charset=utf-8"  # the second goes to the route

ids = st.sampled_from(["f00", "f01", "f20", "nothing", "", "\ud800", 7, 2**70, 1.5, None, True])
lists = st.lists(ids, max_size=4)
weighted = st.fixed_dictionaries(
    {"item": ids}, optional={"weight": st.sampled_from([1, 0.5, 0, -1, 1e39, "1", None])}
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "user": ids,
        "history": st.none() | lists | st.lists(weighted | ids, max_size=4),
        "k": st.sampled_from([1, 3, 10, 0, 31, 2.0, "3", None, True]),
        "exclude": lists,
        "exclude_seen": st.sampled_from([True, False, 1, "true"]),
        "candidates": st.none() | lists,
        "filters": st.sampled_from(
            [{}, {"genres": ["space"]}, {"genres": ["a", 1]}, {"x": ["y"]}, {"genres": 1}]
        ),
        "cold": st.sampled_from([{}, {"min": 1}, {"min": 2, "max": 1}, {"max": 0}, {"min": -1}, None, 3]),
        "diversity": st.sampled_from([0, 0.5, 1, 2, float("nan"), "0"]),
        "unknown": st.sampled_from(["ignore", "refuse", "skip"]),
        "surplus": st.just(1),
    },
)


@pytest.fixture
def answered(monkeypatch):
    """Bodies that were answered without the route."""
    bodies, written = [], quick.QuickLists._written

    async def noted(lists, body):
        answer = await written(lists, body)
        bodies.append(body)
        return answer

    monkeypatch.setattr(quick.QuickLists, "_written", noted)
    return bodies


def both(client, body, path="/v1/recommend"):
    """The answers of the two ways."""
    told = [client.post(path, content=body, headers={"content-type": kind}) for kind in (QUICK, LONG)]
    assert told[0].status_code == told[1].status_code
    assert told[0].json() == told[1].json()
    headers = [{name: value for name, value in each.headers.items() if name != "date"} for each in told]
    assert headers[0] == headers[1]
    return told[0]


def test_what_is_well_formed_is_answered_the_short_way(client, answered):
    for n in range(40):  # some in a thread, then on the loop
        assert both(client, json.dumps({"history": ["f01", "f02"], "k": n % 5 + 1})).status_code == 200
    assert len(answered) == 40
    assert not client.post("/v1/recommend/batch", json={"requests": [{"user": "u1"}]}).is_error
    assert len(answered) == 40


@settings(deadline=None, max_examples=300, suppress_health_check=list(HealthCheck))
@given(body=bodies)
def test_both_ways_say_the_same(client, body):
    both(client, json.dumps(body))


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"history": ["f01"], "history": ["f02"]}', b'{"user": "\\ud800"}',
     b'\xef\xbb\xbf{"user": "u1"}', '{"user": "u1"}'.encode("utf-16"), b'{"user": "u1", "k": 1e0}',
     b'{"user": "u1", "diversity": NaN}', b'{"user": "u1", "diversity": 1e999}',
     b'{"user": ' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"user": "' + b"x" * 3000 + b'"}'],
)  # fmt: skip
def test_both_ways_read_bytes_alike(shared, body):
    with TestClient(create_app(shared, limits=Limits(body=11_000)), raise_server_exceptions=False) as client:
        both(client, body)


def test_a_body_that_grows_too_large_is_refused(shared):
    with TestClient(create_app(shared, limits=Limits(body=100)), raise_server_exceptions=False) as client:
        pieces = (b" " * 60 for _ in range(3))
        answer = client.post("/v1/recommend", content=pieces, headers={"content-type": QUICK})
    assert (answer.status_code, answer.json()["where"]) == (413, "/v1/recommend")


def test_a_token_for_all_is_asked_for(shared, answered):
    app = create_app(shared, token="secret", token_for_all=True)
    with TestClient(app) as client:
        for sent, code in (
            (None, 401),
            ("Bearer wrong", 401),
            ("Bearer secret", 200),
            ("bearer secret", 200),
        ):
            headers = {} if sent is None else {"Authorization": sent}
            assert client.post("/v1/recommend", json={"user": "u1"}, headers=headers).status_code == code
    assert len(answered) == 1


def test_short_answers_stay_on_the_loop_and_long_ones_get_a_thread(shared, monkeypatch):
    threads, takes, now, listed = [], [1e-4], [0.0], shared._list

    def recommended(*asked):
        threads.append(threading.current_thread().name)
        now[0] += takes[0]
        return listed(*asked)

    monkeypatch.setattr(shared, "_list", recommended)
    clock = SimpleNamespace(perf_counter=lambda: now[0], thread_time=lambda: now[0])
    monkeypatch.setattr(quick, "time", clock)  # what only the answers move on, however busy the machine
    with TestClient(create_app(shared)) as client:
        ask = lambda: client.post("/v1/recommend", json={"user": "u1"})  # noqa: E731
        for _ in range(60):
            ask()
        assert threads[0] != threads[-1]
        loop = threads[-1]
        takes[0] = 1.0
        for _ in range(5):
            ask()
        takes[0] = 1e-4
        ask()
        assert threads[-2] == loop != threads[-1]
        for _ in range(80):
            ask()
        assert threads[-1] == loop
        shared.put_items([LiveItem("f03", hidden=True)])
        shared._following.version -= 1  # as though another worker had changed it
        ask()
        assert threads[-1] != loop


def test_pace_forgets():
    pace = Pace()
    pace.add(10.0)
    for _ in range(200):
        pace.add(1e-4)
    assert pace.is_quick
