"""A server of the command line: real processes on a free port."""

import os
import signal
import subprocess
import sys
import time

import httpx
import pytest


class RunningServer:
    """``isotherm serve`` of a model, and a client of it."""

    def __init__(self, model, folder, *options, workers=1, db=None):
        self.folder = folder
        self.command = [
            sys.executable, "-m", "isotherm", "serve", str(model), "--port", "0", "--workers", str(workers),
            *(("--db", f"sqlite:///{folder}/live.db") if db is None else db), *options,
        ]  # fmt: skip
        self.log = open(folder / "log", "w+")  # noqa: SIM115
        environment = {**os.environ, "ISOTHERM_THREADS": "1", "OMP_NUM_THREADS": "1", "WEB_CONCURRENCY": "x"}
        self.process = subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment
        )
        line = self.process.stdout.readline()
        assert " at http://" in line, self.logged()
        self.url = line.split(" at ")[1].split()[0]
        self.client = httpx.Client(base_url=self.url, timeout=60)
        self.wait_until(lambda: len(self.workers()) == workers and self.n_counted() == workers)

    def wait_until(self, condition):
        until = time.monotonic() + 60
        while not condition():
            assert self.process.poll() is None, self.logged()
            assert time.monotonic() < until, self.logged()
            time.sleep(0.05)

    def n_counted(self):
        """Workers that say they answer."""
        return self.metric("isotherm_workers")

    def metric(self, name, **labels):
        """The sum of a metric's samples with these labels."""
        total = 0.0
        for line in self.client.get("/metrics").text.splitlines():
            if line.split("{")[0].split(" ")[0] != name:
                continue
            if all(f'{label}="{value}"' in line for label, value in labels.items()):
                total += float(line.rsplit(" ", 1)[1])
        return total

    def workers(self):
        """Process ids of the workers."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(each) for each in children.read().split()]

    def recommend(self, client=None, **body):
        return (client or self.client).post("/v1/recommend", json=body or {"history": ["f00"], "k": 3})

    def end(self, number=signal.SIGTERM):
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(60)

    def kill(self):
        """All of it at once, as by a power cut of the machine."""
        processes = [self.process.pid, *self.workers()]
        for each in processes:
            os.kill(each, signal.SIGKILL)
        self.process.wait()
        while any(os.path.exists(f"/proc/{each}") for each in processes[1:]):
            time.sleep(0.01)

    def logged(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def close(self):
        self.client.close()
        self.process.kill()
        self.process.wait()
        self.log.close()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def model_folder(neighbours, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "model"
    neighbours.save(folder)
    return folder


@pytest.fixture
def serve(model_folder, tmp_path):
    servers = []

    def start(*options, workers=1, db=None):
        servers.append(RunningServer(model_folder, tmp_path, *options, workers=workers, db=db))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
