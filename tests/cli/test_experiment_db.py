"""isotherm experiment design and analyze, over the database of a server that ran."""

import json
import signal
import time
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

pytest.importorskip("sqlalchemy", reason="the extra serve is not installed")
pytest.importorskip("duckdb", reason="the extra experiment is not installed")
pytest.importorskip("tea_tasting", reason="the extra experiment is not installed")

from isotherm.cli.app import app
from isotherm.serving.database import Assigned, Chances, Database, Event, Exposure

# fixtures of other rooms
from tests.serving.conftest import clicks, films, neighbours, server, url  # noqa: F401
from tests.serving.workers.conftest import model_folder, serve  # noqa: F401

PLAN = {"name": "films", "arms": [{"name": "old"}, {"name": "new", "settings": {"cold": {"min": 1}}}]}
N_USERS = 200


def run(*arguments, code=0):
    done = CliRunner().invoke(app, ["experiment", *map(str, arguments), "-q"])
    assert done.exit_code == code, (done.output, done.exception)
    return done


@pytest.fixture
def plan(tmp_path):
    (tmp_path / "plan.json").write_text(json.dumps(PLAN))
    return tmp_path / "plan.json"


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where temporary folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def filled(address):
    """A database of one experiment: a click of every third user on his list, of every fifth before it."""
    with Database.open(address) as database:
        now = datetime.now(UTC) - timedelta(minutes=10)
        for user in range(N_USERS):
            arm = ("old", "new")[user % 2]
            database.experiments.assign(user, [Assigned("films", arm, "hash")])
        later = datetime.now(UTC)
        chances = [Chances([("films", ("old", "new")[user % 2])]) for user in range(N_USERS)]
        database.log_exposures(
            [Exposure(f"r{user}", user, [1, 2], [2], "m", later, chances[user]) for user in range(N_USERS)]
        )
        late = later + timedelta(seconds=1)
        database.add_events([Event(f"c{user}", "click", user, 1, late) for user in range(0, N_USERS, 3)])
        database.add_events([Event(f"b{user}", "click", user, 1, now) for user in range(0, N_USERS, 5)])


def test_analyze_reads_a_database_of_each_kind(url, plan, tmp_path, temporary):  # noqa: F811
    filled(url)
    done = run("analyze", "--plan", plan, "--db", url, "--out", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "result.json").read_text())
    assert [(arm["name"], arm["users"]) for arm in told["arms"]] == [("old", 100), ("new", 100)]
    assert told["arms"][0]["values"]["ctr"] == 34 / 200
    assert told["arms"][1]["values"]["cold_share"] == 0.5
    assert told["counts"]["measured"] == 67
    assert told["counts"]["before_exposure"] == 40
    assert "ctr" in done.output
    assert not list(temporary.iterdir())


def test_a_kept_export_is_gone_on_with(plan, tmp_path, temporary):
    address = f"sqlite:///{tmp_path}/live.db"
    filled(address)
    (tmp_path / "url").write_text(address)
    arguments = ("analyze", "--plan", plan, "--db-file", tmp_path / "url", "--out", tmp_path / "out")
    for _ in range(2):
        run(*arguments, "--keep", tmp_path / "kept")
        assert len(list((tmp_path / "kept").rglob("*.parquet"))) == 3
    whole = (tmp_path / "out" / "result.json").read_text()
    run("analyze", "--plan", plan, "--log", tmp_path / "kept", "--out", tmp_path / "out")
    assert (tmp_path / "out" / "result.json").read_text() == whole


def test_design_reads_a_database(plan, tmp_path, temporary):
    with Database.open(f"sqlite:///{tmp_path}/live.db") as database:
        noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        database.add_events([Event(f"c{n}", "click", n % 60, n, noon) for n in range(90)])
    run("design", "--db", f"sqlite:///{tmp_path}/live.db", "--splits", 5, "--json", tmp_path / "design.json")
    assert json.loads((tmp_path / "design.json").read_text())["users_by_day"] == [60]
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--log logs --db sqlite:///live.db", "--log and --db: there are both"),
        ("--log logs --keep kept", "--keep goes with --db"),
        ("--db sqlite:///live.db", "the database holds no events yet; send what users do to POST /v1/events"),
        ("", "--db is missing"),
        ("--db sqlite:///none.db", "none.db"),
    ],
)
def test_what_cannot_be_analysed_is_told_and_nothing_is_left(
    plan, temporary, tmp_path, monkeypatch, arguments, words
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ISOTHERM_DB", raising=False)
    Database.open("sqlite:///live.db").close()
    done = run("analyze", "--plan", plan, *arguments.split(), "--out", tmp_path / "out", code=1)
    assert words in str(done.exception)
    assert not list(temporary.iterdir())


def test_ctrl_c_leaves_nothing(forks, plan, tmp_path, temporary):
    filled(f"sqlite:///{tmp_path}/live.db")
    code = (
        "import tempfile, time\n"
        f"tempfile.tempdir = {str(temporary)!r}\n"
        "from isotherm.cli.main import run\n"
        "from isotherm.experiment import log\n"
        "log.read_users = lambda *_: time.sleep(60)\n"
        "run()\n"
    )
    arguments = ("experiment", "analyze", "--plan", plan, "--db", f"sqlite:///{tmp_path}/live.db")
    process = forks.start(*arguments, "--out", tmp_path / "out", code=code, out=tmp_path / "told")
    until = time.monotonic() + 120
    while not list(temporary.rglob("events-*.parquet")):
        assert process.poll() is None, (tmp_path / "told").read_text()
        assert time.monotonic() < until
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    assert not list(temporary.iterdir())


def test_a_server_that_ran_is_analysed(serve, plan, tmp_path, temporary):  # noqa: F811
    address = f"sqlite:///{tmp_path}/live.db"
    server = serve("--db", address, "--experiment", str(plan))  # noqa: F811
    users, shown, arm_of, events = [f"v{n}" for n in range(N_USERS)], {}, {}, []
    for user in users:
        told = server.recommend(user=user, k=4).json()
        [arm] = told["experiments"]
        arm_of[user], shown[user] = arm["arm"], [item["item_id"] for item in told["items"]]
    for n, user in enumerate(users):
        items = shown[user][: 1 + n % 2]
        events += [{"id": f"{user}-{i}", "type": "click", "user": user, "item": i} for i in items]
    answer = server.client.post("/v1/events", json=events)
    assert answer.json()["new"] == len(events)
    assert server.end() == 0
    run("analyze", "--plan", plan, "--db", address, "--out", tmp_path / "out")
    told = json.loads((tmp_path / "out" / "result.json").read_text())
    for arm in told["arms"]:
        own = [user for user in users if arm_of[user] == arm["name"]]
        clicked = sum(1 + users.index(user) % 2 for user in own)
        assert arm["users"] == len(own)
        assert arm["values"]["ctr"] == pytest.approx(clicked / (4 * len(own)), rel=1e-12)
    assert told["counts"]["users"] == N_USERS
    assert told["counts"]["measured"] == len(events)
    assert not told["sample_ratio"]["mismatch"]
