"""Processes that begin with torch and isotherm imported: the seconds of that are spent once a session."""

import json
import os
import time
from contextlib import contextmanager

from tests.hostile.forkserver import served


class Forks:
    """Starts them; ``server`` forks them."""

    def __init__(self, server):
        self.server = server

    def start(self, *argv, env=None, out=os.devnull, **what):
        """A process of module=NAME or code=TEXT, or else ``isotherm``, its output in the file ``out``.

        cwd: the folder that it starts in; that of this process if not given.  err: another file for stderr.
        """
        asked = {"argv": [str(word) for word in argv], "env": env or {}, "cwd": os.getcwd(), "wait": False}
        return Child(self, self.ask({**asked, "out": str(out), "err": str(out), **what}))

    def ask(self, asked):
        """One line to the server, one back."""
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        return json.loads(self.server.stdout.readline())


class Child:
    """As subprocess.Popen."""

    def __init__(self, forks, pid):
        self._forks, self.pid, self.returncode = forks, pid, None

    def poll(self):
        if self.returncode is None:
            self.returncode = self._forks.ask({"reap": self.pid})
        return self.returncode

    def wait(self, timeout=240):
        deadline = time.monotonic() + timeout
        while self.poll() is None:
            assert time.monotonic() < deadline, "the process does not end"
            time.sleep(0.01)
        return self.returncode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(15)


@contextmanager
def forking():
    """A server of its own."""
    with served() as server:
        yield Forks(server)
