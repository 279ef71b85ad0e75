"""A PostgreSQL server that the tests start and stop."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import create_engine, text

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


class Server:
    """A PostgreSQL server on a port of loopback, its files in a folder of its own."""

    def __init__(self):
        self.programs = POSTGRES[-1].parent
        self.user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self.folder = Path(tempfile.mkdtemp(prefix="isotherm-pg-", dir="/tmp"))
        self.password = secrets.token_hex(16)
        if self.user:
            shutil.chown(self.folder, self.user)
        secret = self.folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644 if self.user else 0o600)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--username=tests"]
        self._run("initdb", "--pgdata", self.data, f"--pwfile={secret}", *options)
        secret.unlink()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def data(self):
        return self.folder / "data"

    def url(self, name):
        return f"postgresql://tests:{self.password}@127.0.0.1:{self.port}/{name}"

    def start(self):
        settings = f"-c listen_addresses=127.0.0.1 -p {self.port} -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "start", "-w", "-D", self.data, "-o", settings, "-l", self.folder / "log")

    def kill(self):
        """As a power cut would: nothing is finished, nothing written any more."""
        with self._held() as processes:
            for process in processes:
                with suppress(ProcessLookupError):  # one that ended: with the parent its number is gone
                    os.kill(process, signal.SIGKILL)
        while any(_runs(process) for process in processes):
            time.sleep(0.01)

    @contextmanager
    def hanging(self):
        """It takes connections, and answers nothing."""
        with self._held() as processes:
            for process in processes[1:]:
                os.kill(process, signal.SIGSTOP)
            try:
                yield
            finally:
                for process in reversed(processes[1:]):
                    os.kill(process, signal.SIGCONT)

    @contextmanager
    def _held(self):
        """The parent, stopped, and its children: none begins meanwhile, one that ends keeps its number."""
        parent = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(parent, signal.SIGSTOP)
        try:
            while _state(parent) not in "TtZX":
                time.sleep(0.001)
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            yield [parent, *map(int, children)]
        finally:
            with suppress(ProcessLookupError):  # it was killed
                os.kill(parent, signal.SIGCONT)

    def stop(self):
        self._run("pg_ctl", "stop", "-D", self.data, "-m", "fast")
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, name):
        """A database of this name. Returns its URL."""
        outer = self.url("postgres").replace("postgresql:", "postgresql+psycopg:")
        engine = create_engine(outer, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self.url(name)

    def _run(self, program, *words):
        command = [self.programs / program, *map(str, words)]
        done = subprocess.run(
            command, user=self.user, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        assert done.returncode == 0, command


def _runs(process):
    try:
        return _state(process) not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _state(process):
    """The letter of what it does."""
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
