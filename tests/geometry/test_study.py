"""The whole study and its page: complete, true to the figures, the same each time, clear where they fail."""

import json
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from isotherm import (
    EASE,
    Clean,
    Constant,
    Interactions,
    ItemAnchors,
    Items,
    MultDAE,
    MultVAE,
    RecVAE,
    Training,
)
from isotherm.errors import InteractionsError, ParameterError, UnsupportedError
from isotherm.geometry import StudyOptions, study_models
from isotherm.models.vae.objective.masking import Bernoulli
from isotherm.report.geometry import GeometryReport
from tests.models.vae.small import SMALL, tastes

FEW = StudyOptions(pairs=400, masks=2)


@pytest.fixture(scope="module")
def clicks():
    return tastes()


@pytest.fixture(scope="module")
def table(clicks):
    ids = clicks.items.values
    return Items.from_frame(
        pl.DataFrame(
            {
                "item_id": ids,
                "title": [f"Film {n}" for n in range(len(ids))],
                "genre": [[("war", "love", "space")[n % 3]] for n in range(len(ids))],
            }
        ),
        kinds={"genre": "categories"},
    )


@pytest.fixture(scope="module")
def models(clicks):
    training = Training(epochs=25, valid_share=0)
    return {
        "with <anchors>": MultVAE(**SMALL, anchors=ItemAnchors(weight=1.0), training=training).fit(clicks),
        "plain": MultVAE(**SMALL, training=training).fit(clicks),
        "dae": MultDAE(**SMALL, mask=Clean(), training=training).fit(clicks),
        "recvae": RecVAE(**SMALL, training=training).fit(clicks),
    }


@pytest.fixture(scope="module")
def found(models, clicks, table):
    return study_models(models, clicks, table, options=FEW)


@pytest.fixture
def undrawn(monkeypatch):
    """Pages of whose figures only the charts are made: drawing them is most of a page's time."""
    monkeypatch.setattr("vl_convert.vegalite_to_svg", lambda chart: "<svg></svg>")


def test_every_model_is_looked_at_with_the_same_users(found, models):
    assert list(found.models) == list(models)
    probes = [set(geometry.influence.pairs["u"]) for geometry in found.models.values()]
    assert all(each == probes[0] for each in probes)
    random = [g.influence.pairs.filter(kind="random").select("u", "v") for g in found.models.values()]
    assert all(each.equals(random[0]) for each in random)
    assert found.users == 240
    assert found.keep == pytest.approx(0.5)  # the first model's own mask, for all


def test_json_is_plain_and_complete(found, tmp_path):
    found.write_json(tmp_path / "out.json")
    read = json.loads((tmp_path / "out.json").read_text())
    assert read["pairs"] == found.n_pairs
    for geometry in read["models"].values():
        assert set(geometry) == {
            "model", "epochs", "distances", "sharing", "masking", "anchors", "collapse",
        }  # fmt: skip
        assert geometry["distances"]["w1_at_most_w2"] == 1
        assert geometry["sharing"]["trained"]["tests"]["inside"]["helped"] in (None, 1)
        assert geometry["masking"]["within_bounds"] == 1
    assert read["models"]["with <anchors>"]["anchors"]["tau"] < 1
    assert read["models"]["plain"]["anchors"]["tau"] == 1
    assert read["models"]["dae"]["collapse"]["kl"] is None
    assert read["models"]["recvae"]["collapse"]["kl"] > 0


def test_the_same_seed_gives_the_same_figures(found, models, clicks, table):
    again = study_models(
        {"plain": models["plain"]}, clicks, table, options=replace(FEW, mask=Bernoulli(keep=0.5))
    )
    assert again.to_dict()["models"]["plain"] == found.to_dict()["models"]["plain"]
    other = study_models({"plain": models["plain"]}, clicks, table, options=replace(FEW, seed=1))
    assert other.to_dict() != again.to_dict()


def test_tastes_are_found(found):
    """Three groups of users, each with a third of the items as its own: the map tells them apart."""
    users = found.models["plain"].map.users
    assert set(users["taste"]) == {"war", "love", "space"}
    assert found.models["plain"].map.same_taste > 0.55
    assert found.models["plain"].map.by_chance == pytest.approx(1 / 3, abs=0.05)
    assert found.models["plain"].map.anchors.height == 0
    assert found.models["with <anchors>"].map.anchors["title"][0] == "Film 0"  # everybody clicked it


