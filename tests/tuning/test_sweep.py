"""A sweep: every cell trained, ranked and looked at; one that was cut off goes on; failures are told."""

import json
import re
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from isotherm import load
from isotherm.data.splits import strong
from isotherm.errors import ParameterError, TrainingError
from isotherm.evaluation.candidates import candidate_sets
from isotherm.evaluation.lists import ranked_lists
from isotherm.ranking.metrics import ndcg, rank_hits
from isotherm.report.sweep import SweepReport, table
from isotherm.report.sweep.figures import grid_heatmap, tradeoffs
from isotherm.report.sweep.findings import best_cell, settings_of, steady_cell
from isotherm.tuning.grid import Grid
from isotherm.tuning.plan import SweepOptions
from isotherm.tuning.sweep import run_sweep
from tests.cli.test_commands import invoke
from tests.models.vae.small import tastes

SETTINGS = {"hidden": 12, "latent": 4, "training.epochs": 2, "training.valid_share": 0}
GRID = Grid(keep=[0.5, 1.0], anchors=[0.0, 2.0])


def run(folder, grid=GRID, pairs=100, **changes):
    options = SweepOptions(pairs=pairs)
    return run_sweep(
        tastes(), folder, grid, **{"settings": SETTINGS, "options": options, "jobs": 2, **changes}
    )


@pytest.fixture(scope="module")
def cells(forks):
    """Cells are processes that begin with everything imported; the command's test starts real ones."""

    def start(command, stdout, stderr, env):
        assert command[:3] == [sys.executable, "-m", "isotherm.tuning.cell"]
        return forks.start(*command[3:], module=command[2], env=env, out=stdout.name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("isotherm.tuning.processes.subprocess", SimpleNamespace(Popen=start))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("sweep")
    return folder, run(folder)


def test_every_cell_of_the_grid_is_measured(made):
    folder, found = made
    assert sorted(found.cells["cell"]) == [
        "keep=0.5,anchors=0", "keep=0.5,anchors=2", "keep=1,anchors=0", "keep=1,anchors=2",
    ]  # fmt: skip
    assert found.cells["anchors"].to_list() == [0, 2, 0, 2]
    assert (
        found.cells.null_count().select("ndcg@100", "drift", "active", "inside", "helped").sum_horizontal()[0]
        == 0
    )
    assert (found.cells["drift"] > 0).all()  # the probe masks all alike, also where training did not
    assert not list((folder / "cells").glob("*.log"))
    assert not list((folder / "runs").glob("*"))
    found.write_json(folder / "out.json")
    assert len(json.loads((folder / "out.json").read_text())["cells"]) == 4


def test_the_figures_are_those_of_the_saved_models(made):
    folder, found = made
    row = found.cells.row(1, named=True)
    model = load(folder / "models" / row["cell"])
    assert (model.mask.keep, model.anchors.weight) == (0.5, 2.0)
    split = strong(tastes(), 0.1, 0, 0.8)
    chosen = candidate_sets(split)[:1]
    hits = rank_hits(ranked_lists(model, split, chosen, 60)["all"], chosen[0].targets)
    assert row["ndcg@100"] == pytest.approx(
        ndcg(hits, np.diff(chosen[0].targets.indptr), 100).mean(), rel=1e-3
    )
    assert row["ndcg@100_low"] <= row["ndcg@100"] <= row["ndcg@100_high"]


def test_only_what_is_missing_is_done_again(made):
    folder, found = made
    files = sorted((folder / "cells").glob("*.json"))
    before = {file: file.stat().st_mtime_ns for file in files}
    files[0].unlink()
    again = run(folder)
    changed = [file for file in files if file.stat().st_mtime_ns != before[file]]
    assert changed == files[:1]
    assert again.cells.drop("seconds").equals(found.cells.drop("seconds"))


def test_a_folder_keeps_to_one_sweep(made):
    folder, _ = made
    with pytest.raises(ParameterError, match=r"holds another sweep \(pairs differ\)"):
        run(folder, pairs=120)


def test_the_page_says_where_to_stand(made):
    _, found = made
    page = SweepReport("A <title>", "source", found).html()
    assert "A &lt;title&gt;" in page
    assert page.count("<svg") == 3
    assert page.count("What to do.") == 3
    best = best_cell(found)
    assert best["ndcg@100"] == found.cells["ndcg@100"].max()
    assert settings_of(found, best) in page
    assert steady_cell(found)["drift"] <= best["drift"]


def ticks(page):
    """The words below and beside each axis of a figure."""
    axes = re.findall(r'class="mark-text role-axis-label".*?</g>', page, re.DOTALL)
    return [re.findall(r">([^<>]+)</text>", axis) for axis in axes]


def test_what_is_not_swept_is_not_shown_and_no_two_ticks_read_alike(made):
    _, found = made
    cells = found.cells.with_columns(
        beta=pl.lit(None, pl.Float64), keep=pl.lit(None, pl.Float64), drift=0.93 + 0.001 * pl.int_range(4)
    )
    assert table(replace(found, cells=cells)).names[:2] == ["λ_A", "nDCG@100"]
    drawn = ticks(tradeoffs(cells, ["anchors"]))
    assert len(drawn) == 12
    assert any(tick.startswith("93.1") for axis in drawn for tick in axis)
    for axis in drawn:
        assert len(set(axis)) == len(axis)
    assert ticks(grid_heatmap(cells, ["anchors"], "drift", "drift")) == [["2", "0"]]


def test_a_cell_that_fails_is_told_and_the_others_stay(tmp_path):
    broken = {**SETTINGS, "training.learning_rate": 1e30}
    with pytest.raises(TrainingError, match=r"cell model failed: .*no longer a number.*cells/model.log"):
        run(tmp_path, Grid(), settings=broken)
    assert not (tmp_path / "cells" / "model.json").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "ease"}, "ease has no mask and no anchors"),
        ({"model": "multdae", "grid": Grid(beta=[0.1])}, "multdae has no β to sweep"),
        ({"settings": {"mask": "none"}}, "mask=none keeps everything"),
        ({"grid": Grid(keep=[1.5])}, r"mask.keep must be a number > 0 and <= 1"),
        ({"settings": {"nothing": 1}}, "no setting 'nothing'"),
        ({"jobs": 0}, "jobs"),
    ],
)
def test_what_cannot_be_swept_is_said_before_the_work(tmp_path, changes, message):
    settings = {} if changes.get("model") == "ease" else SETTINGS
    with pytest.raises(ParameterError, match=message):
        run(tmp_path / "new", **{"settings": settings, **changes})
    assert not (tmp_path / "new").exists()


def test_the_command(tmp_path):
    tastes().to_frame().write_parquet(tmp_path / "clicks.parquet")
    arguments = ("--interactions", tmp_path / "clicks.parquet", "--model", "recvae", "--beta", "0.01")
    arguments += ("--set", "hidden=12", "--set", "latent=4", "--set", "training.epochs=1", "--pairs", "100")
    out = invoke("sweep", *arguments, "--out", tmp_path / "out")
    assert "nDCG@100" in out
    assert (tmp_path / "out" / "sweep.html").exists()
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["names"]["beta"] == "beta.gamma"
    with pytest.raises(ParameterError, match="--beta takes numbers"):
        invoke("sweep", *arguments, "--beta", "0.1;0.2", "--out", tmp_path / "other")
    with pytest.raises(ParameterError, match="is a file"):
        invoke("sweep", *arguments, "--out", tmp_path / "clicks.parquet")
