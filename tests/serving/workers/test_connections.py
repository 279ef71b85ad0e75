"""Who is slow, sends too much or no HTTP is closed, and keeps no worker from the others."""

import json
import resource
import signal
import socket
import time

import pytest

from isotherm.serving.workers import connections


@pytest.fixture
def server(serve):
    return serve()


def connected(server):
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def answered(connection):
    """Status and JSON of what comes until the end."""
    read = b""
    while more := connection.recv(2**16):
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def test_a_server_among_bad_clients_answers_the_good(server):
    """One server for all, as a start takes seconds."""
    idle = [connected(server) for _ in range(50)]
    slow = [connected(server) for _ in range(50)]
    for connection in slow:
        connection.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    half = connected(server)
    half.sendall(b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\ncontent-length: 99\r\n\r\n{")
    assert server.recommend().status_code == 200

    for flood in (
        b"X-Long: " + b"a" * 2**20,
        b"X-Many: a\r\n" * 10_000,
        b"X: " + b"b" * connections.MOST_HEAD_BYTES,
    ):
        with connected(server) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n")
            try:
                connection.sendall(flood + b"\r\n\r\n")
                code, told = answered(connection)
            except ConnectionError:
                continue  # closed while it was still sending
            assert (code, set(told)) == (431, {"error", "where", "cure"})
    for nonsense in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"hello\r\n\r\n"):
        with connected(server) as connection:
            connection.sendall(nonsense + b"\r\n\r\n")
            assert answered(connection)[0] == 400
    assert server.recommend().status_code == 200
    assert "WARNING" not in server.logged()  # strangers do not fill the log

    begun = time.monotonic()
    code, told = answered(slow[0])
    assert (code, told["where"]) == (408, "request")
    assert time.monotonic() - begun < connections.BODY_SECONDS
    assert idle[0].recv(1) == b""
    for reason in ("long_head", "no_http", "slow_head"):
        assert server.metric("isotherm_refused_requests_total", reason=reason) >= 1, reason
    assert server.recommend().status_code == 200
    for connection in (*idle, *slow, half):
        connection.close()
    assert server.end(signal.SIGINT) == 0


def test_a_process_may_hold_as_many_connections_as_the_system_allows():
    most = connections.most_connections()
    assert most >= 100
    assert connections.most_connections() == most
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= min(most, 100)
