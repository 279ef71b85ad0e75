"""isotherm experiment offpolicy: from a log to result.json, or to a refusal."""

import json

import numpy as np
import polars as pl
import pytest

from isotherm.errors import InteractionsError, OutputError, OverlapError, ParameterError
from tests.cli.test_commands import folder as folder
from tests.cli.test_commands import invoke


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    items = rng.choice(3, size=900, p=[0.5, 0.3, 0.2])
    file = tmp_path / "log.parquet"
    pl.DataFrame(
        {
            "user_id": rng.integers(300, size=900),
            "item_id": items,
            "reward": (rng.random(900) < np.array([0.1, 0.3, 0.6])[items]).astype(float),
            "propensity": np.array([0.5, 0.3, 0.2])[items],
            "new": np.array([0.1, 0.3, 0.6])[items],
            "never": np.array([0.1, 0.0, 0.0])[items],
        }
    ).write_parquet(file)
    return file


def test_a_column_of_a_table(table, tmp_path):
    out = invoke(
        "experiment", "offpolicy", "--log", table, "--target", "new", "--out", tmp_path / "out", "-q"
    )
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    assert {"metric", "estimate", "low", "high", "p", "verdict"} < set(found)
    assert found["low"] < 0.46 < found["high"]
    assert (found["verdict"], found["method"]) == ("better", "snips")
    assert "better: The new policy would get" in out
    assert "effective sample size" in out


def test_the_logs_own_column_gives_what_was_logged(table, tmp_path):
    invoke("experiment", "offpolicy", "--log", table, "--target", "propensity", "--out", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    mean = pl.read_parquet(table)["reward"].mean()
    assert found["estimate"] == pytest.approx(mean, rel=1e-12)
    assert (found["verdict"], found["p"]) == ("undecided", 1.0)


def test_a_refusal_is_told_and_written(table, tmp_path):
    with pytest.raises(OverlapError, match="never shows about 90% of what the new policy would"):
        invoke("experiment", "offpolicy", "--log", table, "--target", "never", "--out", tmp_path / "out")
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (found["verdict"], found["estimate"], found["p"]) == ("refused", None, None)
    assert "explore all of what the new policy may show" in found["words"]


def test_a_model_on_a_servers_log(folder):
    """Lists drawn from the best six of popularity, by epsilon; the new policy draws more of them."""
    from isotherm import load

    log = folder / "clicks.parquet"
    invoke("fit", "--interactions", log, "--model", "popularity", "--out", folder / "model", "-q")
    model, rng = load(folder / "model"), np.random.default_rng(1)
    lists, events = [], []
    for user in model.users_.values.to_list():
        best = model.recommend([user], k=6)["item_id"].to_list()
        for turn in range(8):
            drawn = int(rng.integers(1, 6)) if rng.random() < 0.5 else 1
            chance = 0.5 / 5 + (0.5 if drawn == 1 else 0.0)
            lists.append((f"{user} {turn}", user, 1000 * turn, [best[0], best[drawn]], [1.0, chance]))
            if rng.random() < 0.3 + 0.1 * (drawn > 1):
                events.append((user, best[drawn], "click", 1000 * turn + 1))
    exported = folder / "exported"
    exported.mkdir()
    names = ["request_id", "user_id", "timestamp", "items", "propensities"]
    pl.DataFrame(lists, schema=names, orient="row").write_parquet(exported / "exposures-1.parquet")
    names = ["user_id", "item_id", "type", "timestamp"]
    pl.DataFrame(events, schema=names, orient="row").write_parquet(exported / "events-1.parquet")
    invoke(
        "experiment", "offpolicy", "--log", exported, "--target", folder / "model", "--out", folder / "out",
        "--share", 0.8, "--pool", 6, "--per", "list", "--interval", "bootstrap", "-q",
    )  # fmt: skip
    found = json.loads((folder / "out" / "result.json").read_text())
    assert set(found["estimates"]) == {"ips", "snips", "doubly-robust", "switch"}
    assert found["method"] == "doubly-robust"
    assert found["overlap"]["mean_weight"] == pytest.approx(1, abs=0.1)
    assert found["options"]["lists"] == "cascade"
    expected = 0.36 * 0.3 + 0.64 * 0.4
    assert found["low"] < expected < found["high"]
    assert found["counts"]["unmatched"] == 0


def test_what_is_wrong_is_said(table, tmp_path):
    with pytest.raises(InteractionsError, match="column 'newest' is missing"):
        invoke("experiment", "offpolicy", "--log", table, "--target", "newest")
    with pytest.raises(InteractionsError, match=r"holds no exposures\*\.parquet"):
        invoke("experiment", "offpolicy", "--log", tmp_path, "--target", "new")
    with pytest.raises(ParameterError, match="--explore must be one of 'epsilon', 'softmax', 'none'"):
        invoke("experiment", "offpolicy", "--log", table, "--target", "new", "--explore", "all")
    with pytest.raises(OutputError):
        invoke("experiment", "offpolicy", "--log", table, "--target", "new", "--out", table)


def test_a_type_that_no_event_has_is_refused(tmp_path):
    shown = {"request_id": [1], "user_id": [1], "timestamp": [1.0], "items": [[5]], "propensities": [[0.5]]}
    pl.DataFrame(shown).write_parquet(tmp_path / "exposures.parquet")
    clicked = {"user_id": [1], "item_id": [5], "type": ["click"], "timestamp": [2.0]}
    pl.DataFrame(clicked).write_parquet(tmp_path / "events.parquet")
    told = "column 'type': no event is of type 'buy', which counts here; the types there are click"
    with pytest.raises(InteractionsError, match=told):
        invoke("experiment", "offpolicy", "--log", tmp_path, "--target", "propensities", "--event", "buy")
