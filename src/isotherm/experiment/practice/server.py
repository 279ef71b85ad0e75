"""A real ``isotherm serve``: a process of its own, and connections to it."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from isotherm.errors import PracticeError, one_line

_CONNECTIONS = 4
_SECONDS = 120  # for one answer
_ENDING_SECONDS = 60


class PracticeServer:
    """``isotherm serve`` of a saved model, with a database and an experiment of its own in ``folder``.

    Raises PracticeError where it does not start.
    """

    def __init__(self, model: Path, plan: Path, folder: Path) -> None:
        self.database = f"sqlite:///{folder / 'live.db'}"
        self._log = folder / "server.log"
        command = [
            sys.executable, "-m", "isotherm", "serve", str(model), "--port", "0", "--db", self.database,
            "--experiment", str(plan), "--drain-seconds", "0",
        ]  # fmt: skip
        with open(self._log, "w", encoding="utf-8") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        self.url = self._address()
        self._local = threading.local()
        self._pool = ThreadPoolExecutor(_CONNECTIONS)

    def _address(self) -> str:
        """Where it answers: the line that it prints once it does."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if " at http://" not in line:
            self._process.kill()
            self._process.wait()
            raise PracticeError(f"the server did not start: {self._last_words()}")
        return line.split(" at ")[1].split()[0]

    def _last_words(self) -> str:
        return one_line((self._log.read_text(encoding="utf-8").strip().splitlines() or ["no word"])[-1])

    def post(self, path: str, bodies: Iterable[Any]) -> list[Any]:
        """The answers to several requests, in their order; as many at one time as there are connections.

        Raises PracticeError for an answer that is no 200.
        """
        return list(self._pool.map(lambda body: self._posted(path, body), bodies))

    def _posted(self, path: str, body: Any) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            parts = urlsplit(self.url)
            connection = self._local.connection = HTTPConnection(
                parts.hostname or "", parts.port, timeout=_SECONDS
            )
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as cause:
            raise PracticeError(f"the server did not answer POST {path} ({cause})") from cause
        if answer.status != 200:
            told = one_line(content.decode(errors="replace"))
            raise PracticeError(f"the server answered {answer.status} to POST {path}: {told}")
        return json.loads(content)

    def export(self, folder: Path) -> None:
        """``isotherm events export`` of its database. Raises PracticeError."""
        command = [
            sys.executable,
            "-m",
            "isotherm",
            "events",
            "export",
            "--db",
            self.database,
            "--out",
            str(folder),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PracticeError(f"the log was not exported: {one_line(done.stderr)}")

    def end(self) -> None:
        """End it as an operator does; what was shown is written then. Raises PracticeError."""
        self._pool.shutdown()
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(_ENDING_SECONDS)
        except subprocess.TimeoutExpired as cause:
            raise PracticeError(f"the server did not end within {_ENDING_SECONDS} s") from cause
        if code:
            raise PracticeError(f"the server ended with code {code}: {self._last_words()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
