"""Every benchmark runs: at a tiny size, on made data, its figures thrown away."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

FOLDER = Path(__file__).parent.parent / "benchmarks"
#: benchmark -> its command line; {data}, {graph} and {out} are folders
BENCHMARKS = {
    "vae_accuracy": "--data {data}/ml-1m",
    "vae_objective": "--data {data}/ml-1m",
    "collaboration": "--data {data}/ml-1m",
    "sweep": "--data {data}/ml-1m --out {out}",
    "geometry": "--data {data}/ml-1m",
    "ablation": "--data {data}/ml-1m",
    "cold_start": "--data {data} --graph {graph}",
    "in_time": "--data {data} --graph {graph}",
    "random_split": "--data {data} --graph {graph}",
    "baselines_ml1m": "--data {data}/ml-1m",
    "slim": "--data {data}/ml-1m",
    "ials_speed": "--data {data}/ml-1m",
    "ramp_up": "--data {data}/ml-1m",
    "accuracy": "--data {data}/ml-1m",
    "fit_speed": "--data {data}/ml-1m",
    "gpu": "--data {data}/ml-1m",
    "metadata_kinds": "--data {data}/ml-1m",
    "backbones": "--data {data}/ml-1m --only ease ials multvae",
    "auto": "--data {data} --graph {graph}",
    "gowalla": "--data {data}/gowalla",
    "open_bandit": "--data {data}/open-bandit",
    "vae_step": "",
    "vae_sampled": "",
    "marec_fit": "",
    "kernel_ridge_fit": "",
    "recommend_all": "",
    "serving": "",
    "soak": "",
    "add_items": "",
    "evaluation": "",
    "experiment_log": "",
    "experiment_calibration": "",
    "experiment_demo": "",
    "ease": "",
    "gram": "",
}
#: files there that are no benchmark
LIBRARY = {"common", "drawn_logs", "drawn_models", "http_load", "servers", "shell"}
USERS, ITEMS = 120, 60


def test_every_benchmark_is_run():
    assert {file.stem for file in FOLDER.glob("*.py")} - LIBRARY == set(BENCHMARKS)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Data in the shape of MovieLens-1M, ml-latest-small, Gowalla, MovieLens-100K with its graph, and
    of Open Bandit."""
    root = tmp_path_factory.mktemp("benchmarks")
    rng = np.random.default_rng(0)
    users, items = np.nonzero(rng.random((USERS, ITEMS)) < 0.4)
    log = pl.DataFrame({"user_id": users, "item_id": items})
    (root / "data" / "ml-1m").mkdir(parents=True)
    log.write_parquet(root / "data" / "ml-1m" / "interactions.parquet")
    movies(rng).write_parquet(root / "data" / "ml-1m" / "items.parquet")
    people_wrote(rng).write_parquet(root / "data" / "ml-1m" / "items_hetrec.parquet")
    (root / "data" / "ml-latest-small").mkdir()
    timed = log.with_columns(timestamp=pl.Series(rng.permutation(log.height)))
    timed.write_parquet(root / "data" / "ml-latest-small" / "ratings.parquet")
    movies(rng).write_parquet(root / "data" / "ml-latest-small" / "items.parquet")
    (root / "data" / "gowalla").mkdir()
    test = rng.random(log.height) < 0.2
    log.filter(pl.Series(~test)).write_parquet(root / "data" / "gowalla" / "train.parquet")
    log.filter(pl.Series(test)).write_parquet(root / "data" / "gowalla" / "test.parquet")
    write_graph(root / "graph", timed, rng)
    write_bandit(root / "data" / "open-bandit", rng)
    return root


def movies(rng):
    """An item table with the fields of the benchmarks."""
    some = [[f"{v}" for v in rng.choice(8, 2, replace=False)] for _ in range(ITEMS)]
    words = [" ".join(rng.choice(["sea", "war", "love", "moon", "road"], 4)) for _ in range(ITEMS)]
    fields = dict.fromkeys(("genres", "actors", "directors", "keywords"), some)
    return pl.DataFrame(
        {"item_id": np.arange(ITEMS), "title": words, "description": words}
        | {"year": rng.integers(1950, 2020, ITEMS).astype(float)}
        | fields
    )