def test_tastes_without_metadata_are_clusters(models, clicks):
    found = study_models({"plain": models["plain"]}, clicks, options=FEW)
    tastes_ = set(found.models["plain"].map.users["taste"])
    assert all(re.fullmatch(r"like «\d+»|other", taste) for taste in tastes_)
    assert found.models["plain"].map.same_taste > found.models["plain"].map.by_chance


def test_the_page_is_whole_and_true(found, tmp_path):
    GeometryReport("A <title>", "clicks.parquet", found).write(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "A &lt;title&gt;" in page
    assert "with &lt;anchors&gt;" in page
    assert page.count("What it says.") == page.count("What to do.") == 12
    assert page.count("<svg") == 12
    assert not re.search(r"(src|href)=", page)
    first = found.models["with <anchors>"]
    assert f"{first.drift.drift.mean():.1%}" in page
    assert first.collapse.verdict in page


def test_one_model_without_anchors_has_a_page(found, undrawn):
    plain = replace(found, models={"plain": found.models["plain"]})
    page = GeometryReport("t", "s", plain).html()
    assert page.count("What it says.") == 11
    assert "plain has no anchors, so nothing pulls" in page


def test_a_clean_model_does_not_drift(models, clicks, undrawn):
    found = study_models({"dae": models["dae"]}, clicks, options=FEW)
    assert found.models["dae"].drift.drift.max() == 0
    assert "There is no mask, so nothing drifts" in GeometryReport("t", "s", found).html()


def test_what_cannot_be_looked_at_is_said(models, clicks):
    with pytest.raises(UnsupportedError, match="ease has no latent space"):
        study_models({"ease": EASE().fit(clicks)}, clicks)
    with pytest.raises(UnsupportedError, match="ease has no latent space"):
        study_models({"plain": models["plain"], "ease": EASE().fit(clicks)}, clicks)
    for settings in ({"reconstruction": "squared-error"}, {"activation": "gelu"}):
        other = MultDAE(**SMALL, **settings, training=Training(epochs=1)).fit(clicks)
        with pytest.raises(UnsupportedError, match=r"gradients are of a multinomial likelihood and of tanh"):
            study_models({"plain": models["plain"], "other": other}, clicks)
    some = Interactions.from_csr(clicks.matrix[:, :50])
    other = MultVAE(**SMALL, training=Training(epochs=1)).fit(some)
    with pytest.raises(ParameterError, match="other and plain were fitted on different items"):
        study_models({"plain": models["plain"], "other": other}, clicks)
    strangers = Interactions.from_csr(clicks.matrix, item_ids=[f"x{n}" for n in range(60)])
    with pytest.raises(InteractionsError, match="0 users with a click"):
        study_models({"plain": models["plain"]}, strangers)
    with pytest.raises(ParameterError, match="pairs"):
        study_models({"plain": models["plain"]}, clicks, options=StudyOptions(pairs=3))
    with pytest.raises(InteractionsError, match="3 users with a click"):
        study_models({"plain": models["plain"]}, clicks.take_users(np.arange(3)))


def test_unknown_items_and_users_are_left_out(models, clicks):
    wide = np.zeros((241, 62), np.float32)
    wide[:240, :60] = clicks.matrix.toarray()
    wide[240, 61] = 1
    found = study_models({"plain": models["plain"]}, Interactions.from_csr(wide), options=FEW)
    assert (found.users, found.left_out, found.items) == (240, 1, 60)


def test_users_are_drawn_where_there_are_many(models, clicks):
    found = study_models({"plain": models["plain"]}, clicks, options=replace(FEW, users=100))
    assert (found.users, found.left_out) == (100, 0)
    assert found.models["plain"].influence.pairs.filter(kind="random")["v"].max() < 100


def test_a_collapsed_model_can_be_looked_at(clicks, undrawn):
    """Every user at one place: nothing to correlate, nothing to divide by, and a verdict."""
    model = MultVAE(**SMALL, beta=Constant(value=1e6), training=Training(epochs=30, valid_share=0)).fit(
        clicks
    )
    with torch.no_grad():
        model.network_.head.weight.zero_()
    found = study_models({"flat": model}, clicks, options=FEW)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read["models"]["flat"]["collapse"]["state"] == "collapsed"
    assert read["models"]["flat"]["sharing"]["trained"]["rank_correlation"]["mean"] == 0
    assert "has collapsed onto the prior" in GeometryReport("t", "s", found).html()


def test_no_module_is_hidden_by_a_function():
    import isotherm.geometry

    for file in Path(isotherm.geometry.__file__).parent.glob("[a-z]*.py"):
        module = import_module(f"isotherm.geometry.{file.stem}")
        assert getattr(isotherm.geometry, file.stem) is module
