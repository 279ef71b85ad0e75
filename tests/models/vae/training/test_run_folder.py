"""The folder of a run: what it belongs to, what is refused, what it keeps of a user's files."""

import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from isotherm import FitOptions, Interactions, Items
from isotherm.errors import ParameterError, TrainingError
from isotherm.models.vae.multvae import MultVAE
from isotherm.models.vae.objective.anchors import ItemAnchors
from isotherm.models.vae.objective.beta import Constant
from isotherm.models.vae.objective.masking import PopularityAware
from isotherm.models.vae.training.settings import Training
from tests.models.vae.small import SMALL, log_of, tastes


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = MultVAE(**SMALL, training=Training(epochs=3)).fit(
        tastes(), options=FitOptions(run_dir=tmp_path / "run")
    )
    before = log_of(tmp_path / "run")
    again = MultVAE(**SMALL, training=Training(epochs=3)).fit(
        tastes(), options=FitOptions(run_dir=tmp_path / "run")
    )
    assert again.recommend(k=5).equals(first.recommend(k=5))
    new = log_of(tmp_path / "run")[len(before) :]
    assert [line["event"] for line in new] == ["resume", "end"]


def test_a_run_folder_of_another_fit_or_a_damaged_one_is_refused(tmp_path):
    run = tmp_path / "run"
    MultVAE(**SMALL, training=Training(epochs=2)).fit(tastes(), options=FitOptions(run_dir=run))
    for other, clicks, differ in (
        (MultVAE(**SMALL, seed=1, training=Training(epochs=2)), tastes(), "seed"),
        (MultVAE(**SMALL, training=Training(epochs=3)), tastes(), "training.epochs"),
        (MultVAE(**SMALL, training=Training(epochs=2)), tastes(seed=1), "clicks"),
    ):
        with pytest.raises(TrainingError, match=f"holds a run of another fit: {differ} differ; name another"):
            other.fit(clicks, options=FitOptions(run_dir=run))
    file = next(run.glob("checkpoint-*.safetensors"))
    file.write_bytes(file.read_bytes()[:-3] + b"abc")
    with pytest.raises(TrainingError, match=r"damaged \(its content changed\); remove the folder"):
        MultVAE(**SMALL, training=Training(epochs=2)).fit(tastes(), options=FitOptions(run_dir=run))
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="is a file"):
        MultVAE(**SMALL).fit(tastes(), options=FitOptions(run_dir=tmp_path / "file"))


def test_a_run_folder_belongs_to_all_that_training_reads(tmp_path, clicks, items):
    """Whatever differs, a network that was trained on something else is never the answer."""
    dated = replace(clicks, timestamps=pl.Series(np.arange(clicks.n_clicks)))
    read = {"init": "metadata", "weighting": "recency"}

    def fit(clicks=dated, items=items, valid=None, **settings):
        settings = {"anchors": ItemAnchors(weight=1.0, **read), "training": Training(epochs=1), **settings}
        return MultVAE(**SMALL, **settings).fit(clicks, items, FitOptions(valid, tmp_path / "run"))

    first = fit().recommend(k=5)
    other = Items.from_frame(pl.DataFrame({"item_id": items.ids.values, "genres": ["a", "b"] * 15}))
    strangers = Interactions.from_csr(clicks.matrix, [f"new{n}" for n in range(60)], clicks.items.values)
    for differ, changes in {
        "timestamps": {"clicks": replace(clicks, timestamps=pl.Series(np.arange(clicks.n_clicks) ** 2))},
        "clicks": {"clicks": replace(dated, matrix=dated.matrix * np.float32(2))},
        "clicks, metadata": {"items": items.take(np.arange(27))},
        "metadata": {"items": other},
        "validation clicks": {"valid": strangers},
        "seed": {"seed": 1},
        "mask, mask.keep, mask.power": {"mask": PopularityAware(keep=0.4)},
        "beta, beta.value, beta.cap, beta.epochs": {"beta": Constant()},
        "anchors.scale": {"anchors": ItemAnchors(weight=1.0, scale=0.2, **read)},
        "training.epochs": {"training": Training(epochs=2)},
        "training.precision": {"training": Training(epochs=1, precision="float32")},
    }.items():
        with pytest.raises(TrainingError) as refused:
            fit(**changes)
        assert f"holds a run of another fit: {differ} differ; name another" in str(refused.value)
    assert fit(training=Training(epochs=1, checkpoint_minutes=1)).recommend(k=5).equals(first)


def test_a_run_folder_of_another_version_is_refused(tmp_path, monkeypatch):
    model = MultVAE(**SMALL, training=Training(epochs=1)).fit(
        tastes(), options=FitOptions(run_dir=tmp_path / "run")
    )
    monkeypatch.setattr("isotherm.models.vae.training.run_folder.__version__", "99.0")
    with pytest.raises(TrainingError, match="another fit: isotherm differ"):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))


def test_a_folder_of_a_users_own_is_no_run_folder(tmp_path):
    mine = tmp_path / "checkpoint-best.safetensors"
    mine.write_text("mine")
    with pytest.raises(TrainingError, match="is not empty and holds no training run"):
        MultVAE(**SMALL).fit(tastes(), options=FitOptions(run_dir=tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == [mine.name]
    mine.unlink()
    MultVAE(**SMALL, training=Training(epochs=1)).fit(tastes(), options=FitOptions(run_dir=tmp_path))
    names = ("checkpoint-0123456789abcdef.safetensors", "notes.txt", ".mine.part")
    for name in names:
        (tmp_path / name).write_text("mine")
    MultVAE(**SMALL, training=Training(epochs=1)).fit(tastes(), options=FitOptions(run_dir=tmp_path))
    assert all((tmp_path / name).read_text() == "mine" for name in names)


def test_the_log_tells_each_epoch(tmp_path):
    model = MultVAE(**SMALL, anchors=ItemAnchors(weight=0.1), training=Training(epochs=4, valid_share=0.3))
    model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
    lines = log_of(tmp_path / "run")
    assert [line["event"] for line in lines] == ["start", "epoch", "epoch", "epoch", "epoch", "end"]
    assert lines[0]["users"] == 240 - 72
    assert lines[0]["precision"] in ("bfloat16", "float32")
    for line in lines[1:5]:
        assert {"loss", "reconstruction", "kl", "anchor", "ndcg@100", "users_per_second"} <= set(line)
    first, last = lines[1], lines[4]
    assert last["reconstruction"] < first["reconstruction"]
    total = last["reconstruction"] + 0.1 * last["anchor"]
    assert total <= last["loss"] <= total + 0.2 * last["kl"]
    assert lines[5]["best"] == model.progress_.best


def test_tensorboard_must_be_installed_where_it_is_wanted(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    model = MultVAE(**SMALL, training=Training(epochs=1, tensorboard=True))
    with pytest.raises(ParameterError, match="needs the package tensorboard"):
        model.fit(tastes(), options=FitOptions(run_dir=tmp_path / "run"))
