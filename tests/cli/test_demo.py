"""The demo on a small stand-in for MovieLens-100K; the real data set is for ``make run``."""

import json
from dataclasses import replace

import polars as pl
import pytest
from typer.testing import CliRunner

import isotherm
from isotherm.cli.app import app
from isotherm.data.datasets import CATALOGUE, Dataset
from isotherm.data.datasets.catalogue import LoadedDataset


@pytest.fixture
def stand_in(clicks, item_frame, monkeypatch):
    known = item_frame.filter(pl.col("item_id").is_in(clicks.items.values.to_list()))
    entry = replace(CATALOGUE["ml-100k"], kinds={"plot": "text"})
    loaded = LoadedDataset(entry, clicks.to_frame(), known, "the test")
    monkeypatch.setattr(Dataset, "load", lambda self, cache=None: loaded)


def test_demo_prints_the_table_and_writes_everything(stand_in, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["demo", "--out", str(out), "--seed", "1"])
    assert result.exit_code == 0, result.output
    for word in ("cold", "warm", "all", "popularity", "content-knn", "ease", "marec", "hr@10", "ndcg@10"):
        assert word in result.stdout
    document = json.loads((out / "evaluation.json").read_text())
    assert set(document["models"]["marec"]) >= {"seconds", "all", "cold", "warm"}
    assert pl.read_parquet(out / "recommendations.parquet").columns == ["user_id", "item_id", "score", "rank"]
    page = (out / "report.html").read_text()
    assert page.count("<svg") == 4
    assert '<section class="user">' in page
    assert isotherm.load(out / "model").n_items == 25


def test_demo_tests_in_time_where_the_log_has_times(stand_in, clicks, monkeypatch, tmp_path):
    frame = clicks.to_frame().with_row_index("timestamp").with_columns(pl.col("timestamp").cast(pl.Int64))
    loaded = CATALOGUE["ml-100k"].load()
    timed = replace(loaded, clicks=frame)
    monkeypatch.setattr(Dataset, "load", lambda self, cache=None: timed)
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["demo", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert "returning" in result.stdout
    document = json.loads((out / "evaluation-in-time.json").read_text())
    assert document["split"]["protocol"] == "temporal"
    assert set(document["models"]) == {"content-knn", "ease", "marec", "kernel-ridge"}
    assert "what the users clicked next" in (out / "report-in-time.html").read_text()


def test_demo_refuses_a_file_in_the_way(tmp_path):
    (tmp_path / "out").write_text("mine")
    result = CliRunner().invoke(app, ["demo", "--out", str(tmp_path / "out")])
    assert "is a file; a demo is kept in a folder" in str(result.exception)
