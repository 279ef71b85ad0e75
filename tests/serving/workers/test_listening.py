"""A port that cannot be taken is told before anything starts."""

import socket

import pytest

from isotherm.errors import ParameterError
from isotherm.serving.workers.listening import address_of, listening_socket


def test_port_0_takes_a_free_one():
    with listening_socket("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert address_of(listener) == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)):
            pass
        with pytest.raises(ParameterError, match=f"--port {port}: is in use"):
            listening_socket("127.0.0.1", port)
    with listening_socket("127.0.0.1", port):  # free again at once
        pass
    with listening_socket("localhost", 0) as listener:
        assert listener.family == socket.AF_INET


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("nowhere.invalid", 0, "no such address"),
        ("192.0.2.1", 0, "no address of this machine"),
        ("a" * 300, 0, "no such address"),
        ("", 70_000, "--port must be"),
        ("127.0.0.1", -1, "--port must be"),
    ],
)
def test_what_is_no_address(host, port, words):
    with pytest.raises(ParameterError, match=words):
        listening_socket(host, port)


def test_all_addresses_are_shown_as_one_that_can_be_opened():
    with listening_socket("0.0.0.0", 0) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")
