"""Workers are started, replaced and ended; what has come is answered; one line says why none starts."""

import fcntl
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx

from isotherm.serving.workers.supervisor import _clear_dead


class Load:
    """Clients that ask without a pause; each notes what went wrong, but for a port that is closed."""

    def __init__(self, server, n_clients=4):
        self.server, self.stop = server, threading.Event()
        self.n_answered, self.lost = 0, []
        self.pool = ThreadPoolExecutor(n_clients)
        self.clients = [self.pool.submit(self.ask) for _ in range(n_clients)]

    def ask(self):
        with httpx.Client(base_url=self.server.url, timeout=30) as client:
            while not self.stop.is_set():
                try:
                    answer = self.server.recommend(client)
                except httpx.ConnectError:
                    return
                except httpx.TransportError as cause:
                    self.lost.append(repr(cause))
                else:
                    assert answer.status_code == 200, answer.text
                    self.n_answered += 1

    def end(self):
        self.stop.set()
        for each in self.clients:
            each.result()
        self.pool.shutdown()


def test_a_worker_that_is_killed_is_replaced_and_none_outlives_the_parent(serve):
    server = serve(workers=2)
    before = server.workers()
    load = Load(server)
    server.wait_until(lambda: load.n_answered > 20)
    os.kill(before[0], signal.SIGKILL)
    server.wait_until(lambda: len(set(server.workers()) - set(before)) == 1 and server.n_counted() == 2)
    after = load.n_answered
    server.wait_until(lambda: load.n_answered > after + 20)
    load.end()
    assert len(load.lost) <= 4  # no more than one that each client had sent to the worker that was killed
    assert "died (SIGKILL)" in server.logged()
    counted = server.metric("isotherm_requests_total", route="/v1/recommend", status="200")
    assert load.n_answered <= counted <= load.n_answered + len(load.lost)

    workers, folder = server.workers(), folder_of_metrics(before[1])
    assert before[0] not in workers
    assert os.path.isdir(folder)
    server.process.kill()
    server.process.wait()
    until = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{each}") for each in workers) or os.path.exists(folder):
        assert time.monotonic() < until
        time.sleep(0.05)


def folder_of_metrics(worker):
    with open(f"/proc/{worker}/environ", "rb") as environment:
        variables = dict(line.partition(b"=")[::2] for line in environment.read().split(b"\0"))
    return variables[b"PROMETHEUS_MULTIPROC_DIR"]


def test_sigterm_in_the_middle_of_requests_loses_none(serve):
    server = serve("--drain-seconds", "0.5", workers=2)
    load = Load(server, 8)
    server.wait_until(lambda: load.n_answered > 50)
    with httpx.Client(base_url=server.url) as watcher:
        server.process.send_signal(signal.SIGTERM)
        while (unready := watcher.get("/readyz")).status_code == 200:
            assert server.process.poll() is None
        assert unready.status_code == 503
        assert "draining" in unready.json()["error"]
        assert watcher.get("/livez").status_code == 200
    assert server.process.wait(30) == 0
    load.end()
    assert load.lost == []


def test_folders_of_servers_that_were_killed_whole_are_removed(tmp_path):
    for name in ("dead", "young", "running", "other"):
        folder = tmp_path / (name if name == "other" else f"isotherm-serve-{name}")
        folder.mkdir()
        (folder / "rates").touch()
        if name != "young":
            os.utime(folder, (0, 0))
    with open(tmp_path / "isotherm-serve-running" / "rates") as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        _clear_dead(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {
        "isotherm-serve-young", "isotherm-serve-running", "other",
    }  # fmt: skip
