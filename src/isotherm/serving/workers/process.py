"""A worker as its parent sees it: a process, and what it says."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Self

from isotherm.serving.workers.channel import ALIVE, GO, READY, Task

_SILENT_SECONDS = 60.0


class WorkerProcess:
    """A process that was started.  channel: what it says comes here."""

    def __init__(self, number: int, process: "subprocess.Popen[bytes]", channel: socket.socket) -> None:
        self.number, self.channel, self._process = number, channel, process
        self.ready = False
        self._heard = time.monotonic()
        self._said, self._reason = b"", ""

    @classmethod
    def start(cls, number: int, files: Iterable[int], environment: dict[str, str]) -> Self:
        """Start another interpreter, which imports what a worker needs, and waits to be told its task.

        files: open ones that the task will name.
        """
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "isotherm.serving.workers.worker", str(theirs.fileno())]
        with theirs:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(), *files), env=environment
            )
        return cls(number, process, ours)

    def tell(self, task: Task) -> None:
        """Let it load the model and open the database."""
        self._send(task.line())

    def go(self) -> None:
        """Let it listen."""
        self._send(GO + b"\n")

    def _send(self, line: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # it has ended, which will be seen
            self.channel.sendall(line)

    @property
    def reason(self) -> str:
        """Why it ended before it was ready."""
        return self._reason or f"a worker ended with exit code {self._process.returncode} before it was ready"

    @property
    def exit_code(self) -> int | None:
        """None while it runs; after a signal, minus its number."""
        return self._process.poll()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def hangs(self) -> bool:
        """Whether it answered requests, and has said nothing for long."""
        return self.ready and time.monotonic() - self._heard > _SILENT_SECONDS

    def listen(self) -> bool:
        """Take in what it says; False once its stream has ended, and then so has the process."""
        try:
            read = self.channel.recv(2**16, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            read = b""
        self._heard = time.monotonic()
        *lines, self._said = (self._said + read).split(b"\n")
        for line in lines:
            if line == READY:
                self.ready = True
            elif line != ALIVE:
                self._reason = line.decode(errors="replace")
        return bool(read)

    def ended(self) -> int:
        """Wait for the end of a process whose stream has ended. Returns its exit code."""
        self.channel.close()
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def end(self) -> None:
        """Tell it to end."""
        if self.exit_code is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        if self.exit_code is None:
            self._process.kill()
