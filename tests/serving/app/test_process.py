"""A real uvicorn process: it answers many at one time while items change, and ends when it is told to."""

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

SERVE = """
import sys, uvicorn
from isotherm.serving.app.factory import create_app
from isotherm.serving.database import Database
from isotherm.serving.shared.shared import SharedModel
with Database.open(sys.argv[2]) as database:
    shared = SharedModel.open(sys.argv[1], database)
    uvicorn.run(create_app(shared), port=int(sys.argv[3]), log_level="warning")
"""


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def server(neighbours, tmp_path):
    neighbours.save(tmp_path / "model")
    port = _free_port()
    command = [
        sys.executable,
        "-c",
        SERVE,
        str(tmp_path / "model"),
        f"sqlite:///{tmp_path}/live.db",
        str(port),
    ]
    process = subprocess.Popen(command)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    until = time.monotonic() + 60
    while True:
        try:
            assert client.get("/readyz").status_code == 200
            break
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
    yield client, process
    client.close()
    process.kill()
    process.wait()


def test_a_server_answers_while_items_and_models_change(server, tmp_path):
    client, process = server

    def ask(n):
        answer = client.post("/v1/recommend", json={"history": ["f00", "f03"], "k": 40})
        assert answer.status_code == 200
        shown = {item["item_id"] for item in answer.json()["items"]}
        assert not shown & {"f00", "f03"}
        return shown

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(ask, n) for n in range(100)]
        for n in range(5):
            put = client.put(f"/v1/items/new{n}", json={"metadata": {"genres": ["space"]}})
            assert put.status_code == 200
            assert f"new{n}" in ask(0)
            assert client.put("/v1/items/f05", json={"hidden": n % 2 == 0}).status_code == 200
            assert ("f05" in ask(0)) == (n % 2 == 1)
        assert client.post("/v1/model/swap", json={"path": str(tmp_path / "model")}).status_code == 200
        assert client.post("/v1/model/rollback").status_code == 200
        assert {f"new{n}" for n in range(5)} <= ask(0)
        for answer in answers:
            answer.result()
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) in (0, -signal.SIGTERM)
