"""The port, taken by the parent before any worker starts: all workers take connections from one socket."""

import errno
import socket
import sys

from isotherm.checks import whole
from isotherm.errors import ParameterError, brief

_UNREAD_MILLISECONDS = 30_000  # an answer that nobody reads for so long ends its connection
_BACKLOG = 2048


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on an address of this machine; port 0 takes a free one.

    Raises ParameterError where the host is none of this machine's, or the port is in use or not allowed.
    """
    whole("--port", port, 0, 2**16 - 1)
    family, address = _address(host, port)
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sys.platform == "linux":
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD_MILLISECONDS)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as cause:
        listener.close()
        raise ParameterError(_refusal(host, port, cause)) from cause
    return listener


def address_of(listener: socket.socket) -> str:
    """Its address as a URL; of a socket that listens everywhere, this machine's loopback."""
    host, port = listener.getsockname()[:2]
    named = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{named}]:{port}" if ":" in named else f"http://{named}:{port}"


def _address(host: str, port: int) -> tuple[int, tuple[object, ...]]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as cause:
        raise ParameterError(
            f"--host {brief(host)}: there is no such address; give one of this machine's, as 127.0.0.1"
        ) from cause
    found.sort(key=lambda each: each[0] != socket.AF_INET)  # «localhost» is of both families
    family, _, _, _, address = found[0]
    return family, address


def _refusal(host: str, port: int, cause: OSError) -> str:
    if cause.errno == errno.EADDRINUSE:
        return (
            f"--port {port}: is in use on {host}; end the other server, or give another port (0: a free one)"
        )
    if cause.errno == errno.EACCES:
        return f"--port {port}: this user may not take it; give one from 1024 on"
    if cause.errno == errno.EADDRNOTAVAIL:
        return f"--host {brief(host)}: is no address of this machine; give one that is, as 127.0.0.1"
    return f"--host {brief(host)} --port {port}: {cause.strerror}; give others"
