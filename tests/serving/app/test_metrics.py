"""What is counted: requests by route, method and status, refusals by reason, items that were shown."""

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from isotherm.serving.app.factory import create_app
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.metrics import BUCKETS, memory_of_process


@pytest.fixture
def client(shared):
    limits = Limits(body=500, k=20, history=3, ids=4, batch=2, items=2)
    return TestClient(create_app(shared, limits=limits, token="right"), raise_server_exceptions=False)


def samples(client):
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (each.name, *sorted(each.labels.values())): each.value
        for family in families
        for each in family.samples
    }


def test_requests_are_counted_by_route_method_and_status(client):
    for body in ({"user": "u1"}, {"user": "u1"}, {}):
        client.post("/v1/recommend", json=body)
    client.get("/v1/users/u1/recommendations")
    client.request("BREW", "/nowhere")
    told = samples(client)
    assert told["isotherm_requests_total", "/v1/recommend", "200", "POST"] == 2
    assert told["isotherm_requests_total", "/v1/recommend", "422", "POST"] == 1
    assert told["isotherm_requests_total", "/v1/users/{user_id:id}/recommendations", "200", "GET"] == 1
    assert told["isotherm_requests_total", "404", "other", "other"] == 1
    assert told["isotherm_request_seconds_count", "/v1/recommend", "200", "POST"] == 2
    assert told["isotherm_requests_in_flight",] == 1  # the one that asks
    assert len([edge for edge in BUCKETS if 0.001 <= edge <= 0.05]) >= 10


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("recommend", {"user": "u1", "k": 21}, "k"),
        ("recommend", {"history": ["f01"] * 4}, "history"),
        ("recommend", {"user": "u1", "exclude": ["a"] * 5}, "ids"),
        ("recommend", {"history": ["x" * 500]}, "body"),
        ("recommend/batch", {"requests": [{"user": "u1"}] * 3}, "batch"),
        ("recommend", {"user": "u1", "unknown": "refuse", "size": 1}, "invalid"),
        ("recommend", {"user": "nobody", "unknown": "refuse"}, "unknown"),
        ("model/rollback", None, "token"),
    ],
)
def test_refusals_are_counted_by_reason(client, path, body, reason):
    assert client.post(f"/v1/{path}", json=body).status_code >= 400
    refused = {key[1]: value for key, value in samples(client).items() if "refused_requests_total" in key[0]}
    assert refused == {reason: 1}


def test_what_was_shown_adds_up(client, shared):
    answers = [client.post("/v1/recommend", json={"user": f"u{n}", "k": 20}).json() for n in range(3)]
    client.post("/v1/recommend", json={"history": []})
    n_cold = sum(item["cold"] for answer in answers for item in answer["items"])
    told = samples(client)
    cold, others = told["isotherm_shown_items_total", "true"], told["isotherm_shown_items_total", "false"]
    assert cold >= n_cold > 0
    assert told["isotherm_cold_share_shown",] == pytest.approx(cold / (cold + others))
    assert told["isotherm_popularity_answers_total",] == 1
    assert told["isotherm_version", "0"] == shared.version
    assert told["isotherm_items_left_out", "0"] == 0
    assert told["isotherm_memory_bytes", "0", "rss"] >= told["isotherm_memory_bytes", "0", "pss"] > 0


def test_memory_is_that_of_this_process():
    memory = memory_of_process()
    held = bytearray(50_000_000)
    held[::4096] = b"x" * len(held[::4096])
    assert memory_of_process()["rss"] - memory["rss"] > 40_000_000


def test_a_server_with_too_much_to_do_refuses(shared):
    app = create_app(shared, limits=Limits(at_once=1))
    client = TestClient(app)
    app.state.metrics.begin()  # one that takes long
    answer = client.post("/v1/recommend", json={"user": "u1"})
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["where"]) == (503, "1", "server")
    assert client.get("/livez").status_code == 200