def people_wrote(rng):
    """The same items with weighted tags."""
    tags = [[{"value": f"{v}", "weight": 1.0 + v} for v in rng.choice(5, 2)] for _ in range(ITEMS)]
    table = movies(rng).drop("description", "actors", "keywords")
    return table.with_columns(pl.col("genres").alias("countries"), pl.Series("tags", tags))


def write_graph(folder, log, rng):
    """MovieLens-100K as tab-separated files: clicks, films, triples, and which film is which entity."""
    folder.mkdir()
    clicks = log.select("user_id", "item_id", pl.lit(4).alias("rating"), "timestamp")
    films = pl.DataFrame(
        {
            "item_id": np.arange(ITEMS),
            "title": [f"film {n}" for n in range(ITEMS)],
            "year": rng.integers(1950, 2020, ITEMS),
            "genres": [f"g{n % 5} g{n % 3}" for n in range(ITEMS)],
        }
    )
    links = pl.DataFrame({"item_id": np.arange(ITEMS), "entity": [f"m.{n}" for n in range(ITEMS)]})
    triples = pl.DataFrame(
        {
            "head": [f"m.{n}" for n in range(ITEMS)],
            "relation": ["film.film.genre"] * ITEMS,
            "tail": [f"g.{n % 5}" for n in range(ITEMS)],
        }
    )
    for name, frame in (("inter", clicks), ("item", films), ("link", links), ("kg", triples)):
        frame.write_csv(folder / f"ml-100k.{name}", separator="\t")


def write_bandit(folder, rng):
    """Shown items of two policies in three campaigns, in the shape of the Open Bandit data."""
    for policy, shares in (("random", [0.25] * 4), ("bts", [0.4, 0.3, 0.2, 0.1])):
        for campaign in ("all", "men", "women"):
            items = rng.choice(4, size=300, p=shares)
            shown = {"item_id": items, "position": rng.integers(1, 4, 300), "click": rng.integers(0, 2, 300)}
            (folder / policy / campaign).mkdir(parents=True)
            pl.DataFrame({**shown, "propensity_score": np.array(shares)[items]}).write_csv(
                folder / policy / campaign / f"{campaign}.csv"
            )


@pytest.fixture
def at_tiny_size(monkeypatch, tmp_path):
    """Benchmarks imported anew, tiny; what they import beside themselves is forgotten afterwards."""
    known = {file.stem for file in FOLDER.glob("*.py")} | {"baselines"}
    ours = lambda: [name for name in sys.modules if name.split(".")[0] in known]  # noqa: E731
    held = {name: sys.modules.pop(name) for name in ours()}
    monkeypatch.setenv("ISOTHERM_SMOKE", str(tmp_path / "results"))
    monkeypatch.syspath_prepend(str(FOLDER))
    yield tmp_path / "results"
    for name in ours():
        del sys.modules[name]
    sys.modules.update(held)


@pytest.mark.parametrize("name", BENCHMARKS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # ratios of nothing, at this size
def test_a_benchmark_runs(name, folders, at_tiny_size, monkeypatch, tmp_path):
    places = {"data": folders / "data", "graph": folders / "graph", "out": tmp_path / "sweep"}
    arguments = [word.format(**places) for word in BENCHMARKS[name].split()]
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
    importlib.import_module(name).main()
    results = list(at_tiny_size.glob("*.json"))
    assert results
    written = json.loads(results[0].read_text())
    assert written["rows"]
    assert isinstance(written["machine"]["features"], list)


def test_the_memory_of_a_job_that_needs_none_can_still_be_divided_by(at_tiny_size, monkeypatch):
    common = importlib.import_module("common")
    monkeypatch.setattr(common, "_resident", lambda: 10 * common.PAGE)
    nothing, _ = common.peak_memory(lambda: lambda: None)
    assert nothing == common.PAGE


def test_the_benchmarks_leave_their_measured_results_alone():
    measured = [file.stem for file in (FOLDER / "results").glob("*.json")]
    owners = {name: max((each for each in BENCHMARKS if name.startswith(each)), key=len) for name in measured}
    assert set(owners.values()) == set(BENCHMARKS)
