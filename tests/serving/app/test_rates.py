"""A client's requests are counted exactly, over all processes, and no client pays for another."""

import subprocess
import sys

import pytest
from fastapi.testclient import TestClient

from isotherm.serving.app.factory import create_app
from isotherm.serving.app.limits import Limits
from isotherm.serving.app.rates import RateLimit, new_file


@pytest.fixture
def time():
    return [1000.0]


def passed(limit, client, n):
    return sum(limit.seconds_to_wait(client) == 0 for _ in range(n))


def test_a_burst_passes_and_then_the_rate(time):
    limit = RateLimit(2.0, 5, clock=lambda: time[0])
    assert passed(limit, "10.0.0.1", 8) == 5
    assert limit.seconds_to_wait("10.0.0.1") == pytest.approx(0.5)
    time[0] += 0.49
    assert passed(limit, "10.0.0.1", 1) == 0
    time[0] += 0.02
    assert passed(limit, "10.0.0.1", 2) == 1
    time[0] += 60
    assert passed(limit, "10.0.0.1", 8) == 5  # a client that waited has no more than a burst


def test_clients_are_addresses_or_networks_of_ipv6(time):
    limit = RateLimit(1.0, 1, clock=lambda: time[0])
    for client in (
        "10.0.0.1",
        "10.0.0.2",
        "2001:db8::1",
        "2001:db8:0:1::1",
        "",
        "testclient",
        "fe80::1%eth0",
    ):
        assert passed(limit, client, 2) == 1, client
    assert passed(limit, "2001:db8::ffff:1", 1) == 0


ASK = """
import os, sys
from isotherm.serving.app.rates import RateLimit
limit = RateLimit(0.001, 100, os.fdopen(int(sys.argv[1]), "r+b"))
print(sum(limit.seconds_to_wait("10.0.0.1") == 0 for _ in range(200)))
"""


def test_processes_count_together():
    with new_file() as file:
        command = [sys.executable, "-c", ASK, str(file.fileno())]
        processes = [
            subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=[file.fileno()], text=True)
            for _ in range(3)
        ]
        assert sum(int(process.communicate()[0]) for process in processes) == 100


def test_too_many_requests_have_their_own_answer(shared):
    app = create_app(shared, limits=Limits(rate=0.01, burst=3))
    assert "0.01 per second, 3 at one time" in app.openapi()["info"]["description"]
    client = TestClient(app)
    codes = [client.post("/v1/recommend", json={"user": "u1"}).status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    refused = client.post("/v1/recommend", json={"user": "u1"})
    assert (set(refused.json()), refused.json()["where"]) == ({"error", "where", "cure"}, "client")
    assert 0 < int(refused.headers["retry-after"]) <= 101
    for path in ("/livez", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
    assert 'isotherm_refused_requests_total{reason="rate"} 2.0' in client.get("/metrics").text
