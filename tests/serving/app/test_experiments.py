"""What HTTP tells of experiments: the arm and the request in an answer, and the experiments of a server."""

import pytest
from fastapi.testclient import TestClient

from isotherm.experiment.plan import Arm, Experiment, Exploration, Settings
from isotherm.serving.app.factory import create_app
from isotherm.serving.database import Database
from isotherm.serving.live.model import LiveModel
from isotherm.serving.shared.shared import SharedModel

PLAN = Experiment(
    "films",
    (Arm("control"), Arm("new", 3.0, settings=Settings(cold_least=1, diversity=0.5))),
    exploration=Exploration("epsilon", 0.1),
    overrides={"u1": "new"},
    start=5.0,
)
LONG = {"content-type": "application/json; charset=utf-8"}  # goes to the documented route


@pytest.fixture
def client(model, tmp_path):
    with Database.open(f"sqlite:///{tmp_path}/live.db") as database:
        database.experiments.declare(PLAN, 0.0)
        shared = SharedModel(LiveModel(model, "first"), database, experiments=[PLAN])
        with TestClient(create_app(shared, token="secret")) as client:
            yield client


def test_an_answer_tells_arm_and_request(client):
    requests = []
    for n in range(20):  # in a thread, then on the loop
        told = client.post("/v1/recommend", json={"user": f"u{n % 4}", "k": 3}).json()
        assert list(told) == ["items", "answered_by", "model", "unknown", "experiments", "request_id"]
        [arm] = told["experiments"]
        assert arm["experiment"] == "films"
        assert arm["arm"] in ("control", "new")
        requests.append(told["request_id"])
    long = client.post("/v1/recommend", content='{"user": "u1"}', headers=LONG).json()
    short = client.get("/v1/users/u1/recommendations").json()
    batch = client.post("/v1/recommend/batch", json={"requests": [{"user": "u1"}]}).json()["answers"][0]
    for told in (long, short, batch):
        assert told["experiments"] == [{"experiment": "films", "arm": "new"}]
        requests.append(told["request_id"])
    assert len(set(requests)) == len(requests)


def test_a_history_is_in_no_experiment(client):
    for headers in (LONG, {"content-type": "application/json"}):
        told = client.post("/v1/recommend", content='{"history": ["f01"]}', headers=headers).json()
        assert list(told) == ["items", "answered_by", "model", "unknown"]
        assert list(told["items"][0]) == ["item_id", "score", "rank", "cold", "title"]


def test_the_experiments_of_a_server(client):
    for n in range(8):
        client.post("/v1/recommend", json={"user": f"u{n}"})
    [told] = client.get("/v1/experiments").json()["experiments"]
    users = [arm.pop("users") for arm in told["arms"]]
    assert sum(users) == told.pop("users") == 8
    assert told == {
        "experiment": "films",
        "kind": "arms",
        "running": True,
        "share": 1.0,
        "layer": "default",
        "span": [0.0, 1.0],
        "holdout": 0.0,
        "start": 5.0,
        "end": None,
        "weights": 1,
        "testers": 1,
        "exploration": {"kind": "epsilon", "share": 0.1, "from_rank": 2, "temperature": 1.0, "pool": 50},
        "arms": [
            {"arm": "control", "share": 0.25, "model": "first", "own_model": False, "settings": {}},
            {"arm": "new", "share": 0.75, "model": "first", "own_model": False,
             "settings": {"cold": {"min": 1}, "diversity": 0.5}},
        ],
    }  # fmt: skip


def test_a_swap_in_an_arm_needs_one_that_has_a_model(client):
    sent = {"path": "/nowhere", "arm": "new"}
    assert client.post("/v1/model/swap", json=sent).status_code == 401
    told = client.post("/v1/model/swap", json=sent, headers={"Authorization": "Bearer secret"})
    assert told.status_code == 422
    assert told.json() == {
        "error": "'new' answers by the server's own model", "where": "arm", "cure": "swap without an arm",
    }  # fmt: skip


def test_a_rollback_in_an_arm_needs_one_that_has_a_model(client):
    token = {"Authorization": "Bearer secret"}
    told = client.post("/v1/model/rollback", json={"arm": "new", "experiment": "films"}, headers=token)
    assert (told.status_code, told.json()["where"]) == (422, "arm")
    told = client.post("/v1/model/rollback", headers=token)
    assert "there is no model to go back to" in told.json()["error"]


def test_a_server_without_experiments_says_so(shared):
    with TestClient(create_app(shared)) as client:
        assert client.get("/v1/experiments").json() == {"experiments": []}
