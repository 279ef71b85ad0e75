"""Plans and arms are kept: the first arm of a user stays, and a plan that would move users is refused."""

import threading
from dataclasses import replace

import polars as pl
import pytest

from isotherm.errors import ParameterError
from isotherm.experiment.plan import Arm, Experiment, Settings
from isotherm.serving.database import Assigned, Chances, Database, Event, Exposure
from isotherm.serving.database.moments import now

PLAN = Experiment("films", (Arm("control"), Arm("new")))


def kept(database, user):
    return {name: each.arm for name, each in database.experiments.of_user(user).items()}


def test_the_first_arm_of_a_user_stays(database):
    tables = database.experiments
    tables.assign("ann", [Assigned("films", "new", "hash"), Assigned("rows", "wide", "override")])
    tables.assign("ann", [Assigned("films", "control", "hash", 2)])
    tables.assign(1, [Assigned("films", "control", "hash")])
    assert kept(database, "ann") == {"films": "new", "rows": "wide"}
    assert tables.of_user("ann")["rows"].reason == "override"
    assert (kept(database, 1), kept(database, "1")) == ({"films": "control"}, {})
    assert tables.counts("films") == {"new": 1, "control": 1}
    assert tables.counts("none") == {}


def test_of_many_who_write_at_once_one_wins(url):
    with Database.open(url) as database:
        opened = [Database.open(url) for _ in range(4)]
        told = []

        def assign(n):
            opened[n].experiments.assign("ann", [Assigned("films", f"arm{n}", "hash")])
            told.append(kept(opened[n], "ann"))

        threads = [threading.Thread(target=assign, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert told == [kept(database, "ann")] * 4
        for each in opened:
            each.close()


def test_weights_are_counted(database):
    tables = database.experiments
    changed = replace(PLAN, arms=(Arm("control", 3.0), Arm("new")))
    assert [tables.declare(plan, 0.0) for plan in (PLAN, PLAN, changed, changed, PLAN)] == [1, 1, 2, 2, 3]
    assert tables.weights("films") == 3
    scaled = replace(PLAN, arms=(Arm("control", 2.0), Arm("new", 2.0)))
    assert tables.declare(scaled, 0.0) == 3
    with pytest.raises(ParameterError, match="rows is not declared"):
        tables.weights("rows")


def test_a_plan_with_users_is_not_exchanged_for_one_that_moves_them(database):
    tables = database.experiments
    tables.declare(PLAN, 0.0)
    other = replace(PLAN, arms=(Arm("control"), Arm("new", settings=Settings(diversity=0.5))))
    assert tables.declare(other, 0.0) == 1  # nobody has seen it yet
    tables.assign("ann", [Assigned("films", "new", "hash")])
    with pytest.raises(ParameterError, match=r"arms\[1\].settings: were others"):
        tables.declare(PLAN, 0.0)
    with pytest.raises(ParameterError, match="salt: was another"):
        tables.declare(replace(other, salt="x"), 0.0)


def test_models_of_arms_go_on_the_air_apart(database):
    arm = ("films", "new")
    database.log_start("/a", "a", "ca", "/a", 0)
    database.log_start("/b", "b", "cb", "/b", 0, arm)
    database.log_swap("/c", "c", of=arm)
    database.log_swap("/d", "d")
    assert (database.on_air().now.model, database.on_air().before.model) == ("d", "a")
    assert (database.on_air(arm).now.model, database.on_air(arm).before.model) == ("c", "b")
    assert (database.started_with(), database.started_with(arm)) == ("/a", "/b")
    assert database.started_with(("films", "other")) is None
    assert [swap.model for swap in database.last_swaps(5, arm)] == ["c", "b"]


def test_chances_of_lists_are_kept_whole(database):
    chances = Chances((("films", "new"), ("rows", "wide")), [1.0, 0.1 + 0.2], [0, -1])
    database.log_exposures([Exposure("r1", "ann", ["a", "b"], [], "m", chances=chances),
                            Exposure("r2", "ann", ["a"], [], "m")])  # fmt: skip
    [[one, other]] = list(database.exposures())
    assert one.chances == chances
    assert other.chances == Chances()
    with pytest.raises(ParameterError, match=r"propensities: 1 of 2 items"):
        database.log_exposures([Exposure("r3", "ann", ["a", "b"], [], "m", chances=Chances((), [1.0]))])


def test_every_table_is_exported_once(database, tmp_path):
    out = tmp_path / "log"
    database.add_events([Event("e1", "conversion", "ann", 7, now(), 9.5)])
    database.experiments.assign("ann", [Assigned("films", "new", "hash", 2)])
    chances = Chances((("films", "new"), ("rows", "wide")), [1.0, 0.25], [0, 1])
    database.log_exposures([Exposure("r1", "ann", [7, 8], [2], "m", chances=chances),
                            Exposure("r2", "bob", [8], [], "m")])  # fmt: skip
    database.log_swap("/b", "b", of=("films", "new"))
    assert database.export_events(out) == 1
    database.experiments.assign("bob", [Assigned("films", "control", "override", 2)])
    assert database.export_events(out) == 0
    tables = {name: pl.read_parquet(out / name / "*.parquet")
              for name in ("assignments", "exposures", "model_swaps")}  # fmt: skip
    assert tables["assignments"].drop("timestamp").rows() == [
        ("ann", "films", "new", "hash", 2), ("bob", "films", "control", "override", 2),
    ]  # fmt: skip
    named = ["request_id", "user_id", "experiment", "arm", "items", "cold", "propensities", "teams"]
    assert tables["exposures"].select(named).rows() == [
        ("r1", "ann", "films", "new", [7, 8], [2], [1.0, 0.25], [0, 1]),
        ("r1", "ann", "rows", "wide", [7, 8], [2], [1.0, 0.25], [0, 1]),
        ("r2", "bob", None, None, [8], [], None, None),
    ]
    assert tables["model_swaps"].select("experiment", "arm", "model", "action").rows() == [
        ("films", "new", "b", "swap")
    ]
    assert pl.read_parquet(out / "*.parquet")["type"].to_list() == ["conversion"]
