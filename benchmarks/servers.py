"""Servers on this machine: started, watched and ended."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from http_load import Connection

_PATIENCE = 120.0  # seconds until a server is ready


@dataclass
class Server:
    """A server that is ready.  seconds: from its start until then.  pid: of its parent process."""

    port: int
    pid: int
    seconds: float

    @property
    def workers(self) -> list[int]:
        """Process ids of its children, without what Python starts beside them."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        named = {int(child): Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
        return [child for child, command in named.items() if b"resource_tracker" not in command]

    def worker_of(self, connection: Connection) -> int:
        """The process that holds the other end of a connection."""
        here = connection.transport.get_extra_info("sockname")[1]
        ends = f":{self.port:04X}", f":{here:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inode = next(line[9] for line in lines if (line[1][-5:], line[2][-5:]) == ends)
        for pid in [*self.workers, self.pid]:
            for file in Path(f"/proc/{pid}/fd").iterdir():
                try:
                    if os.readlink(file) == f"socket:[{inode}]":
                        return pid
                except FileNotFoundError:
                    continue  # closed meanwhile
        raise LookupError("no process of the server holds this connection")

    async def connections(self, at_least: int) -> dict[int, Connection]:
        """A connection to each of at least so many workers."""
        held: dict[int, Connection] = {}
        for _ in range(500):
            if len(held) >= at_least:
                return held
            connection = await Connection.to(self.port)
            await connection.ask(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            held.setdefault(self.worker_of(connection), connection)
        raise LookupError(f"connections came to {len(held)} workers of {at_least}")


def memory(pids: Sequence[int], field: str = "Pss") -> int:
    """Bytes that processes take, what they share with others divided by how many share it.

    field: Pss, or Pss_Anon for what is in no file.
    """
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))
    return total


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int, **environment: str) -> Iterator[Server]:
    """A server that a command starts, until the end of the block."""
    started, told = time.perf_counter(), {**os.environ, **environment}
    process = subprocess.Popen(command, env=told, cwd=Path(__file__).parent, stdout=subprocess.DEVNULL)
    try:
        while not _is_ready(port):
            if process.poll() is not None or time.perf_counter() - started > _PATIENCE:
                raise RuntimeError(f"{' '.join(command)} did not become ready")
            time.sleep(0.01)
        yield Server(port, process.pid, time.perf_counter() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


@contextmanager
def isotherm_serve(model: Path, database: Path, workers: int) -> Iterator[Server]:
    """``isotherm serve`` on a saved model."""
    port = free_port()
    command = [sys.executable, "-m", "isotherm", "serve", str(model), "--port", str(port)]
    with running([*command, "--workers", str(workers), "--db", f"sqlite:///{database}"], port) as server:
        yield server


@contextmanager
def shell(answers: str, workers: int, python: str = sys.executable, **environment: str) -> Iterator[Server]:
    """``shell.py`` under uvicorn.  python: of its virtual environment."""
    port = free_port()
    command = [python, "-m", "uvicorn", "shell:app", "--factory", "--port", str(port), "--no-access-log"]
    command += ["--workers", str(workers), "--log-level", "warning"]
    command += ["--loop", "uvloop", "--http", "httptools"]
    with running(command, port, SHELL_ANSWERS=answers, **environment) as server:
        yield server
