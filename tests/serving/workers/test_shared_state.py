"""Workers of a real server on both databases: each shows what any was told, also after ``kill -9``."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

SPACE = {"title": "New", "genres": ["space"]}


class Client:
    """Asks on a new connection each time, so that any worker may answer."""

    def __init__(self, server):
        self.server = server

    def ask(self, method, path, body=None):
        return httpx.request(method, f"{self.server.url}/v1/{path}", json=body, timeout=60)

    def shown(self, **asked):
        answer = self.ask("POST", "recommend", {"k": 200, **asked})
        assert answer.status_code == 200, answer.text
        return [item["item_id"] for item in answer.json()["items"]]

    def model(self):
        return self.ask("GET", "model").json()["model"]


def event(number, user, item, kind="click"):
    return {"id": f"{user}-{number}", "type": kind, "user": user, "item": item}


class Writer:
    """Clicks and items, one after the other; what was acknowledged is seen in the next answer, and noted."""

    def __init__(self, client, name):
        self.client, self.name = client, name
        self.events, self.items, self.wrong = [], [], []
        self.ended = threading.Event()

    def run(self):
        number = 0
        while not self.ended.is_set():
            try:
                self.step(number)
            except httpx.TransportError:
                time.sleep(0.01)  # a worker was killed, or all of them: nothing was acknowledged
            number += 1

    def step(self, number):
        user, seen = f"{self.name}-{number // 9}", f"f{number % 9:02}"
        told = event(number, user, seen)
        answer = self.client.ask("POST", "events", [told])
        if answer.status_code == 200 and answer.json()["new"] == 1:
            self.events.append(told)
            if seen in self.client.shown(user=user):
                self.wrong.append(told)
        item = f"{self.name}-item{number}"
        if (
            number % 3 == 0
            and self.client.ask("PUT", f"items/{item}", {"metadata": SPACE}).status_code == 200
        ):
            self.items.append(item)
            if self.client.shown(history=[], candidates=[item]) != [item]:
                self.wrong.append(item)


@pytest.mark.long
def test_what_was_acknowledged_is_there_after_kill_9(serve, url):
    server = serve("--db", url, workers=2)
    writers = [Writer(Client(server), f"w{n}") for n in range(3)]
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(writer.run) for writer in writers]

        def written(n):
            return all(len(writer.events) >= n and len(writer.items) >= n // 4 for writer in writers)

        server.wait_until(lambda: written(6))
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_until(lambda: written(12))
        server.kill()
        for writer in writers:
            writer.ended.set()
        for each in running:
            each.result()
    assert [writer.wrong for writer in writers] == [[], [], []]
    again = Client(serve("--db", url, workers=2))
    for writer in writers:
        counts = again.ask("POST", "events", writer.events).json()
        assert (counts["new"], counts["repeated"]) == (0, len(writer.events))
        assert sorted(again.shown(history=[], candidates=writer.items)) == sorted(writer.items)
        for user in {told["user"] for told in writer.events}:
            seen = {told["item"] for told in writer.events if told["user"] == user}
            assert not seen & set(again.shown(user=user))


@pytest.mark.long
def test_a_swap_goes_for_all_workers_and_for_the_next_server(serve, neighbours, tmp_path):
    neighbours.save(tmp_path / "second")
    server = serve(workers=2)
    client, told = Client(server), []
    with ThreadPoolExecutor(1) as pool:
        stop = threading.Event()

        def go_on():
            while not stop.is_set():
                told.append(server.recommend().status_code)

        going_on = pool.submit(go_on)
        assert client.ask("PUT", "items/new", {"metadata": SPACE}).status_code == 200
        assert client.ask("POST", "model/swap", {"path": str(tmp_path / "none")}).status_code == 422
        assert (
            client.ask("POST", "model/swap", {"path": str(tmp_path / "second")}).json()["model"] == "second"
        )
        server.wait_until(lambda: {client.model() for _ in range(12)} == {"second"})
        assert client.shown(history=[], candidates=["new"]) == ["new"]
        stop.set()
        going_on.result()
    assert set(told) == {200}
    server.kill()
    client = Client(serve(workers=2))
    assert {client.model() for _ in range(6)} == {"second"}
    assert client.ask("POST", "model/rollback").json()["model"] == "model"
    client.server.wait_until(lambda: {client.model() for _ in range(12)} == {"model"})
    assert client.ask("GET", "model").json()["can_roll_back"]
