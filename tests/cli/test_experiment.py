"""isotherm experiment design and analyze, over small logs on disk."""

import json
import sys

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from isotherm.cli.app import app
from tests.experiment.log.logs import event, write

pytest.importorskip("duckdb")
pytest.importorskip("tea_tasting")
HOUR = 3600 * 1_000_000


def run(*arguments):
    return CliRunner().invoke(app, ["experiment", *map(str, arguments), "-q"])


def folder_of(tmp_path, shares=(0.5, 0.5)):
    """400 users over six days, three of them before the experiment; the treatment is clicked more."""
    rng = np.random.default_rng(0)
    events, assignments = [], []
    for user in range(400):
        arm = "new" if rng.random() < shares[1] else "old"
        assignments.append(
            {"experiment": "films", "arm": arm, "user_id": user, "timestamp": 72 * HOUR, "reason": "hash"}
        )
        for day in range(6):
            for item in range(rng.poisson(3)):
                hour = 24 * day + 1 + item / 10
                events.append(event(len(events), user, "impression", hour, item))
                if rng.random() < (0.5 if arm == "new" and day >= 3 else 0.25):
                    events.append(event(len(events), user, "click", hour + 0.01, item))
    folder = write(tmp_path / "log", events, assignments)
    plan = {"name": "films", "arms": [{"name": "old"}, {"name": "new", "model": "second"}]}
    times = {"start": "1970-01-04T00:00:00Z", "end": "1970-01-07T00:00:00Z"}
    (tmp_path / "plan.json").write_text(json.dumps(plan | times))
    return folder


@pytest.mark.parametrize("package", ["duckdb", "tea_tasting"])
def test_a_demo_without_a_package_says_so_before_it_begins(tmp_path, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr("isotherm.experiment.practice.practise", None)  # would fail otherwise
    done = run("demo", "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "pip install 'isotherm[experiment]'" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_analyze_writes_and_tells_the_verdict(tmp_path):
    log = folder_of(tmp_path)
    where = ("--plan", tmp_path / "plan.json", "--log", log, "--out", tmp_path / "out")
    done = run("analyze", *where, "--metric", "ctr", "--metric", "clicks_per_user")
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "out" / "result.json").read_text())
    assert written["verdict"] == "ship"
    assert written["low"] <= 1.0 <= written["high"]  # twice as many
    assert "Ship" in done.output
    assert "clicks_per_user" in done.output
    again = run("analyze", *where, "--metric", "ctr", "--metric", "clicks_per_user", "--metric", "ctr")
    assert again.output == done.output  # a metric that is named twice is one goal


def test_analyze_stops_at_a_mismatch_and_fails(tmp_path):
    log = folder_of(tmp_path, (0.3, 0.7))
    arguments = ("analyze", "--plan", tmp_path / "plan.json", "--log", log, "--out", tmp_path / "out")
    done = run(*arguments)
    assert done.exit_code == 1
    assert "warning: Sample ratio mismatch" in done.output
    assert "clicks_per_user" not in done.output
    written = json.loads((tmp_path / "out" / "result.json").read_text())
    assert written["estimate"] is None
    assert len(written["words"]) == 1
    shown = run(*arguments, "--despite-mismatch")
    assert shown.exit_code == 1
    assert "clicks_per_user" in shown.output


def test_design_tells_days_and_false_positives(tmp_path):
    log = folder_of(tmp_path)
    events, file = log / "events.parquet", tmp_path / "design.json"
    done = run("design", "--events", events, "--effect", 0.2, "--splits", 20, "--json", file)
    assert done.exit_code == 0, done.output
    assert "to be told with a power of 80%" in done.output
    assert "experiments without any change" in done.output
    assert json.loads(file.read_text())["users_by_day"]


def test_a_log_of_another_experiment_is_refused(tmp_path):
    log = folder_of(tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text()) | {"name": "books"}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    done = run("analyze", "--plan", tmp_path / "plan.json", "--log", log, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "log: assignments hold no user of the experiment within its time" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_events_of_other_users_alone_are_refused(tmp_path):
    log = folder_of(tmp_path)
    strangers = pl.read_parquet(log / "events.parquet").with_columns(
        pl.format("u{}", "user_id").alias("user_id")
    )
    strangers.write_parquet(log / "events.parquet")
    done = run("analyze", "--plan", tmp_path / "plan.json", "--log", log, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "column 'user_id': none of the" in str(done.exception)
    assert "such as '0'; write the same ids to both" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_goal_that_the_log_does_not_hold_is_named(tmp_path):
    log = folder_of(tmp_path)
    done = run(
        "analyze", "--plan", tmp_path / "plan.json", "--log", log, "--out", tmp_path / "out",
        "--metric", "conversion",
    )  # fmt: skip
    assert "Wait: no effect on conversion can be measured yet" in done.output


def test_interleaved_lists_leave_no_page_of_another_experiment_beside_them(tmp_path):
    log = folder_of(tmp_path)
    plan = json.loads((tmp_path / "plan.json").read_text()) | {"kind": "interleaving"}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("<p>of another</p>")
    done = run("analyze", "--plan", tmp_path / "plan.json", "--log", log, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "name a new folder" in str(done.exception)
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["report.html"]
