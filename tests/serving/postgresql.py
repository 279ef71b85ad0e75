"""A PostgreSQL server that the tests start and stop."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
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
        processes = self._processes()
        for process in processes:
            os.kill(process, signal.SIGKILL)
        while any(_runs(process) for process in processes):
            time.sleep(0.01)

    @contextmanager
    def hanging(self):
        """It takes connections, and answers nothing."""
        processes = self._processes()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            for process in reversed(processes):
                os.kill(process, signal.SIGCONT)

    def _processes(self):
        parent = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [parent, *map(int, children)]

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
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
