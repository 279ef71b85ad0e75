"""Experiments of a real server on both databases: nobody moves, whichever worker answers, however it ends."""

import json
import subprocess
import sys

import httpx
import polars as pl
import pytest

from isotherm import EASE

USERS = [f"u{n}" for n in range(30)]


@pytest.fixture
def plan(tmp_path, clicks):
    EASE(l2=10.0).fit(clicks).save(tmp_path / "ease")

    def written(file="plan.json", **more):
        document = {
            "name": "films",
            "arms": [{"name": "control"}, {"name": "new", "model": "ease"}],
            "ramp": [{"from": 0, "share": 0.7}],
            "exploration": {"kind": "epsilon", "share": 0.5, "pool": 10},
        }
        (tmp_path / file).write_text(json.dumps({**document, **more}))
        return tmp_path / file

    return written


def asked(server, user):
    """The arm of a user, asked on a new connection, so that any worker may answer; None for none."""
    body = {"user": user, "k": 4}
    answer = httpx.post(f"{server.url}/v1/recommend", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    if "experiments" not in told:
        return None
    [arm] = told["experiments"]
    assert (told["model"] == "ease") == (arm["arm"] == "new")
    return arm["arm"]


@pytest.mark.long
def test_nobody_moves(serve, plan, url, tmp_path):
    server = serve("--db", url, "--experiment", str(plan()), workers=2)
    before = {user: asked(server, user) for user in USERS}
    assert set(before.values()) == {None, "control", "new"}
    assert {user: asked(server, user) for user in USERS} == before
    server.kill()  # at once: what was shown first is kept all the same
    weights = [{"name": "control", "weight": 9}, {"name": "new", "weight": 1, "model": "ease"}]
    changed = plan(arms=weights, ramp=[{"from": 0, "share": 1}])
    server = serve("--db", url, "--experiment", str(changed), workers=2)
    after = {user: asked(server, user) for user in USERS}
    assert all(after[user] == arm for user, arm in before.items() if arm is not None)
    assert None not in after.values()
    [told] = server.client.get("/v1/experiments").json()["experiments"]
    assert (told["weights"], told["users"]) == (2, len(USERS))
    assert server.end() == 0
    out = tmp_path / "exported"
    command = [sys.executable, "-m", "isotherm", "events", "export", "--db", url, "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    kept = pl.read_parquet(out / "assignments" / "*.parquet")
    assert dict(kept.select("user_id", "arm").rows()) == after
    assert kept["reason"].unique().to_list() == ["hash"]
    lists = pl.read_parquet(out / "exposures" / "*.parquet").filter(pl.col("arm").is_not_null())
    assert lists["request_id"].n_unique() == len(lists) >= len(USERS)
    assert lists["propensities"].list.len().to_list() == lists["items"].list.len().to_list()
    swaps = pl.read_parquet(out / "model_swaps" / "*.parquet")
    assert ("films", "new", "ease", "start") in swaps.select("experiment", "arm", "model", "action").rows()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"arms": [{"name": "a"}, {"name": "b", "model": "none"}]}, r"plan.json: arms[1].model: "),
        ({"arms": [{"name": "a"}, {"name": "b", "settings": {"beta": 1}}]}, "arms[1].settings.beta: "),
        ({"weights": [1, 2]}, "plan.json: weights is unknown"),
    ],
)  # fmt: skip
def test_a_bad_plan_is_refused_in_one_line(plan, model_folder, tmp_path, more, words):
    command = [sys.executable, "-m", "isotherm", "serve", str(model_folder), "--port", "0", "--db",
               f"sqlite:///{tmp_path}/live.db", "--experiment", str(plan(**more))]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_two_plans_of_one_layer_are_refused(plan, model_folder, tmp_path):
    plans = [plan("a.json"), plan("b.json", name="rows")]
    command = [sys.executable, "-m", "isotherm", "serve", str(model_folder), "--db",
               f"sqlite:///{tmp_path}/live.db", "--port", "0"]  # fmt: skip
    for each in plans:
        command += ["--experiment", str(each)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "b.json: span: " in done.stderr
